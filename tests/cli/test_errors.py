"""What goes wrong: one message, the right exit code, never a traceback."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.cli.conftest import invoke, spawn, write_export
from tests.fakes.desk import ticket
from tests.faults.test_import_kill import stored_cases, write_cases

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "x"),
        ("show", "r1"),
        ("worked", "1"),
        ("link", "a", "b"),
        ("similar", "a"),
        ("feedback", "list"),
        ("feedback", "pending"),
        ("feedback", "undo", "1"),
        ("model", "list"),
    ],
)
def test_without_a_knowledge_base_every_command_says_how_to_begin(tmp_path, arguments):
    ran = invoke(*arguments, kb=tmp_path / "none")
    assert ran.code == 2
    assert "kbagent import FILE" in ran.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("search",), 2, "no text to look up"),
        (("search", " "), 2, "no text to look up"),
        (("search", "x", "--where", "foo"), 2, "no operator"),
        (("search", "x", "--where", "oss=1"), 2, "did you mean os"),
        (("search", "x", "--since", "soon"), 2, "write a date"),
        (("search", "x", "--policy", "9"), 2, "policy 9"),
        (("search", "x", "--policy", "9" * 30), 2, "Invalid value"),
        (("search", "x", "--not", "nope"), 2, "SOURCE:ID"),
        (("search", "x", "--file", "y"), 2, "not both"),
        (("search", "--file", "/nonexistent"), 1, "cannot be read"),
        (("search", "x", "-n", "0"), 2, "Invalid value"),
        (("show", "nope"), 2, "Give a case"),
        (("show", "r" + "9" * 18), 2, "Give a case"),
        (("worked", "1", "--csat", "seven"), 2, "4/5"),
        (("worked", "r1", "--minutes", "-1"), 2, "0 or more"),
        (("worked", "r999"), 2, "No resolution has this id"),
        (("worked", "zzzz", "1"), 2, "feedback pending"),
        (("feedback", "undo", "9" * 30), 2, "Invalid value"),
        (("feedback", "import", "/nonexistent"), 1, "cannot be read"),
        (("import", "/nonexistent"), 1, "cannot be read"),
        (("import", "/"), 1, "cannot be read"),
        (("import", "--format", "nope", "x"), 2, "formats are"),
        (("import", "--map", "/nonexistent", "x"), 2, "mapping"),
        (("add", " "), 2, "needs a title"),
        (("model", "use", "/nonexistent"), 1, "cannot be used"),
        (("link", "desk:1", "desk:1"), 2, "one case"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_wrong_usage_is_told_with_what_to_do_next(kbagent, arguments, code, message):
    ran = kbagent(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert message in " ".join(ran.err.replace("│", " ").split())


def test_a_timeout_that_is_no_number_is_wrong_usage(kbagent):
    ran = kbagent("search", "x", KBAGENT_LOCK_TIMEOUT="soon")
    assert (ran.code, "KBAGENT_LOCK_TIMEOUT" in ran.err) == (2, True)


def test_who_finds_the_database_locked_is_told_so_after_the_timeout(kbagent, kb, tmp_path):
    export = write_export(tmp_path / "more.jsonl", ticket("77", "More"))
    writer = sqlite3.connect(kb / "kb.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        for command in (("import", str(export)), ("worked", "r1")):
            ran = kbagent(*command, KBAGENT_LOCK_TIMEOUT="0.1")
            assert (ran.code, "more than 0.1 seconds" in ran.err) == (5, True)
        assert kbagent("search", "printer", "-f", "json").json["issues"]
    finally:
        writer.close()
    assert kbagent("import", str(export)).code == 0


@pytest.mark.parametrize("harm", ["garbage", "cut", "overwritten"])
def test_a_damaged_database_is_exit_code_six(kbagent, kb, harm):
    path = kb / "kb.db"
    whole = path.read_bytes()
    for rest in kb.glob("kb.db-*"):
        rest.unlink()
    path.write_bytes(
        {
            "garbage": b"this is no database at all" * 400,
            "cut": whole[: len(whole) // 3],
            "overwritten": whole[:4096] + b"\xff" * (len(whole) - 4096),
        }[harm]
    )
    for command in (("search", "printer"), ("show", "desk:1"), ("worked", "r1")):
        ran = kbagent(*command)
        assert ran.code == 6, (command, ran.err)
        assert "damaged" in ran.err and "doctor" in ran.err


def test_a_database_of_a_newer_kbagent_is_refused(kbagent, kb):
    with sqlite3.connect(kb / "kb.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    ran = kbagent("search", "printer")
    assert (ran.code, "Update kbagent" in ran.err) == (6, True)


def test_where_a_file_stands_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    export = write_export(tmp_path / "one.jsonl", ticket("1", "One"))
    for place in (tmp_path / "file", tmp_path / "file" / "kb"):
        ran = invoke("import", str(export), kb=place)
        assert (ran.code, "Choose another --kb" in ran.err) == (1, True)


_AS_ORDINARY_USER = """
import os, sys
from typer.testing import CliRunner
from kbagent.cli.app import app
writable, readonly, *arguments = sys.argv[1:]
CliRunner().invoke(app, [*arguments, "--kb", writable])  # now every module is loaded
if os.geteuid() == 0:  # the superuser may write anywhere
    os.setgid(65534)
    os.setuid(65534)
