"""Terms, message form, timing, releases, and formulations within issues."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from kbagent.core.patterns.casetable import Consequent, Factor, Kind, features_from
from kbagent.core.patterns.messageform import (
    MARKERS,
    form_features,
    release_factors,
    timing_factors,
)
from kbagent.core.patterns.phrasing import formulations, way_features
from kbagent.core.patterns.terms import candidates, term_rows, terms_of


def columns(features: object) -> dict[str, list[int]]:
    return {n: features.column(j).tolist() for j, n in enumerate(features.names)}  # type: ignore[attr-defined]


def test_terms_are_words_and_pairs_without_stop_words() -> None:
    assert terms_of(["the", "smtp", "server", "is", "down"]) == {
        "smtp",
        "server",
        "smtp server",
        "down",
    }
    assert terms_of([]) == set()


def test_rare_and_ubiquitous_terms_are_left_out_and_words_shadowed_by_a_phrase_too() -> None:
    texts = [["red", "card", "blocked"]] * 3 + [["blocked", "phone"]] * 3 + [["rare"]]
    rows = term_rows(texts, least=3)
    assert "rare" not in rows
    assert "blocked" not in rows  # in six of seven cases
    assert "red" not in rows
    assert rows["red card"].tolist() == [0, 1, 2]


def test_candidates_are_typical_of_their_class_and_count_what_was_eligible() -> None:
    texts = [["invoice", "wrong"]] * 10 + [["login", "wrong"]] * 10 + [["sync", "slow"]] * 10
    classes = np.repeat([0, 1, -1], 10).astype(np.int32)
    rows = term_rows(texts, least=5)
    found = candidates(rows, classes, 2, per_class=2)
    assert found.considered == len(rows)
    assert {"“invoice wrong”", "“login wrong”"} <= set(found.features.names)
    assert not any("sync" in name for name in found.features.names)


def test_message_form_names_what_it_sees() -> None:
    messages = [
        "Where is my invoice?",
        "URGENT! I have already tried restarting. Error code 500, see attached screenshot.",
        "x" * 900,
        "",
    ]
    seen = columns(form_features(messages))
    assert seen["message asks a question"] == [0]
    assert seen["message sounds urgent"] == [1]
    assert seen["message tried things already"] == [1]
    assert seen["message mentions an attachment"] == [1]
    assert seen["message quotes an error"] == [1]
    assert seen["message is long"] == [2]
    assert seen["message is short"] == [0, 3]


def test_the_hour_is_that_of_the_time_zone() -> None:
    at = datetime(2024, 1, 5, 23, 30, tzinfo=UTC)
    hour, weekday = timing_factors(seconds(at, at + timedelta(hours=21)), ZoneInfo("Asia/Tokyo"))
    assert [hour.levels[code] for code in hour.codes] == ["06-12", "00-06"]
    assert [weekday.levels[code] for code in weekday.codes] == ["6-Sat", "7-Sun"]


def test_the_clock_is_put_forward_with_its_zone() -> None:
    winter, summer = datetime(2024, 1, 5, 5, tzinfo=UTC), datetime(2024, 7, 5, 4, tzinfo=UTC)
    hour, _ = timing_factors(seconds(winter, summer), ZoneInfo("Europe/Berlin"))
    assert [hour.levels[code] for code in hour.codes] == ["06-12", "06-12"]
    assert timing_factors(np.zeros(0, dtype=np.int64), UTC)[0].codes.size == 0


def seconds(*moments: datetime) -> np.ndarray:
    return np.array([int(at.timestamp()) for at in moments], dtype=np.int64)


def test_a_release_is_the_latest_before_the_case() -> None:
    first, second = (datetime(2024, m, 1, tzinfo=UTC) for m in (1, 6))
    opened = [first - timedelta(days=1), first + timedelta(days=6), second + timedelta(days=7)]
    release, fresh = release_factors(seconds(*opened), [("2.0", second), ("1.0", first)])
    assert release.levels == ("1.0", "2.0")
    assert release.codes.tolist() == [-1, 0, 1]
    assert [fresh.levels[c] for c in fresh.codes[1:]] == ["first week", "first month"]
    assert release_factors(seconds(*opened), []) == []


def phrased(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    issue = rng.integers(0, 25, n).astype(np.int32)
    ease = rng.normal(0, 0.3, 25)[issue]
    return issue, ease, rng.random(n), rng


def test_a_phrase_that_only_goes_with_easy_issues_is_not_told() -> None:
    issue, ease, _, rng = phrased(4000, 1)
    has = rng.random(4000) < 1 / (1 + np.exp(-6 * ease))
    csat = ease + rng.normal(0, 0.3, 4000)
    features = features_from([("“simply”", Kind.PHRASING, np.flatnonzero(has).astype(np.int32))])
    assert formulations(features, issue, [Consequent("satisfaction", values=csat)]) == []


def test_a_phrase_that_helps_within_issues_is_told_with_its_size() -> None:
    issue, ease, draw, rng = phrased(4000, 2)
    has = draw < 0.3
    csat = ease + 0.15 * has + rng.normal(0, 0.3, 4000)
    reopened = rng.random(4000) < np.where(has, 0.05, 0.15)
    features = features_from([("says why", Kind.PHRASING, np.flatnonzero(has).astype(np.int32))])
    outcomes = [
        Consequent("satisfaction", values=csat),
        Consequent.of_flags("reopened", [bool(r) for r in reopened]),
    ]
    found = {f.consequent: f for f in formulations(features, issue, outcomes)}
    # P(X + 0.15 > Y) for normals of sd 0.3 each: Φ(0.15 / 0.424) = 0.638, so delta 0.276
    assert found["satisfaction"].excess == pytest.approx(0.276, abs=0.05)
    assert found["reopened"].excess == pytest.approx(-0.10, abs=0.025)
    assert found["reopened"].issues == 25


def test_who_answered_is_seen_through() -> None:
    issue, _, _, rng = phrased(6000, 3)
    who = rng.integers(0, 5, 6000)
    has = rng.random(6000) < np.where(who == 0, 0.8, 0.1)
    csat = rng.normal(0, 0.3, 6000) + 0.3 * (who == 0)
    features = features_from([("hello there", Kind.PHRASING, np.flatnonzero(has).astype(np.int32))])
    outcome = [Consequent("satisfaction", values=csat)]
    agent = Factor.of("agent", [str(w) for w in who])
    assert len(formulations(features, issue, outcome)) == 1
    assert formulations(features, issue, outcome, [agent]) == []


def test_ways_of_answering_are_seen_in_the_text() -> None:
    seen = columns(way_features(["1. Open it\n2. Close it", "Sorry, this is due to a bug"]))
    assert seen["resolution numbers its steps"] == [0]
    assert seen["resolution apologises"] == seen["resolution says why"] == [1]


def test_the_words_of_a_marker_never_hide_what_its_pattern_finds() -> None:
    """Every alternative of every pattern, written out, in capitals too."""
    told = """urgently, ASAP, immediately, right away, critical, emergency, dringend, sofort,
    frustrating, annoyed, unacceptable, ridiculous, useless, terrible, awful, fed up, angry,
    disappointed, waste of time, sick of, again, once more, second time, third time, still not,
    still have, yet again, keep crashing, keeps failing, same problem, same error, please, thank,
    thanks, kindly, appreciated, bitte, danke, merci, attached, attachments, attaching, screenshot,
    screen shots, see the image, see log, enclosed, log file, I tried, I've already tried, tried to,
    tried everything, restarted, restarting, reinstalled, rebooted, cleared, error 5, exception: 17,
    failed with 3, code 0x8, 0x80070035, why?, no!, SEND BUTTON DEAD NOW""".split(",")  # noqa: SIM905 - reads better
    for text in (form for one in told for form in (one.strip(), one.strip().upper(), f"x {one} y")):
        for name, marker in MARKERS.items():
            found = marker.pattern.search(text) is not None
            assert marker.is_in(text, text.lower()) is found, (name, text)
    assert all(any(m.pattern.search(one) for one in told) for m in MARKERS.values())
