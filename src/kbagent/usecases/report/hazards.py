"""Hazards to what is known: one person on whom it depends, fixes that stopped, old versions.

Reads the ledger and changes nothing; what to do about a hazard is for people (`review`).
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from kbagent.core.learning.change import last_break, pooled_break
from kbagent.core.learning.facets import VERSION_NAMES
from kbagent.core.linking.families import families
from kbagent.core.retrieval.versions import has_number, version_key
from kbagent.model.case import Verdict
from kbagent.model.evidence import Break
from kbagent.model.outcome import REWARD, Trial
from kbagent.store import columns, models, policies, resolutions
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.moments import known
from kbagent.usecases.mine.columns import Columns
from kbagent.usecases.report.rewordings import Wordings
from kbagent.usecases.retain.relatives import problems_of
from kbagent.usecases.retrieve.details import issue_titles
from kbagent.usecases.revise.confirming import confirmations

FEWEST_SOLVED = 3
"""Cases of an issue that one person alone solved, to be called at risk."""
SURELY = 0.9
"""Share of an account's cases that must give it one name for the name to be told."""
FEWEST_TRIED = 8
"""Outcomes of a fix below which a change could not be told."""
FEWEST_NEWER = 2
"""Cases on newer versions than any on which a fix worked, before that is worth a question."""


