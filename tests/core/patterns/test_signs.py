"""Signs: a ticket shows the antecedents by which its like would be counted as a case."""

from datetime import UTC, datetime

import numpy as np
import pytest

from kbagent.core.patterns.casetable import Factor, Kind, features_of, joined
from kbagent.core.patterns.messageform import form_features, release_factors, timing_factors
from kbagent.core.patterns.signs import is_of_moment, shown_in
from kbagent.core.patterns.terms import candidates, term_rows, words

NOW = datetime(2026, 3, 3, 20, 30, tzinfo=UTC)  # a Tuesday
TEXTS = [
    "The label printer STOPS again! Error 0x80070035, please help: version 4.2.1 on mac",
    "Could you tell me how to export invoices?",
    "sync",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_shows_exactly_what_a_case_with_it_would_be_counted_by(text):
    """The rules of the case table on one case, and on one ticket, are the same."""
    rows = term_rows([words(one) for one in TEXTS], 1)
    terms = candidates(rows, np.zeros(0, np.int32), 0).features
    seconds = np.full(len(TEXTS), int(NOW.timestamp()))
    moments = [*timing_factors(seconds, UTC), *release_factors(seconds, RELEASES)]
    every = joined(joined(form_features(TEXTS), terms), features_of(moments))
    place = TEXTS.index(text)
    counted = {name for j, name in enumerate(every.names) if place in every.column(j)}
    assert shown_in(every.names, text, (), NOW, UTC, RELEASES) == counted


RELEASES = [("4.2", datetime(2026, 3, 1, tzinfo=UTC)), ("4.1", datetime(2026, 1, 1, tzinfo=UTC))]


def test_a_facet_that_is_given_counts_whatever_the_text_says():
    known = ("version=4.2", "version=4.3", "os=mac", "plan=Free")
    given = [("Version", "4.3"), ("plan", " free "), ("plan", "trial")]
    shown = shown_in(known, "on 4.2 it worked", given, NOW, UTC, ())
    assert shown == {"version=4.3", "plan=Free"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("broken in 4.2.", True),
        ("broken in v4.2", True),
        ("broken in rv4.2", False),
        ("broken in 4.2.1", False),
        ("broken in 14.2", False),
        ("broken in 1.4.2", False),
        ("(4.2)", True),
    ],
)
def test_a_version_in_the_text_is_read_as_a_whole(text, shown):
    assert bool(shown_in(["version=4.2"], text, (), NOW, UTC, ())) is shown


@pytest.mark.parametrize(
    ("antecedent", "text"),
    [
        ("plan=free", "feel free to call"),
        ("lane=2", "page 2 jams"),
        ("tray=10-20", "pages 10-20 jam"),
        ("hour=00-06", "shelves 00-06 are wrong"),
        ("weekday=5-Fri", "on 5-fri"),
        ("release=9.9", "since 9.9"),
    ],
)
def test_what_can_be_mistaken_is_not_read_into_a_text(antecedent, text):
    assert not shown_in([antecedent], text, (), NOW, UTC, ())


@pytest.mark.parametrize("told", ["4.2", "v4.2", " V4.2 "])
@pytest.mark.parametrize("stored", ["4.2", "v4.2"])
def test_a_version_is_one_however_it_is_spelt(stored, told):
    assert shown_in([f"version={stored}"], "x", [("version", told)], NOW, UTC, ())


def test_before_the_first_release_no_release_is_shown():
    later = [("9", datetime(2027, 1, 1, tzinfo=UTC))]
    assert not shown_in(["release=9", "since release=first week"], "x", (), NOW, UTC, later)


def test_what_is_of_the_moment_is_known_by_its_name():
    factors = [*timing_factors(np.array([0]), UTC), *release_factors(np.array([0]), RELEASES)]
    assert all(is_of_moment(f"{one.name}={level}") for one in factors for level in one.levels)
    assert not is_of_moment(features_of([Factor.of("os", ["a"], Kind.COHORT)]).names[0])
    assert not is_of_moment("“hour”")
