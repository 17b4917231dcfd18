"""A verdict on a part of the cases is one on that part, and is told with its conditions."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.patterns import format_patterns, patterns_json
from kbagent.core.patterns.casetable import Kind
from kbagent.core.retrieval.filters import parse_filter
from kbagent.errors import UnknownHandle
from kbagent.model.lookup import Request
from kbagent.store import decisions
from kbagent.usecases.mine.claims import Claim
from kbagent.usecases.mine.fates import Fate
from kbagent.usecases.mine.patterns import Asked, Patterns, Told, patterns, say
from kbagent.usecases.mine.verdicts import Conditions, verdicts_of

KELPFIELD = timezone(timedelta(hours=2))
SINCE = datetime(2025, 3, 1, tzinfo=UTC)


def part(*where: str, since: datetime | None = SINCE) -> Request:
    return Request("", filters=tuple(parse_filter(one) for one in where), since=since)


HERE = part("industry!=Pharmacy")


def evening(found: Patterns) -> Told:
    (one,) = [one for one in found.told if one.pattern.consequent == "escalated"]
    return one


def look(kb, request: Request | None = None) -> Patterns:
    return patterns(kb, Asked(request or Request(""), zone=KELPFIELD))


def test_what_is_confirmed_of_a_part_is_told_with_it(sample):
    handle = evening(look(sample, HERE)).handle
    say(sample, handle, "confirmed", zone=KELPFIELD, request=HERE)
    (row,) = decisions.standing(sample.connection, "pattern")
    assert (row.data["where"], row.data["since"]) == (["industry!=Pharmacy"], "2025-03-01")
    told = "(confirmed on cases where industry!=Pharmacy since 2025-03-01)"
    same = part("Industry!=pharmacy")  # in whatever letter case
    for request in (HERE, same, None):
        found = look(sample, request)
        assert evening(found).said == "confirmed"
        assert told in " ".join(draw(format_patterns(found), 80).split())
        (json,) = [one for one in patterns_json(found)["patterns"] if one["id"] == handle]
        assert json["said_under"] == {"where": ["industry!=Pharmacy"], "since": "2025-03-01"}
    say(sample, handle, "confirmed", zone=KELPFIELD)
    assert not evening(look(sample)).under


@pytest.mark.parametrize("verdict", ["rejected", "muted"])
def test_what_is_hidden_of_a_part_is_hidden_there_only(sample, verdict):
    handle = evening(look(sample, HERE)).handle
    say(sample, handle, verdict, zone=KELPFIELD, request=HERE)
    with pytest.raises(ValueError, match="not enough values"):
        evening(look(sample, HERE))
    assert evening(look(sample)).said == ""
    assert evening(look(sample, part("industry!=Pharmacy", since=None))).said == ""
    say(sample, handle, verdict, zone=KELPFIELD)
    with pytest.raises(ValueError, match="not enough values"):
        evening(look(sample, part("industry!=Pharmacy", since=None)))


def test_a_pattern_of_a_part_can_be_confirmed_only_with_it(sample):
    seen = {one.handle for one in look(sample).told}
    narrow = Request("", filters=(parse_filter("version!=4.2"),))
    own = next(one for one in look(sample, narrow).told if one.handle not in seen)
    with pytest.raises(UnknownHandle):
        say(sample, own.handle, "confirmed", zone=KELPFIELD)
    say(sample, own.handle, "confirmed", zone=KELPFIELD, request=narrow)
    found = look(sample)
    assert [one.handle for one in found.elsewhere] == [own.handle]
    assert own.handle not in {one.handle for one in found.gone}
    screen = " ".join(draw(format_patterns(found), 80).split())
    assert f"tested when that is asked for: {own.handle} --where 'version!=4.2'" in screen


def test_what_was_confirmed_of_a_part_and_is_gone_is_said_there(sample):
    claim = Claim("plan=Crew", "escalated", "yes", Kind.COHORT, less=False)
    handle = claim.handle("UTC")
    data = {"pattern": handle, "verdict": "confirmed", "words": claim.words, "zone": "UTC"}
    data |= claim.data | {"where": ["industry!=Pharmacy"], "since": "2025-03-01"}
    with sample.database.write() as connection:
        decisions.add(connection, "pattern", sample.clock(), data=data)
    (one,) = look(sample, HERE).gone
    assert (one.handle, one.fate) == (handle, Fate.ENDED)
    assert look(sample).gone == ()
    assert look(sample, part(since=None)).gone == ()


def test_the_latest_verdict_of_each_part_counts(sample):
    here, everywhere = Conditions(("a=1", "b=2")), Conditions()
    with sample.database.write() as connection:
        for verdict, where in (("muted", []), ("confirmed", ["b=2", "a=1"]), ("rejected", [])):
            data = {"pattern": "p1", "verdict": verdict, "words": "", "where": where}
            decisions.add(connection, "pattern", sample.clock(), data=data)
    said = verdicts_of(sample.connection)
    assert said.on("p1", here).verdict == "confirmed"
    assert said.on("p1", everywhere).verdict == "rejected"
    assert said.on("p1", Conditions(since="2025-01-01")).verdict == "rejected"
    assert said.on("p2", here) is None
    assert [one.handle for one in said.confirmed(here)] == ["p1"]
    assert said.confirmed(everywhere) == []
    assert said.on_all_cases() == {"p1": "rejected"}


def test_a_part_that_is_no_condition_proves_nothing_gone(sample):
    claim = Claim("plan=Crew", "escalated", "yes", Kind.COHORT, less=False)
    with sample.database.write() as connection:
        data = {"pattern": claim.handle("UTC"), "verdict": "confirmed", "words": claim.words}
        decisions.add(connection, "pattern", sample.clock(), data=data | claim.data)
    assert len(look(sample).gone) == 1
    assert look(sample, Request("", until=SINCE)).gone == ()
