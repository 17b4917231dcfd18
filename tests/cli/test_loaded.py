"""What is in memory when a command has done its work on a knowledge base with cases in it."""

import json
import os
import subprocess
import sys

import pytest

ENGINES = {"numpy", "faiss", "onnxruntime", "torch", "tantivy", "sqlite_utils"}
TRAINING = {"torch", "sentence_transformers", "transformers", "sqlite_utils", "scipy", "pandas"}

_PROGRAM = """
import json, sys
from kbagent.cli.app import app
code = 0
try:
    app(prog_name="kbagent")
except SystemExit as done:
    code = done.code or 0
print("\\n" + json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def loaded(*arguments: str, **environment: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, **environment},
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


def test_completion_starts_no_engine():
    words = {"_KBAGENT_COMPLETE": "complete_bash", "COMP_WORDS": "kbagent se", "COMP_CWORD": "1"}
    assert not loaded(**words) & ENGINES


@pytest.mark.model
@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "printer hangs after the update to 4.2, labels stay in the queue"),
        ("worked", "r1"),
        ("show", "desk:1"),
    ],
)
def test_commands_that_did_their_work_loaded_no_training_library(kb, arguments):
    assert not loaded(*arguments, KBAGENT_KB=str(kb)) & TRAINING
