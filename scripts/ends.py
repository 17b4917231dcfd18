"""Do the bounds of `pyproject.toml` hold? Install one end of every range and run the tests.

    python -m scripts.ends oldest      # the lower bound of each dependency, pinned
    python -m scripts.ends newest      # the newest release that each range admits

A virtual environment is made under the temporary folder, the project is installed into it with
pip, the versions that were taken are printed, the tests are run, and the environment is removed
again (`--keep` leaves it). Torch is taken as it comes at both ends: its lower bound is a build of
several gigabytes where no CPU build of it is at hand; `--with-torch` pins it too.

Left out of the tests: what kills and what fuzzes, since both ask nothing of a library's version
that the others do not, and the shape of the terminal's screens follows from ours alone.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ("tests/core", "tests/store", "tests/usecases", "tests/cli", "tests/fakes")
HEAVY = "torch"
_LOWER = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)\s*(?:>=|==)\s*(?P<version>[0-9][0-9A-Za-z.]*)")


def lower_bounds(requirements: Iterable[str], *, torch: bool = False) -> list[str]:
    """A pin for the lower bound of each requirement; those without a bound are left out.

    >>> lower_bounds(["numpy>=2.0,<3", "types-jmespath", "torch>=2.6,<2.14", "gt==0.1.0"])
    ['numpy==2.0', 'gt==0.1.0']
    """
    found = (_LOWER.match(each) for each in requirements)
    pins = [(one["name"], one["version"]) for one in found if one]
    return [f"{name}=={version}" for name, version in pins if torch or name != HEAVY]


def requirements() -> list[str]:
    """What the project and its development ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def main() -> int:
    """Make the environment, install, test; the tests' exit code."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("end", choices=["oldest", "newest"])
    reader.add_argument("--with-torch", action="store_true", help="pin torch's lower bound too")
    reader.add_argument("--folder", type=Path, help="where the environment is made")
    reader.add_argument("--keep", action="store_true", help="leave the environment")
    reader.add_argument("--tests", nargs="+", default=TESTS, help="what pytest is given")
    options = reader.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kbagent-ends-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        python = _environment(folder, options.end, torch=options.with_torch)
        return _run(python, "-m", "pytest", "-n", "2", "--dist", "loadfile", *options.tests)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, end: str, *, torch: bool) -> Path:
    """The Python of a new environment with the project in it."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    pins = folder / "pins.txt"
    lines = lower_bounds(requirements(), torch=torch) if end == "oldest" else []
    pins.write_text("\n".join(lines) + "\n", "utf-8")
    install = ["-m", "pip", "install", "--quiet", "-c", pins, "-e", f"{ROOT}[dev]"]
    if _run(python, *install):
        raise SystemExit("the dependencies cannot be installed at this end")
    _run(python, "-m", "pip", "freeze", "--exclude-editable")
    return python


def _run(python: Path, *arguments: str | Path) -> int:
    return subprocess.run([python, *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
