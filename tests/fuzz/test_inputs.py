"""Whatever bytes come in, an answer or one of our errors comes out: no traceback, no hang.

About 25 seconds in CI. `KBAGENT_FUZZ_EXAMPLES=20000 pytest tests/fuzz` runs longer; what it finds
is kept by Hypothesis in `.hypothesis` and becomes an `example` here.
"""

import gzip
import json
import os
import shutil

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kbagent.cli.output import csv_cell, one_line, to_csv, to_json, visible
from kbagent.core.retrieval.filters import parse_filter
from kbagent.errors import KbagentError
from kbagent.model.case import CaseRecord, Reject
from kbagent.model.lookup import Request
from kbagent.store.readers import open_export
from kbagent.usecases.maintain.copies import export_lines, restore
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.importing import import_outcomes
from tests.fakes.bases import filled
from tests.fakes.encoder import FakeEncoder

EXAMPLES = int(os.environ.get("KBAGENT_FUZZ_EXAMPLES", "60"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NASTY = st.sampled_from(
    [
        "\x1b]0;owned\x07",
        "=cmd|' /C calc'!A0",
        "' OR 1=1; DROP TABLE cases; --",
        'text:"NEAR(a b)" AND NOT *',
        "[bold red]x[/]",
        "\ud800",
        "\x00",
        "../../etc/passwd",
        "{{7*7}}",
        "r1",
        "9" * 400,
        "\u202egpj.exe",
        "<script>alert(1)</script>",
    ]
)
TEXTS = st.text(max_size=40) | NASTY | st.lists(NASTY, max_size=4).map(" ".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "kb"
    with filled(folder, 12) as kb:
        yield kb


@pytest.fixture(scope="module")
def exported(base, tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "kb.jsonl"
    export_lines(base, path)
    return path.read_bytes()


def counts(kb):
    tables = ("cases", "outcomes", "resolutions", "memberships")
    return [kb.connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables]


@FUZZ
@given(TEXTS)
@example("a" * 5000)
def test_queries(base, text):
    before = counts(base)
    try:
        answer = search(base, FakeEncoder(), Request(query=text), log=False)
    except KbagentError:
        return
    assert all(0.0 <= issue.confidence <= 1.0 for issue in answer.issues)
    assert counts(base) == before


@FUZZ
@given(
    st.one_of(
        TEXTS, st.tuples(TEXTS, st.sampled_from(["=", "!=", "<", ">=", "~"]), TEXTS).map("".join)
    )
)
def test_filters(base, text):
    before = counts(base)
    try:
        condition = parse_filter(text)
        search(base, FakeEncoder(), Request(query="printer", filters=(condition,)), log=False)
    except KbagentError:
        pass
    assert counts(base) == before


@FUZZ
@given(st.lists(st.lists(TEXTS, max_size=6), max_size=5), st.sampled_from([",", ";", "\t"]))
def test_outcomes_from_a_csv(base, rows, separator):
    lines = [separator.join(["id", "outcome", "lookup", "rank", "case", "resolution", "csat"])]
    lines += [separator.join(row) for row in rows]
    explicit = "SELECT count(*) FROM outcomes WHERE source = 'explicit'"
    before = base.connection.execute(explicit).fetchone()[0]
    try:
        done = import_outcomes(base, "\n".join(lines))
    except KbagentError:
        return
    after = base.connection.execute(explicit).fetchone()[0]
    assert after - before == done.recorded
    assert done.recorded + done.known + len(done.rejects) == done.read


@FUZZ
@given(st.data())
def test_knowledge_bases_as_json_lines(exported, tmp_path, data):
    """Lines changed, dropped, doubled or replaced: refused, and nothing is left."""
    lines = exported.split(b"\n")
    place = data.draw(st.integers(0, len(lines) - 2))
    change = data.draw(st.sampled_from(["drop", "double", "replace", "flip", "row"]))
    if change == "drop":
        del lines[place]
    elif change == "double":
        lines.insert(place, lines[place])
    elif change == "replace":
        lines[place] = json.dumps(data.draw(JSON)).encode("ascii")
    elif change == "row":
        lines[place] = json.dumps({"cases": data.draw(JSON)}).encode("ascii")
    else:
        at = data.draw(st.integers(0, len(lines[place]) - 1))
        lines[place] = lines[place][:at] + bytes([lines[place][at] ^ 1]) + lines[place][at + 1 :]
    path = tmp_path / "kb.jsonl"
    path.write_bytes(b"\n".join(lines))
    target = tmp_path / "again"
    shutil.rmtree(target, ignore_errors=True)
    with pytest.raises(KbagentError):
        restore(path, target)
    assert not target.exists() or list(target.iterdir()) == []


@FUZZ
@given(st.binary(max_size=400), st.booleans())
def test_restoring_bytes(tmp_path, content, packed):
    path = tmp_path / "kb.gz"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(KbagentError):
        restore(path, tmp_path / "again")


@FUZZ
@given(
    st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode("ascii")),
    st.sampled_from(["x.csv", "x.json", "x.jsonl", "x.xlsx", "x.xml", "x", "x.csv.gz"]),
)
@example(b"[" * 100_000, "x.json")
@example(b'{"a":' * 50_000, "x.jsonl")
def test_exports(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    try:
        for item in open_export([path]):
            assert isinstance(item, CaseRecord | Reject)
    except KbagentError:
        pass


@FUZZ
@given(TEXTS | JSON.map(str))
@example("[case]\nid = \"__import__('os').system('x')\"\ntitle = \"title\"")
@example("a = " + "[" * 3000)
def test_mappings(tmp_path, text):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": 1, "title": "x", "description": "y"}\n')
    mapping = tmp_path / "mapping.toml"
    mapping.write_bytes(text.encode("utf-8", "replace"))
    try:
        for item in open_export([rows], mapping=mapping):
            assert isinstance(item, CaseRecord | Reject)
    except KbagentError:
        pass


@FUZZ
@given(TEXTS)
def test_nothing_on_a_screen_acts(text):
    for shown in (visible(text), one_line(text), to_json({"x": text})):
        assert not set(shown) & {chr(code) for code in (*range(9), *range(11, 32), 127, 0x9B)}
        assert "\u202e" not in shown
    cell = csv_cell(text)
    assert not cell.lstrip(" \n").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert to_csv(["a"], [[text]]).startswith("a\n")
