"""What a person confirmed and is not found now: whether it no longer holds, or is only hidden."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.patterns import format_patterns, patterns_json
from kbagent.core.patterns.casetable import Kind
from kbagent.core.patterns.discovery import Pattern
from kbagent.core.patterns.lifetime import Lifetime, State
from kbagent.store import decisions
from kbagent.usecases.mine.claims import Claim, kept_claim
from kbagent.usecases.mine.fates import Fate, Gone
from kbagent.usecases.mine.patterns import Asked, Patterns, patterns, say
from tests.fakes.desk import Desk, odd_words, ticket

KELPFIELD = timezone(timedelta(hours=2))
MORNING = Claim("hour=06-12", "escalated", "yes", Kind.TIMING, less=True)
KNOW = "“you will know it worked when …”"
PHARMACY = Claim("industry=Pharmacy", "escalated", "yes", Kind.COHORT, less=False)


def confirmed(kb, claim: Claim, *, zone: str = "UTC+02:00", words_only: bool = False) -> str:
    handle = claim.handle(zone)
    data = {"pattern": handle, "verdict": "confirmed", "words": claim.words, "zone": zone}
    with kb.database.write() as connection:
        more = {} if words_only else claim.data
        decisions.add(connection, "pattern", kb.clock(), data=data | more)
    return handle


def gone(found: Patterns, handle: str) -> Gone:
    (one,) = [one for one in found.gone if one.handle == handle]
    return one


@pytest.mark.parametrize("words_only", [False, True])
def test_what_is_told_with_another_one_holds(sample, words_only):
    handle = confirmed(sample, MORNING, zone="UTC", words_only=words_only)
    found = patterns(sample, Asked())
    one = gone(found, handle)
    assert (one.fate, one.under) == (Fate.FOLDED, "hour=18-24")
    assert isinstance(one.alone, Pattern)
    assert one.alone.p < 0.05
    screen = " ".join(draw(format_patterns(found), 80).split())
    assert f"{handle} hour=06-12, escalated yes, more rarely holds; it is told with 18 to" in screen
    assert not patterns(sample, Asked(zone=KELPFIELD)).gone, (
        "these hours are not those of another time zone"
    )


@pytest.mark.parametrize("words_only", [False, True])
def test_what_is_no_longer_shown_does_not_hold(sample, words_only):
    handle = confirmed(sample, PHARMACY, words_only=words_only)
    for asked in (Asked(), Asked(zone=KELPFIELD), Asked(kind=Kind.RELEASE)):
        assert gone(patterns(sample, asked), handle).fate is Fate.ENDED
    one = gone(patterns(sample, Asked()), handle)
    escalated, cases = sample.connection.execute(
        """SELECT sum(escalated), count(*) FROM cases JOIN case_facets ON case_id = cases.id
        JOIN facet_values ON facet_values.id = facet_id
        WHERE name = 'industry' AND value = 'Pharmacy' AND escalated IS NOT NULL"""
    ).fetchone()
    assert (one.alone.effect.counts.both, one.alone.effect.counts.exposed) == (escalated, cases)
    screen = " ".join(draw(format_patterns(patterns(sample, Asked())), 80).split())
    assert f"no longer holds: {escalated} of {cases}" in screen


def test_the_other_way_round_is_another_claim(sample):
    found = patterns(sample, Asked(zone=KELPFIELD))
    (evening,) = [one for one in found.told if one.pattern.consequent == "escalated"]
    other = replace(Claim.of(evening.pattern), less=True)
    handle = confirmed(sample, other)
    assert gone(patterns(sample, Asked(zone=KELPFIELD)), handle).fate is Fate.ENDED


@pytest.mark.parametrize(
    ("claim", "fate"),
    [
        (replace(PHARMACY, antecedent="industry=Astrology"), Fate.UNTESTED),
        (replace(PHARMACY, consequent="issue", level="i9999"), Fate.UNTESTED),
        (Claim("“labels”", "satisfaction", "", Kind.KEYWORD, less=False), Fate.ENDED),
        (Claim("“thursday”", "escalated", "yes", Kind.KEYWORD, less=False), Fate.UNTESTED),
        (
            Claim("resolution says why", "satisfaction", "", Kind.PHRASING, False, True),
            Fate.UNTESTED,
        ),
        (Claim(KNOW, "satisfaction", "", Kind.PHRASING, True, True), Fate.ENDED),
        (Claim("“no such reply …”", "reopened", "", Kind.PHRASING, False, True), Fate.UNTESTED),
    ],
)
def test_every_claim_has_a_fate(sample, claim, fate):
    handle = confirmed(sample, claim)
    assert gone(patterns(sample, Asked()), handle).fate is fate


def test_a_verdict_keeps_the_claim(sample):
    found = patterns(sample, Asked(zone=KELPFIELD))
    for one in found.told:
        say(sample, one.handle, "confirmed", zone=KELPFIELD)
    rows = decisions.standing(sample.connection, "pattern")
    assert [kept_claim(row.data) for row in rows] == [Claim.of(one.pattern) for one in found.told]
    old = [{k: row.data[k] for k in ("pattern", "words", "zone")} for row in rows]
    for row, one in zip(old, found.told, strict=True):  # all but the kind can be read from words
        claim = kept_claim(row)
        assert claim is not None
        assert replace(claim, kind=one.kind) == Claim.of(one.pattern)
    assert kept_claim({"pattern": "p000000", "words": "version=4.2, issue i94"}) is None
    assert all(one.said == "confirmed" for one in patterns(sample, Asked(zone=KELPFIELD)).told)


def test_an_old_verdict_that_is_given_again_keeps_the_claim(sample):
    (evening,) = [
        one
        for one in patterns(sample, Asked(zone=KELPFIELD)).told
        if one.pattern.consequent == "escalated"
    ]
    with sample.database.write() as connection:
        data = {"pattern": evening.handle, "verdict": "confirmed"}
        decisions.add(connection, "pattern", sample.clock(), data=data)
    assert gone(patterns(sample, Asked()), evening.handle).fate is Fate.UNKNOWN
    say(sample, evening.handle, "confirmed", zone=KELPFIELD)
    (*_, row) = decisions.standing(sample.connection, "pattern")
    assert kept_claim(row.data) == Claim.of(evening.pattern)
    assert patterns(sample, Asked()).gone == ()


def test_the_issue_of_what_is_gone_is_named(sample):
    (release,) = [
        one
        for one in patterns(sample, Asked()).told
        if isinstance(one.pattern, Pattern) and one.pattern.antecedent == "version=4.2"
    ]
    claim = replace(Claim.of(release.pattern), antecedent="plan=Crew")
    handle = confirmed(sample, claim)
    found = patterns(sample, Asked())
    assert gone(found, handle).fate is Fate.ENDED
    screen = " ".join(draw(format_patterns(found), 80).split())
    assert f"plan=Crew, issue {claim.level} ‘csv-decimal-42’ no longer holds" in screen


def test_what_held_for_some_months_is_told_for_then_and_since(desk: Desk):
    """Half a year a bank's cases were escalated more often, then more rarely: over all months one
    would think that they still are, so what is told are the months since, and those before."""
    escalated = {True: (12, 4), False: (1, 5)}  # of 20 a month: the bank, the others; then, since
    desk.bring(
        *(
            ticket(
                f"{month}-{n}",
                odd_words(100 * month + n),
                opened_at=f"2025-{month:02d}-{1 + n % 28:02d}T10:00:00Z",
                escalated=(7 * (n // 2) + 3 * month) % 20 < escalated[month <= 6][n % 2],
                facets={"industry": ("Bank", ("Farm", "Shop")[n % 4 > 2])[n % 2]},
            )
            for month in range(1, 13)
            for n in range(40)
        )
    )
    handle = confirmed(desk.kb, replace(PHARMACY, antecedent="industry=Bank"))
    found = patterns(desk.kb, Asked())
    one = gone(found, handle)
    assert one.fate is Fate.ENDED
    assert isinstance(one.alone, Pattern)
    assert one.alone.p <= 0.05
    assert one.alone.z > 0
    assert one.during is not None
    assert one.since is not None
    assert one.during.z > 0 > one.since.z
    screen = " ".join(draw(format_patterns(found), 80).split())
    assert "no longer holds: since 2025-07: 6 of 120 (5 %), else 30 of 120 (25 %); -20" in screen
    assert (
        "while it held, 2025-01 to 2025-06: 72 of 120 (60 %), else 24 of 120 (20 %); +40" in screen
    )
    assert "78 of 240" not in screen
    (row,) = patterns_json(found)["no_longer_found"]
    assert (row["fate"], row["months"]) == ("ended", ["2025-01", "2025-06"])
    assert [(row[key]["with"], row[key]["of"]) for key in ("while_it_held", "since_then")] == [
        (72, 120),
        (6, 120),
    ]


def test_what_cannot_be_tested_since_says_so(sample):
    handle = confirmed(sample, PHARMACY)
    found = patterns(sample, Asked())
    one = gone(found, handle)
    assert (one.during, one.since) == (None, None)
    month = 12 * 2025
    held = replace(one.alone, lifetime=Lifetime(month + 2, month + 4, State.RETIRED))
    retired = replace(found, gone=(replace(one, alone=held, during=held),))
    screen = " ".join(draw(format_patterns(retired), 80).split())
    assert "since 2025-06: too few cases for any test; while it held, 2025-03 to 2025-05:" in screen


def test_with_few_cases_nothing_can_be_tested(desk: Desk):
    desk.bring(ticket("1", "printer hangs"))
    handle = confirmed(desk.kb, PHARMACY)
    assert gone(patterns(desk.kb, Asked()), handle).fate is Fate.UNTESTED


def test_a_pattern_of_too_few_cases_is_rare(desk: Desk):
    """Eight cases of a bank, all escalated: by themselves beyond doubt, and too few to be told."""
    desk.bring(
        *(
            ticket(
                str(i),
                f"question {i}",
                opened_at=f"2026-01-{1 + i % 28:02d}T10:00:00Z",
                escalated=i < 8 or i % 10 == 0,
                facets={"industry": "Bank" if i < 8 else ("Farm", "Shop")[i % 2]},
            )
            for i in range(120)
        )
    )
    claim = replace(PHARMACY, antecedent="industry=Bank")
    handle = confirmed(desk.kb, claim)
    one = gone(patterns(desk.kb, Asked()), handle)
    assert one.fate is Fate.RARE
    assert one.alone.effect.counts.both == 8
