"""A seeded fault injector: one fault at a time, planted where a step of `solve` could trip over it.

Each fault changes the question or the knowledge base and says how to take it back.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.verification.office import SYSTEMS, VERSIONS, Family, Office
from kbagent.model.filters import Filter, FilterOperator
from kbagent.store import decisions, issues
from kbagent.store.issues import Membership
from kbagent.usecases.solve.problem import Problem

ASKS = (
    "hello, {symptom} with our {thing}, what can we do?",
    "the {thing} makes trouble: {symptom}",
    "{symptom}. It is the {thing}, several colleagues see it.",
)
HOSTILE = "\x1b[2J\x1b]0;x\x07[bold]=cmd|' /C calc'!A0 OR 1=1 NEAR/3 \u202e <script>x</script> "
SIGNATURE = (
    "\n\nBest regards,\nJo Okafor\nHead of Facilities\n+27 21 555 0100\n"
    "This e-mail is confidential and intended only for the use of the addressee."
)


@dataclass(frozen=True, slots=True)
class Case:
    """A question with its right answers; `fault` None for one without."""

    fault: str | None
    problem: Problem
    right: frozenset[str]
    family: Family
    plant: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext


def plain(office: Office, rng: np.random.Generator) -> Case:
    """A question without a fault."""
    family = _family(office, rng)
    version = VERSIONS[int(rng.integers(len(VERSIONS)))]
    text = _asked(family, version, rng)
    return Case(None, Problem(text), frozenset({family.best[version]}), family)


def faulty(office: Office, name: str, rng: np.random.Generator) -> Case:
    """A question with the named fault."""
    return FAULTS[name](office, rng)


def _asked(family: Family, version: str | None, rng: np.random.Generator) -> str:
    text = ASKS[int(rng.integers(len(ASKS)))].format(thing=family.thing, symptom=family.symptom)
    system = SYSTEMS[int(rng.integers(len(SYSTEMS)))]
    return f"{text} Version {version} on {system}." if version else text


def _family(office: Office, rng: np.random.Generator, kind: int | None = None) -> Family:
    wanted = (1, 2) if kind is None else (kind,)  # 0: those with a broken fix, a fault itself
    chosen = [one for one in office.families if one.number % 3 in wanted]
    return chosen[int(rng.integers(len(chosen)))]


def _wrong_version(office: Office, rng: np.random.Generator) -> Case:
    """A version that does not exist: a digit too many of one that does."""
    family = _family(office, rng)
    version = VERSIONS[int(rng.integers(len(VERSIONS)))]
    text = _asked(family, f"{version}{int(rng.integers(1, 9))}", rng)
    return Case("wrong version", Problem(text), frozenset({family.best[version]}), family)


def _contradicting(office: Office, rng: np.random.Generator) -> Case:
    """The form says another system, or another component, than there is in the text."""
    family = _family(office, rng)
    version = VERSIONS[int(rng.integers(len(VERSIONS)))]
    other = VERSIONS[(VERSIONS.index(version) + 1) % len(VERSIONS)]
    problem = Problem(
        _asked(family, version, rng), (Filter("version", FilterOperator.EQUAL, other),)
    )
    right = frozenset({family.best[version]})
    return Case("contradicting facets", problem, right, family)


def _swapped(office: Office, rng: np.random.Generator) -> Case:
    """Most cases of another problem are labelled as this one's, the fixes with them."""
    case = plain(office, rng)
    others = [one for one in office.families if one.number != case.family.number]
    other = others[int(rng.integers(len(others)))]

    @contextlib.contextmanager
    def plant() -> Iterator[None]:
        kb = office.kb
        mine = list(issues.members(kb.connection, case.family.issue_id))[::2]
        with kb.database.write() as connection:
            for one in mine:
                place = Membership(one, other.issue_id, "assigned", 0.6, "fault")
                issues.place(connection, place, kb.clock(), why="planted fault")
        try:
            yield
        finally:
            with kb.database.write() as connection:
                for one in mine:
                    place = Membership(one, case.family.issue_id, "linked", 1.0, "links")
                    issues.place(connection, place, kb.clock(), why="fault taken back")

    return Case("labels swapped", case.problem, case.right, case.family, plant)


