"""Applying a policy file: the fewest decisions that make what stands what was written.

Rules that stay keep their author and day. Every applied version is kept with its author and time,
as rules, not as text: titles of cases may not outlive a purge. What single commands changed since
the version before is kept as a version of its own, so that no state is lost and undoing is applying
an earlier version.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kbagent.errors import UnknownHandle, UsageError
from kbagent.store import decisions
from kbagent.store.decisions import Decision
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.learn.confidence import Prospect, keep_prospect
from kbagent.usecases.revise import rules as commands
from kbagent.usecases.revise.charter.document import (
    Charter,
    Rule,
    charter_of,
    settled,
    standing_rules,
)

VERSION = "policy file"  # the kind of the decision that keeps a version
BY_COMMANDS = "single commands"  # how a version came about that no file was applied for


@dataclass(frozen=True, slots=True)
class Amendment:
    """What a charter changes: decisions taken back, rules added, and the promise, if that does."""

    wanted: Charter
    undone: tuple[Decision, ...]
    lifted: tuple[Rule, ...]
    added: tuple[Rule, ...]
    promise: bool

    @property
    def changes(self) -> bool:
        """Whether anything is different."""
        return bool(self.undone or self.added or self.promise)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the policy file that was in force."""

    number: int
    at: datetime
    by: str | None
    source: str
    charter: Charter
    added: int
    lifted: int


def amendment_to(kb: KnowledgeBase, wanted: Charter) -> Amendment:
    """What applying a charter would do."""
    standing = standing_rules(kb)
    before = charter_of(kb)
    kept = set(before.rules) & set(wanted.rules)
    kept -= _pins_out_of_place(before.rules, wanted.rules)
    slots = {rule.slot for rule in kept}
    return Amendment(
        wanted=wanted,
        undone=tuple(one for one, rule in standing if rule.slot not in slots),
        lifted=tuple(rule for rule in before.rules if rule not in kept),
        added=tuple(rule for rule in wanted.rules if rule not in kept),
        promise=before.promise != wanted.promise,
    )


def apply(
    kb: KnowledgeBase,
    amendment: Amendment,
    *,
    base: Charter,
    prospect: Prospect | None = None,
    by: str | None = None,
    source: str = "file",
) -> Version | None:
    """Make it so, in one transaction; the new version, None when nothing is different.

    `base` is the charter that was edited, `prospect` what the confidence becomes where the promise
    changed.

    Raises:
        UsageError: somebody changed the rules since.
    """
    if not amendment.changes:
        return None
    with kb.database.write() as connection:
        if charter_of(kb) != base:
            raise UsageError(
                what="Somebody changed the rules meanwhile; nothing was applied. Look at"
                " `kbagent policy file`, then apply yours again."
            )
        now = kb.clock()
        last = next(iter(versions(kb, limit=1)), None)
        if last is None or last.charter != base:
            _keep_version(kb, base, now, None, BY_COMMANDS, (0, 0))
        for one in amendment.undone:
            decisions.add(connection, f"undo {one.kind}", now, by=by, undoes=one.id)
        for rule in amendment.added:
            decisions.add(
                connection,
                rule.kind,
                now,
                by=by,
                issue_id=rule.issue_id,
                resolution_id=rule.resolution_id,
                data=_as_json(rule.data),
            )
        if amendment.promise and prospect is not None:
            keep_prospect(kb, prospect)
        changed = len(amendment.added), len(amendment.lifted)
        return _keep_version(kb, charter_of(kb), now, by, source, changed)


def versions(kb: KnowledgeBase, *, limit: int = 1_000_000) -> list[Version]:
    """Every version that was in force, newest first."""
    return [_version(one) for one in decisions.latest(kb.connection, limit, VERSION)]


def version(kb: KnowledgeBase, number: int) -> Version:
    """One version of the policy file.

    Raises:
        UnknownHandle: there was none with this number.
    """
    found = next((one for one in versions(kb) if one.number == number), None)
    if found is None:
        hint = "`kbagent policy history` names the versions of the policy file."
        raise UnknownHandle(handle=f"version {number}", hint=hint)
    return found


def as_decisions(
    kb: KnowledgeBase, amendment: Amendment, standing: Iterable[Decision]
) -> list[Decision]:
    """The decisions that would stand, for a look ahead; new ones get ids that no other has."""
    gone = {one.id for one in amendment.undone}
    kept = [one for one in standing if one.id not in gone]
    new = [
        Decision(
            -number, kb.clock(), None, rule.kind, rule.issue_id, rule.resolution_id,
            _as_json(rule.data), None,
        )
        for number, rule in enumerate(amendment.added, start=1)
    ]  # fmt: skip
    return [*kept, *new]


def _pins_out_of_place(before: Sequence[Rule], wanted: Sequence[Rule]) -> set[Rule]:
    """Pins that stay but change places: the order in which pins were made is their order."""
    moved: set[Rule] = set()
    orders = [_pins_by_issue(before), _pins_by_issue(wanted)]
    for issue_id in set(orders[0]) & set(orders[1]):
        was, becomes = orders[0][issue_id], orders[1][issue_id]
        left = [one for one in was if one in becomes]
        place = 0
        while place < len(left) and left[place] == becomes[place]:
            place += 1
        moved.update(left[place:])
    return moved


def _pins_by_issue(rules: Sequence[Rule]) -> dict[int | None, list[Rule]]:
    found: dict[int | None, list[Rule]] = defaultdict(list)
    for one in rules:
        if one.kind == commands.PIN:
            found[one.issue_id].append(one)
    return found


def _keep_version(
    kb: KnowledgeBase,
    charter: Charter,
    now: datetime,
    by: str | None,
    source: str,
    changed: tuple[int, int],
) -> Version:
    last = next(iter(versions(kb, limit=1)), None)
    number = 1 if last is None else last.number + 1
    data = {
        "version": number,
        "source": source,
        "rules": [
            [rule.kind, rule.issue_id, rule.resolution_id, _as_json(rule.data)]
            for rule in charter.rules
        ],
        "promise": charter.promise,
        "added": changed[0],
        "lifted": changed[1],
    }
    decisions.add(kb.connection, VERSION, now, by=by, data=data)
    return Version(number, now, by, source, charter, *changed)


def _version(one: Decision) -> Version:
    told = one.data
    rules = [Rule(kind, i, r, settled(data)) for kind, i, r, data in told["rules"]]
    promise = told["promise"]
    return Version(
        number=int(told["version"]),
        at=one.at,
        by=one.by,
        source=str(told["source"]),
        charter=Charter(tuple(rules), None if promise is None else (promise[0], promise[1])),
        added=int(told["added"]),
        lifted=int(told["lifted"]),
    )


def _as_json(data: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values: Mapping[str, Any] = dict(data)
    return dict(json.loads(json.dumps(values)))
