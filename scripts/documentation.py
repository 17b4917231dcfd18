"""Writes the parts of the documentation that follow from the code, or checks that they do.

`python -m scripts.documentation` rewrites `docs/commands.md` (the help of every command) and
`docs/errors.md` (every error with its exit code); with `--check` it fails when they are stale, when
a command of the registry lacks help or tells another help than its function, or when a relative
link in a Markdown file leads nowhere.
"""

import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH = "96"
_LINK = re.compile(r"\[[^\]]*\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def commands_page() -> str:
    """The help of every command, as it is printed 96 columns wide."""
    from typer.testing import CliRunner

    from kbagent.cli.app import COMMANDS, app, load_command

    runner = CliRunner()
    parts = ["# Commands", "", "Written by `python -m scripts.documentation`; do not edit.", ""]
    for name in COMMANDS:
        command = load_command(name)
        calls = [[name]]
        calls += [[name, sub] for sub in getattr(command, "commands", {})]
        for call in calls:
            result = runner.invoke(app, [*call, "--help"], prog_name="kbagent")
            text = "\n".join(line.rstrip() for line in result.stdout.strip().splitlines())
            parts += [f"## kbagent {' '.join(call)}", "", "```", text, "```", ""]
    return "\n".join(parts)


def errors_page() -> str:
    """Every error with its exit code and message."""
    from kbagent import errors

    parts = ["# Errors and exit codes", "", "Written by `python -m scripts.documentation`.", ""]
    parts += ["| exit | meaning |", "|---|---|"]
    parts += [
        f"| {code.value} | {code.name.lower().replace('_', ' ')} |" for code in errors.ExitCode
    ]
    parts += ["", "| error | exit | message |", "|---|---|---|"]
    for name, kind in sorted(vars(errors).items()):
        if inspect.isclass(kind) and issubclass(kind, errors.KbagentError):
            message = " ".join((kind.__doc__ or "").split())
            parts.append(f"| {name} | {int(kind.exit_code)} | {message} |")
    return "\n".join(parts) + "\n"


def registry_faults() -> Iterator[str]:
    """Commands whose registry line and function tell different stories."""
    from kbagent.cli.app import COMMANDS, load_command

    for name, entry in COMMANDS.items():
        command = load_command(name)
        told = (command.help or "").strip().splitlines()[:1]
        if told != [entry.help]:
            yield f"kbagent {name}: the registry says {entry.help!r}, the command {told}"
        for sub, child in getattr(command, "commands", {}).items():
            if not child.help:
                yield f"kbagent {name} {sub}: has no help"


def broken_links() -> Iterator[str]:
    """Relative links in our Markdown files that lead nowhere."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sample_data/*.md")]
    for page in pages:
        for target in _LINK.findall(page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}: the link {target} leads nowhere"


def main() -> int:
    """Write the pages, or check them."""
    os.environ.update(COLUMNS=WIDTH, TERMINAL_WIDTH=WIDTH, NO_COLOR="1", TERM="dumb")
    os.environ.pop("KBAGENT_KB", None)
    os.environ.pop("KBAGENT_BY", None)
    pages = {
        ROOT / "docs" / "commands.md": commands_page(),
        ROOT / "docs" / "errors.md": errors_page(),
    }
    faults = [*registry_faults(), *broken_links()]
    for path, text in pages.items():
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            faults.append(f"{path.relative_to(ROOT)} is stale: python -m scripts.documentation")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
