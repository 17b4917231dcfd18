"""Proposed links: cases that are only just in their issue, and issues that are nearly one.

The newest cases are asked again where their neighbours would place them
(`retain.relatives`). Cases that people or exports linked are left alone, and so is every
pair that somebody said is not the same. A link of an export that waits for a case which is stored
under another source is proposed too.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kbagent.core.linking.assignment import METHOD
from kbagent.core.linking.nearmisses import FEWEST_CASES, Home, NearJoin, near_joins
from kbagent.store import issues, models
from kbagent.store.issues import Membership
from kbagent.usecases.retain import relatives
from kbagent.usecases.retain.relatives import Rows
from kbagent.usecases.retain.thresholds import link_threshold
from kbagent.usecases.review.ground import Ground
from kbagent.usecases.review.items import (
    Answer,
    Choice,
    Item,
    JoinCases,
    KeepPlace,
    Kind,
    LinkLesson,
    PartCases,
    state_of,
)

MOST_ASKED = 1_500  # cases, the newest: two seconds among 30,000
ONLY_JUST = 0.03  # confidence above the bar below which a placement is put before people
JOINS_BETWEEN = 4  # near joins between two cases that are only just in their issue
ALIKE = 0.5  # cosine from which a waiting link may mean the case of another source


def items(ground: Ground) -> Iterator[Item]:
    """Waiting links first, then near joins, and after every fourth a case only just in its issue.

    The surest near joins and the least sure placements come first.
    """
    rows = rows_of(ground)
    if rows is None:
        return
    yield from _waiting(ground, rows)
    if len(rows.ids) < FEWEST_CASES:
        return
    found = relatives.homes_of(rows, MOST_ASKED)
    against = relatives.told_apart(ground.connection)
    joins = [
        _near_join(ground, rows, pair)
        for pair in near_joins(found, rows.issues)
        if frozenset((pair.low, pair.high)) not in against
    ]
    placed = sorted(_only_just(ground, rows, found), key=lambda one: (-one.weight, one.key))
    for rank, item in enumerate(joins):
        yield replace(item, weight=-float(rank + rank // JOINS_BETWEEN))
    for rank, item in enumerate(placed):
        yield replace(item, weight=-float(rank * (JOINS_BETWEEN + 1) + JOINS_BETWEEN))


def rows_of(ground: Ground) -> Rows | None:
    """Every case with a vector and an issue, in order of opening; None without any."""
    model = models.active(ground.connection)
    placed = ground.columns.issue >= 0
    ids, owner = ground.columns.case_ids[placed], ground.columns.issue[placed]
    if model is None or not len(ids):
        return None
    pairs = list(zip(ids.tolist(), owner.tolist(), strict=True))
    return relatives.rows_of(ground.connection, model.id, pairs)


def _near_join(ground: Ground, rows: Rows, pair: NearJoin) -> Item:
    one, other = int(rows.ids[pair.case]), int(rows.ids[pair.nearest])
    low, high = f"i{pair.low}", f"i{pair.high}"
    first = ground.case(one, f"in i{rows.issues[pair.case]}")
    second = ground.case(other, f"in i{rows.issues[pair.nearest]}")
    own, else_ = (low, high) if rows.issues[pair.case] == pair.low else (high, low)
    asked = f"its neighbours the case of {own}"
    if pair.asked > 1:
        asked = f"their neighbours {pair.asked} cases of {own}"
    return Item(
        key=f"link:{low}:{high}",
        kind=Kind.LINK,
        question=f"Are {low} and {high} one problem?",
        sides=(ground.issue(pair.low), ground.issue(pair.high), first, second),
        evidence=(
            f"by {asked} would belong to {else_}, sure {pair.confidence:.2f}",
            f"the two nearest cases, shown here, are alike by {pair.cosine:.2f}",
        ),
        accept=Choice(
            Answer.ACCEPT,
            "one",
            f"all cases of {high} belong to {low}; evidence is added up",
            JoinCases(one, other),
            LinkLesson(pair.confidence, right=True),
        ),
        reject=Choice(
            Answer.REJECT,
            "two",
            "they stay two, and likeness never joins these two cases",
            PartCases(one, other),
            LinkLesson(pair.confidence, right=False),
        ),
        state=state_of(pair.low, pair.high),
        weight=pair.confidence,
        issues=(pair.low, pair.high),
    )


def _only_just(ground: Ground, rows: Rows, found: Sequence[Home]) -> Iterator[Item]:
    bar = link_threshold(ground.kb).confidence
    near = [home for home in found if 0.0 < home.own < bar + ONLY_JUST and home.sibling >= 0]
    placed = issues.memberships(ground.connection, [int(rows.ids[home.row]) for home in near])
    for home in near:
        membership = placed.get(int(rows.ids[home.row]))
        if membership and membership.kind == "assigned" and membership.method == METHOD:
            yield _placement(ground, rows, home, membership, bar)


def _placement(ground: Ground, rows: Rows, home: Home, membership: Membership, bar: float) -> Item:
    case, sibling = int(rows.ids[home.row]), int(rows.ids[home.sibling])
    side, issue = ground.case(case), f"i{membership.issue_id}"
    return Item(
        key=f"link:c{case}:{issue}",
        kind=Kind.LINK,
        question=f"Is {side.handle} the same problem as {issue}?",
        sides=(side, ground.issue(membership.issue_id), ground.case(sibling, f"in {issue}")),
        evidence=(
            f"it is there by likeness alone: sure {home.own:.2f}; cases join from {bar:.2f} on",
            f"likeness to the nearest case of {issue}, shown here: {home.likeness:.2f}",
        ),
        accept=Choice(
            Answer.ACCEPT,
            "the same",
            f"{side.handle} stays in {issue} for good",
            KeepPlace(case, membership.issue_id),
            LinkLesson(home.own, right=True),
        ),
        reject=Choice(
            Answer.REJECT,
            "another",
            f"{side.handle} gets an issue of its own, and its likeness does not bring it back",
            PartCases(sibling, case),
            LinkLesson(home.own, right=False),
        ),
        state=state_of(case, membership.issue_id),
        weight=1.0 - home.own,
        issues=(membership.issue_id,),
    )


def _waiting(ground: Ground, rows: Rows) -> Iterator[Item]:
    """Links of exports to a case that is there under one other source only, and is alike."""
    said = ground.connection.execute(
        """SELECT pending_links.case_id, pending_links.source, pending_links.external_id,
            cases.id FROM pending_links JOIN cases
            ON cases.external_id = pending_links.external_id AND cases.withdrawn_at IS NULL
            AND cases.id != pending_links.case_id
        WHERE kind IN ('duplicate', 'same_issue')
        ORDER BY pending_links.case_id, cases.id"""
    ).fetchall()
    meant: defaultdict[tuple[int, str, str], list[int]] = defaultdict(list)
    for case, source, external_id, other in said:
        meant[case, source, external_id].append(other)
    row_of = {int(one): row for row, one in enumerate(rows.ids)}
    for (case, source, external_id), others in meant.items():
        if len(others) != 1 or case not in row_of or others[0] not in row_of:
            continue
        one, other = row_of[case], row_of[others[0]]
        cosine = float(rows.vectors[one] @ rows.vectors[other])
        if rows.issues[one] != rows.issues[other] and cosine >= ALIKE:
            named = f"{source}:{external_id}"
            yield _awaited(ground, (case, others[0]), (one, other), rows, named, cosine)


def _awaited(
    ground: Ground,
    pair: tuple[int, int],
    places: tuple[int, int],
    rows: Rows,
    named: str,
    cosine: float,
) -> Item:
    first, second = ground.case(pair[0]), ground.case(pair[1])
    homes_of = tuple(int(rows.issues[place]) for place in places)
    return Item(
        key=f"link:c{pair[0]}:c{pair[1]}",
        kind=Kind.LINK,
        question=f"Does {first.handle} mean {second.handle} by '{named}'?",
        sides=(first, second),
        evidence=(
            f"the export says that {first.handle} is the same as {named}, which is not stored",
            f"{second.handle} has the same number; the two are alike by {cosine:.2f}",
        ),
        accept=Choice(
            Answer.ACCEPT, "it does", "the two cases and their issues are one", JoinCases(*pair)
        ),
        reject=Choice(Answer.REJECT, "no", "nothing changes; the link waits for its own case"),
        state=state_of(*pair),
        weight=cosine,
        issues=homes_of,
    )