@dataclass(frozen=True, slots=True)
class AtRisk:
    """A problem that one person alone solved, on so many cases; most often with `resolution_id`.

    Nobody else vouches for a fix of it either, nor has used one elsewhere. Of several issues that
    are one problem `issue_id` is the one with the most solved cases.
    """

    issue_id: int
    title: str
    person: str
    solved: int
    resolution_id: int


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """An issue that is met on newer versions than any on which a fix of it is known to work.

    `resolution_id` worked most often (`worked` times), last on version `last`; `newer` cases came
    on later versions, up to `newest`.
    """

    issue_id: int
    title: str
    resolution_id: int
    worked: int
    last: str
    newer: int
    newest: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A fix that stopped working on an issue.

    `issues` are all on which it was watched together, when no issue alone has enough outcomes to
    tell: then `broke` counts over them, and `issue_id` is the one on which it failed most.
    """

    issue_id: int
    title: str
    resolution_id: int
    text: str
    broke: Break
    issues: tuple[int, ...] = ()


def stated_versions(connection: sqlite3.Connection) -> dict[int, str]:
    """The version that a case states; the latest where it states several."""
    stated: dict[int, str] = {}
    for name, _ in columns.facet_names(connection):
        if name.casefold() in VERSION_NAMES:
            for case_id, value in columns.facet_column(connection, name):
                if has_number(value):
                    stated[case_id] = max(value, stated.get(case_id, value), key=version_key)
    return stated


def at_risk(kb: KnowledgeBase, found: Columns) -> tuple[AtRisk, ...]:
    """Problems solved by one person only; outcomes without a name make no claim.

    Issues that are nearly one are one problem, as are those on which nearly the same fix worked:
    whoever used that fix on any of them knows it. A problem for which somebody else vouches is no
    longer at risk.
    """
    rows = list(_worked(kb, found))
    names = _names(kb, {by for *_, by in rows if by})
    people: defaultdict[int, set[str]] = defaultdict(set)
    solved: defaultdict[int, set[int]] = defaultdict(set)
    used: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for issue, case_id, approach, by in rows:
        people[issue].add(names.get(by or "", by or ""))
        solved[issue].add(case_id)
        used[issue][approach] += 1
    for issue, vouched in confirmations(kb.connection).items():
        people[issue].update(one.by for one in vouched if one.by)
    alone = sorted(i for i in used if len(people[i]) == 1 and "" not in people[i])
    many = [issue for issue in alone if len(solved[issue]) >= FEWEST_SOLVED]
    kin = _kin(kb, found, used, many)
    theirs = {i for i in many if all(people[other] == people[i] for other in kin[i])}
    made = []
    for group in _together(many, kin):
        if theirs.issuperset(group):
            whole = frozenset[int]().union(*(kin[issue] for issue in group))
            cases = frozenset[int]().union(*(solved[issue] for issue in whole))
            head = min(group, key=lambda issue: (-len(solved[issue]), issue))
            (person,) = people[head]
            made.append(AtRisk(head, "", person, len(cases), _most_used(used[head])))
    titles = issue_titles(kb, sorted(one.issue_id for one in made))
    told = (replace(one, title=titles.get(one.issue_id, "")) for one in made)
    return tuple(sorted(told, key=lambda one: (-one.solved, one.issue_id)))


def _kin(
    kb: KnowledgeBase, found: Columns, used: Mapping[int, Counter[int]], asked: Sequence[int]
) -> dict[int, set[int]]:
    """For each issue asked the solved ones that are nearly one with it, or share its fix."""
    model = models.active(kb.connection)
    kin = {issue: {issue} for issue in asked}
    if model is None or not kin:
        return kin
    of_case = problems_of(kb.connection, model.id, found.case_ids, found.issue)
    problem = dict(zip(found.issue.tolist(), of_case.tolist(), strict=True))
    pieces: defaultdict[int, set[int]] = defaultdict(set)
    solved_with: defaultdict[int, set[int]] = defaultdict(set)
    for issue, fixes in used.items():
        pieces[problem[issue]].add(issue)
        for fix in fixes:
            solved_with[fix].add(issue)
    wanted = {fix for issue in kin for fix in used[issue]}
    alike = Wordings(kb.connection, model.id).alike(wanted, solved_with)
    for issue in kin:
        same = frozenset[int]().union(*(alike[fix] for fix in used[issue]))
        kin[issue] = pieces[problem[issue]].union(*(solved_with[fix] for fix in same))
    return kin


def _together(issues: Sequence[int], kin: Mapping[int, Set[int]]) -> list[list[int]]:
    """The issues in groups that are one problem each."""
    place = {issue: i for i, issue in enumerate(issues)}
    pairs = [(place[one], place[two]) for one in issues for two in kin[one] if two in place]
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for issue, group in zip(issues, families(len(issues), pairs).tolist(), strict=True):
        groups[group].append(issue)
    return list(groups.values())


def _names(kb: KnowledgeBase, accounts: Set[str]) -> dict[str, str]:
    """The names of people whom the outcomes name by an account number only, as cases tell them."""
    told: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for account, name, count in columns.names_beside(kb.connection, sorted(accounts)):
        told[account][name] += count
    found = {}
    for account, counts in told.items():
        name, most = counts.most_common(1)[0]
        if most >= SURELY * counts.total():
            found[account] = name
    return found


def unconfirmed(
    kb: KnowledgeBase, found: Columns, *, since: str | None = None
) -> tuple[Unconfirmed, ...]:
    """Issues of which no fix is known to work on the versions on which they are met now.

    With `since` a version: those of which no fix worked on it or a later one, though cases came
    on it. Most newer cases first. Cases and outcomes without a version make no claim.
    """
    version = stated_versions(kb.connection)
    seen: defaultdict[int, list[str]] = defaultdict(list)
    for case_id, issue in zip(found.case_ids.tolist(), found.issue.tolist(), strict=True):
        if issue >= 0 and case_id in version:
            seen[issue].append(version[case_id])
    worked: defaultdict[int, list[str]] = defaultdict(list)
    used: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for issue, case_id, approach, _ in _worked(kb, found):
        used[issue][approach] += 1
        if case_id in version:
            worked[issue].append(version[case_id])
    for issue, vouched in confirmations(kb.connection).items():
        worked[issue].extend(str(one.data["version"]) for one in vouched if "version" in one.data)
    made = [
        (issue, last, newer)
        for issue, of_issue in worked.items()
        if issue in seen and used[issue]
        for last in [max(of_issue, key=version_key)]
        for newer in [_newer(seen[issue], last, since)]
        if len(newer) >= (1 if since else FEWEST_NEWER)
    ]
    titles = issue_titles(kb, sorted(issue for issue, _, _ in made))
    every = [
        Unconfirmed(
            issue,
            titles.get(issue, ""),
            head,
            used[issue][head],
            last,
            len(newer),
            max(newer, key=version_key),
        )
        for issue, last, newer in made
        for head in [_most_used(used[issue])]
    ]
    return tuple(sorted(every, key=lambda one: (-one.newer, -one.worked, one.issue_id)))


def _newer(seen: list[str], last: str, since: str | None) -> list[str]:
    """The versions seen after the last one that worked; none when that is not before `since`."""
    if since is not None and version_key(last) >= version_key(since):
        return []
    limit = version_key(last)
    from_ = version_key(since) if since is not None else limit
    return [one for one in seen if version_key(one) > limit and version_key(one) >= from_]


def _worked(kb: KnowledgeBase, found: Columns) -> Iterator[tuple[int, int, int, str | None]]:
    """(issue, case, approach, by) of each outcome `worked` on a case that is in an issue."""
    rows = list(columns.worked(kb.connection))
    places = found.places(np.array([row[0] for row in rows], dtype=np.int64))
    for place, (case_id, approach, _, by) in zip(places.tolist(), rows, strict=True):
        if place >= 0 and found.issue[place] >= 0:
            yield int(found.issue[place]), case_id, approach, by


def _most_used(counts: "Counter[int]") -> int:
    return min(counts, key=lambda one: (-counts[one], one))


def stopped(
    kb: KnowledgeBase,
    found: Columns,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[Stopped, ...]:
    """Fixes whose outcomes fell within the period, the latest first."""
    rows = list(columns.outcomes(kb.connection))
    places = found.places(np.array([row[1] for row in rows], dtype=np.int64))
    cells: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    total = 0.0
    for i, (place, row) in enumerate(zip(places.tolist(), rows, strict=True)):
        total += REWARD[Verdict(row[3])]
        if place >= 0 and found.issue[place] >= 0:
            cells[int(found.issue[place]), row[2]].append(i)
    mean = total / max(len(rows), 1)
    strength = policies.live(kb.connection).parameters.prior_strength
    told = [
        _Told(issue, approach, broke)
        for (issue, approach), own in sorted(cells.items())
        if len(own) > FEWEST_TRIED
        for broke in [last_break([_trial(issue, rows[i]) for i in own], mean, strength)[1]]
        if broke is not None
    ]
    alone = {one.resolution_id for one in told}
    trials: defaultdict[int, list[Trial]] = defaultdict(list)
    for (issue, approach), own in cells.items():
        if approach not in alone:
            trials[approach] += [_trial(issue, rows[i]) for i in own]
    for approach in sorted(trials):
        if len(trials[approach]) > FEWEST_TRIED:
            told += _broken_together(approach, trials[approach], mean, strength)
    broken = [
        one
        for one in told
        if (since is None or one.broke.at >= since) and (until is None or one.broke.at < until)
    ]
    titles = issue_titles(kb, sorted({one.issue_id for one in broken}))
    texts = resolutions.by_ids(kb.connection, {one.resolution_id for one in broken})
    made = [
        Stopped(
            one.issue_id,
            titles.get(one.issue_id, ""),
            one.resolution_id,
            texts[one.resolution_id].text,
            one.broke,
            one.issues,
        )
        for one in broken
    ]
    return tuple(sorted(made, key=lambda one: (-one.broke.at.timestamp(), one.issue_id)))


@dataclass(frozen=True, slots=True)
class _Told:
    """A change that was noticed, on one issue or on several together."""

    issue_id: int
    resolution_id: int
    broke: Break
    issues: tuple[int, ...] = ()


def _broken_together(
    approach: int, trials: list[Trial], mean: float, strength: float
) -> Iterator[_Told]:
    """The change of a fix over all issues on which it had worked, when there are several."""
    trials.sort(key=lambda one: (one.at, one.id))
    since, broke = pooled_break(trials, mean, strength)
    failed = Counter(one.issue_id for one in since if one.reward < 1.0)
    if broke is not None and len({one.issue_id for one in trials}) > 1:
        yield _Told(_most_used(failed), approach, broke, tuple(sorted(failed)))


def _trial(issue: int, row: tuple[int, int, int, str, str]) -> Trial:
    return Trial(
        issue_id=issue,
        resolution_id=row[2],
        reward=REWARD[Verdict(row[3])],
        at=known(row[4]),
        id=row[0],
    )