def _stale(office: Office, rng: np.random.Generator) -> Case:
    """The manifests of the indexes are gone: what they cover is not known."""
    case = plain(office, rng)

    @contextlib.contextmanager
    def plant() -> Iterator[None]:
        kept = {
            path: path.read_bytes()
            for path in office.kb.index_folder.glob("*.json")
            if not path.name.startswith("acquaintance")
        }
        for path in kept:
            path.write_bytes(b"{")
        try:
            yield
        finally:
            for path, content in kept.items():
                path.write_bytes(content)

    return Case("stale index", case.problem, case.right, case.family, plant)


def _deprecated(office: Office, rng: np.random.Generator) -> Case:
    """What leads is deprecated, and something else was put in its place.

    No version is told: that the replacement worked is later reported, and on 4.1 it would not
    have, so that one fault would teach what another counts as wrong.
    """
    family = _family(office, rng, kind=1)
    best, replacement = family.best["4.1"], family.best["4.3"]
    problem = Problem(_asked(family, None, rng))

    @contextlib.contextmanager
    def plant() -> Iterator[None]:
        kb = office.kb
        named = _ids(office)
        with kb.database.write() as connection:
            made = decisions.add(
                connection,
                "deprecate",
                kb.clock(),
                resolution_id=named[best],
                data={"replaced_by": f"r{named[replacement]}"},
            )
        try:
            yield
        finally:
            with kb.database.write() as connection:
                decisions.add(connection, "undo deprecate", kb.clock(), undoes=made)

    return Case("deprecated on top", problem, frozenset({replacement}), family, plant)


def _two(office: Office, rng: np.random.Generator) -> Case:
    """Two problems in one ticket; answering either one rightly is right, mixing is not."""
    family = _family(office, rng)
    others = [one for one in office.families if one.number != family.number]
    other = others[int(rng.integers(len(others)))]
    version = VERSIONS[int(rng.integers(len(VERSIONS)))]
    text = f"{_asked(family, version, rng)} Also, {_asked(other, None, rng)}"
    return Case("two problems", Problem(text), frozenset({family.best[version]}), family)


def _broken(office: Office, rng: np.random.Generator) -> Case:
    """The fix that worked most often stopped working with a release."""
    family = _family(office, rng, kind=0)
    text = _asked(family, None, rng)
    return Case("broken since a release", Problem(text), frozenset(family.best.values()), family)


def _hostile(office: Office, rng: np.random.Generator) -> Case:
    """Escapes, markup, formulas and search syntax before, a signature after."""
    case = plain(office, rng)
    text = f"{HOSTILE}{case.problem.text}{SIGNATURE}"
    return Case("hostile text", Problem(text), case.right, case.family)


def _tried(office: Office, rng: np.random.Generator) -> Case:
    """The ticket says that the leading fix was tried already."""
    family = _family(office, rng, kind=1)
    text = f"{_asked(family, None, rng)} We already {family.best['4.1']}, no luck."
    return Case("tried already", Problem(text), frozenset({family.best["4.3"]}), family)


def _ids(office: Office) -> dict[str, int]:
    rows = office.kb.connection.execute("SELECT text, canonical_id FROM resolutions")
    return dict(rows.fetchall())


FAULTS: dict[str, Callable[[Office, np.random.Generator], Case]] = {
    "wrong version": _wrong_version,
    "contradicting facets": _contradicting,
    "labels swapped": _swapped,
    "stale index": _stale,
    "deprecated on top": _deprecated,
    "two problems": _two,
    "broken since a release": _broken,
    "hostile text": _hostile,
    "tried already": _tried,
}
