"""Bursts of words: one event is told once, the calendar is no event."""

import numpy as np

from kbagent.core.patterns.bursts import bursts
from kbagent.core.patterns.rises import Watch

DAYS = 160


def scene(seed: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """20 cases a day; from day 120 ten more about 'supernova', some saying 'unified folders'."""
    rng = np.random.default_rng(seed)
    days = np.sort(
        np.concatenate((np.repeat(np.arange(DAYS), 20), np.repeat(np.arange(120, DAYS), 10)))
    )
    event = np.zeros(days.size, dtype=bool)
    for day in range(120, DAYS):
        event[rng.choice(np.flatnonzero(days == day), 10, replace=False)] = True
    rows = {f"w{j}": np.flatnonzero(rng.random(days.size) < 0.05) for j in range(30)}
    rows["supernova"] = np.flatnonzero(event)
    rows["unified folders"] = np.flatnonzero(event & (rng.random(days.size) < 0.5))
    rows["december"] = np.flatnonzero(days >= 140)
    return {w: r.astype(np.int32) for w, r in rows.items()}, days, np.arange(DAYS) % 7


def test_words_of_one_event_are_told_once_and_the_calendar_not_at_all() -> None:
    found = bursts(*scene(), watch=Watch(bar=9.0))
    assert [b.words for b in found] == [("supernova", "unified folders")]
    assert 120 <= found[0].told <= 122
    assert found[0].began == 120


def test_a_word_that_rises_later_joins_by_the_words_of_the_event() -> None:
    """Its cases come after the event's alarm, so that only the word itself connects the two."""
    rows, days, weekdays = scene()
    later = rows["supernova"][days[rows["supernova"]] >= 130]
    rows["thunderbird supernova"] = later[::2].copy()
    (one,) = bursts(rows, days, weekdays, watch=Watch(bar=9.0))
    assert one.words == ("supernova", "unified folders", "thunderbird supernova")


def test_more_words_looked_at_need_more_evidence() -> None:
    rows, days, weekdays = scene()
    few = bursts(rows, days, weekdays)
    many = bursts(rows, days, weekdays, considered=10**9)
    assert few[0].told < many[0].told


def test_the_least_ratio_changes_what_is_told() -> None:
    assert bursts(*scene(), least_ratio=1e6) == []


def test_no_words_no_bursts() -> None:
    assert bursts({}, np.zeros(0, dtype=np.int64), np.arange(30) % 7) == []
