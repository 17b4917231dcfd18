"""What a command imports: never an engine before it is needed, never a library just to draw."""

import json
import os
import subprocess
import sys

import pytest

from kbagent.cli.app import COMMANDS

ENGINES = ("numpy", "faiss", "onnxruntime", "tokenizers", "tantivy", "torch", "scipy")
SLOW = (*ENGINES, "sentence_transformers", "sqlite_utils", "pydantic", "rich", "pandas")

_PROBE = """
import json, sys
{code}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def imported_by(code: str) -> set[str]:
    """The packages that a fresh interpreter has imported after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(code=code)], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def running(*words: str) -> str:
    return f"""
import contextlib, io
from kbagent.cli.app import app
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    with contextlib.suppress(SystemExit):
        app({list(words)!r}, prog_name="kbagent")
"""


def test_loading_any_command_starts_no_engine() -> None:
    code = "from kbagent.cli.app import COMMANDS, load_command\n"
    code += "for name in COMMANDS: load_command(name)"
    assert not imported_by(code) & {*ENGINES, "sentence_transformers", "pydantic", "rich"}


def test_every_command_is_in_the_registry_by_its_own_name() -> None:
    assert {"search", "show", "worked", "import"} <= set(COMMANDS)


@pytest.mark.parametrize("words", [("--help",), ("search", "--help"), ("--version",)])
def test_help_imports_nothing_slow(words: tuple[str, ...]) -> None:
    assert not imported_by(running(*words)) & set(SLOW)


@pytest.mark.parametrize("words", [("show", "r1"), ("worked", "1"), ("feedback", "list")])
def test_daily_commands_import_nothing_slow(words: tuple[str, ...], small_kb: str) -> None:
    assert not imported_by(running(*words, "--kb", small_kb)) & set(SLOW)


def test_search_imports_the_engines_and_no_more(small_kb: str) -> None:
    found = imported_by(running("search", "printer", "--kb", small_kb))
    assert "faiss" in found
    refused = {"torch", "sentence_transformers", "sqlite_utils", "pydantic", "rich", "scipy"}
    assert not found & refused


@pytest.fixture(scope="module")
def small_kb(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A knowledge base with the schema and no case."""
    from kbagent.store.knowledge_base import create_knowledge_base

    folder = tmp_path_factory.mktemp("base") / "kb"
    create_knowledge_base(folder).close()
    return str(folder)


_NICENESS = """
import contextlib, io, os, sys
from kbagent.cli.app import main
before = os.getpriority(os.PRIO_PROCESS, 0)
sys.argv = ["kbagent", {name!r}, "--help"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(os.getpriority(os.PRIO_PROCESS, 0) - before)
"""


def slowed(name: str, priority: str | None = None) -> int:
    """By how much a command lowers the priority of its process."""
    environment = {key: value for key, value in os.environ.items() if key != "KBAGENT_PRIORITY"}
    if priority is not None:
        environment["KBAGENT_PRIORITY"] = priority
    code = [sys.executable, "-c", _NICENESS.format(name=name)]
    done = subprocess.run(code, capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout)


@pytest.mark.skipif(
    not hasattr(os, "getpriority") or os.getpriority(os.PRIO_PROCESS, 0) >= 10,
    reason="nothing is left to give way by",
)
def test_long_work_gives_way_and_a_search_never_does() -> None:
    assert slowed("import") > 0
    assert slowed("reindex") > 0
    assert slowed("search") == 0
    assert slowed("worked") == 0
    assert slowed("import", "normal") == 0