ran = CliRunner().invoke(app, [*arguments, "--kb", readonly])
sys.stdout.write(ran.stdout)
sys.stderr.write(ran.stderr)
if ran.exception is not None and not isinstance(ran.exception, SystemExit):
    raise ran.exception
sys.exit(ran.exit_code)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("show", "desk:1"), 0), (("worked", "r1"), 1), (("feedback", "list"), 0)],
)
def test_a_folder_that_may_only_be_read_can_be_read_and_says_why_no_more(kb, arguments, code):
    scratch = Path(tempfile.mkdtemp(prefix="kbagent-readonly-"))
    try:
        copy = Path(shutil.copytree(kb, scratch / "kb"))
        for path in [scratch, copy, *copy.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        done = subprocess.run(
            [sys.executable, "-c", _AS_ORDINARY_USER, str(kb), str(copy), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stderr
        assert ("writable" in done.stderr) == (code == 1)
    finally:
        for path in [scratch, *scratch.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(scratch)


def test_bytes_that_are_no_text_are_looked_up_or_refused(kb):
    assert spawn("search", os.fsdecode(b"printer \xff hangs"), kb=kb).code in (0, 3)
    refused = spawn("show", os.fsdecode(b"\xff"), kb=kb)
    assert (refused.code, "UTF-8" in refused.err) == (2, True)


def test_who_stops_reading_ends_the_command_quietly(kb):
    process = subprocess.Popen(
        [sys.executable, "-m", "kbagent", "feedback", "list", "--all", "-n", "1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "KBAGENT_KB": str(kb)},
    )
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=60)
    assert b"Traceback" not in err


INTERRUPTED = 1800  # cases: seconds of importing are left when the first batch is stored


HEARING = """
import signal  # a shell that starts the tests in the background has told them to ignore it
signal.signal(signal.SIGINT, signal.default_int_handler)
from kbagent.cli.app import main
main()
"""


def test_control_c_ends_an_import_kindly_and_the_next_goes_on(tmp_path):
    export = write_cases(tmp_path / "cases.jsonl", INTERRUPTED)
    kb = tmp_path / "kb"
    process = subprocess.Popen(
        [sys.executable, "-c", HEARING, "import", str(export), "--kb", str(kb)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while stored_cases(kb) == 0 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "kbagent: interrupted; what was reported done is kept"
    kept = stored_cases(kb)
    assert 0 < kept < INTERRUPTED
    again = invoke("import", str(export), "--output", "json", kb=kb)
    assert (again.json["unchanged"], again.json["new"]) == (kept, INTERRUPTED - kept)


def test_a_message_does_not_quote_a_whole_file(tmp_path):
    file = tmp_path / "vast.json"
    file.write_text('[{"id": "1", "text": "' + "spam " * 1_000_000 + '"}]')
    ran = invoke("import", str(file), kb=tmp_path / "kb")
    assert ran.code == 2
    assert "not recognised" in ran.err and "--map MAPPING.toml" in ran.err
    assert len(ran.err) < 2_100
