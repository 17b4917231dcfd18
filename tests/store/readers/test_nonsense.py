"""Whatever bytes come in: cases, rejects or a KbagentError come out, and every date is in UTC."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kbagent.errors import KbagentError
from kbagent.model.case import CaseRecord, Reject
from kbagent.store.readers import format_names, open_export, show_mapping
from kbagent.store.readers.mapping import loaded, presets
from kbagent.store.readers.values import moment

RELAXED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = sorted(
    {
        name
        for preset in presets().values()
        for choice in preset.case.values()
        for expression in choice
        for read in expression.reads
        for name in read
    }
    | {name for preset in presets().values() for name in preset.recognition.needs}
    | {name for preset in presets().values() for name in preset.recognition.some}
    | {"tickets", "result", "title", "answers", "comment", "comments", "body", "labels", "user"}
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**14), 10**14)
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["2024-01-05", "30/Jun/25 9:54 AM", "solved", "closed", "9999-99-99", "-1", "0"]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=10) | VALUES, min_size=1, max_size=4
)


def all_of(path: Path, **options: str) -> Sequence[CaseRecord | Reject]:
    """Everything that an export gives; nothing when it is refused as a whole."""
    try:
        found = list(open_export([path], **options))  # type: ignore[arg-type]
        show_mapping([path])
    except KbagentError:
        return []
    for each in found:
        if isinstance(each, CaseRecord):
            dates = [each.opened_at, each.closed_at, *(a.at for a in each.attempts)]
            assert all(date.tzinfo is UTC for date in dates if date is not None)
            assert each.title
            assert each.external_id
            assert each.csat is None or 0 <= each.csat <= 1
            assert each.minutes is None or each.minutes >= 0
            repr(each).encode("utf-8")
            json.dumps([each.title, each.body, each.facets], ensure_ascii=False).encode("utf-8")
    return found


@RELAXED
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"{", b"[", b"id,title\n", b"\x1f\x8b", b"PK\x03\x04"]),
)
def test_bytes(tmp_path: Path, content: bytes, start: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(start + content)
    all_of(path)


@RELAXED
@given(ROWS, st.booleans(), st.sampled_from([None, *format_names()]))
def test_json(tmp_path: Path, rows: list[object], lines: bool, name: str | None) -> None:
    path = tmp_path / "x"
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps({"tickets": rows})
    path.write_text(text)
    all_of(path, **({"format": name} if name else {}))


@RELAXED
@given(ROWS, st.integers(0, 400), st.text(max_size=3), st.sampled_from([None, *format_names()]))
def test_json_with_a_mistake(
    tmp_path: Path, rows: list[object], at: int, mistake: str, name: str | None
) -> None:
    path = tmp_path / "x"
    text = json.dumps(rows)
    path.write_text(text[:at] + mistake + text[at + 1 :], encoding="utf-8")
    all_of(path, **({"format": name} if name else {}))


@RELAXED
@given(
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=8),
    st.lists(st.lists(SCALARS.map(str), max_size=9), max_size=5),
    st.sampled_from([None, *format_names()]),
    st.text(st.sampled_from('",;\n\t\r a'), max_size=6),
)
def test_tables(
    tmp_path: Path, header: list[str], rows: list[list[str]], name: str | None, tail: str
) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    path = tmp_path / "x.csv"
    path.write_text(out.getvalue() + tail, encoding="utf-8", newline="")
    all_of(path, **({"format": name} if name else {}))


@RELAXED
@given(
    st.text(max_size=60),
    st.sampled_from(["", "[case]\ntitle = ", "[case]\ntitle='a'\n[[attempts]]\ntext="]),
)
def test_mappings(text: str, start: str) -> None:
    try:
        loaded(start + text, "mapping", name="m")
    except KbagentError as error:
        assert "mapping" in str(error)


@RELAXED
@given(st.text(max_size=30) | st.integers() | st.from_regex(r"\d{1,4}[/. -]\w{1,4}[/. -]\d{1,4}"))
def test_dates(value: str | int) -> None:
    try:
        found = moment(value, day_first=True)
    except ValueError:
        return
    assert found is None or found.tzinfo is UTC


@given(st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)))  # noqa: DTZ001 (Hypothesis wants naive bounds)
def test_dates_that_ticket_systems_write(naive: datetime) -> None:
    whole = naive.replace(microsecond=0, tzinfo=UTC)
    minute = whole.replace(second=0)
    assert moment(whole.isoformat(), day_first=False) == whole
    assert moment(f"{whole:%Y-%m-%d %H:%M:%S} UTC", day_first=False) == whole
    assert moment(f"{whole:%Y-%m-%d %H:%M:%S} +0000", day_first=False) == whole
    assert moment(f"{whole:%d/%m/%Y %H:%M:%S}", day_first=True) == whole
    assert moment(f"{minute:%m/%d/%Y %I:%M %p}", day_first=False) == minute
    assert moment(f"{minute:%d.%m.%Y %H:%M}", day_first=False) == minute
    assert moment(f"{whole:%a, %d %b %Y %H:%M:%S} +0000", day_first=False) == whole
    assert moment(f"{minute:%b} {minute.day}, {minute:%Y %I:%M %p}", day_first=False) == minute


@pytest.mark.parametrize("text", ["12", "May", "10:30", "Monday", "2024", "next week", "1e9", "5"])
def test_dates_that_say_too_little_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a date"):
        moment(text, day_first=False)
