"""The checks that an answer must pass, step by step; each one looks at one thing.

A check never corrects and never decides what follows: it says what was expected, what was
observed, and how much a miss matters. `solve` runs them, keeps them and acts on them; what they
were worth is counted in `deviations`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import takewhile

from kbagent.core.retrieval.versions import version_key
from kbagent.core.verification.tried import already_tried
from kbagent.model.evidence import Evidence

FEWEST_WORDS = 3  # fewer cannot name a problem
CLOSE = 0.34  # edits per letter up to which a name counts as misspelt: one in three
LEAST_MARGIN = 0.15  # share of votes between the best and the next issue
LEAST_AGREEMENT = 0.5  # share of the nearest cases that belong to the recognised issue
LEAST_SUCCESS = 0.3  # lower end of the interval of a resolution that may be answered
LEAST_REPLAYED = 0.5  # share of the replayed choices with a known outcome that must have worked
FEWEST_FAILURES = 2  # of replayed choices, from which the procedure itself is in doubt
LEAST_NEARNESS = 0.4  # of the similarity of the nearest success. Of 422 right fixes of sample_data
# and of Thunderbird's questions 1 % lie below it where another worked nearby, of wrong ones 3 to 5


class Severity(StrEnum):
    """How much a failed check matters."""

    NOTE = "note"  # said, nothing follows
    DOUBT = "doubt"  # corrected if possible; the answer stands otherwise
    STOP = "stop"  # corrected or handed over: never answered past


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check expected and saw; `proposal` is what would put it right, if known.

    `value` is the number that was compared with the check's threshold, where there is one;
    larger is safer.
    """

    name: str
    ok: bool
    expected: str
    observed: str
    severity: Severity = Severity.DOUBT
    proposal: str | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What people decided about a resolution, and whether it broke."""

    deprecated: bool = False
    forbidden: bool = False
    replaced_by: int | None = None
    broke_at: datetime | None = None


# Read


def in_vocabulary(facet: str, value: str, known: Iterable[str]) -> CheckResult:
    """Whether `value` of `facet` is on record; else the nearest known value is proposed.

    Compares without letter case. Nothing on record at all is no reason to doubt.
    """
    values = sorted(set(known))
    ok = not values or value.casefold() in {v.casefold() for v in values}
    return CheckResult(
        "vocabulary",
        ok,
        f"a known {facet}",
        value,
        Severity.DOUBT,
        None if ok else nearest_value(value, values),
    )


def nearest_value(value: str, known: Iterable[str]) -> str | None:
    """The known value with the fewest edits per letter, if at most `CLOSE`.

    Of equal ones that which begins alike for longer: a version is told from its front, and slips
    are rare in first letters (Yannakoudakis and Fawthrop 1983). Further ties by name.

    >>> nearest_value("Thunderbrid", ["Firefox", "Thunderbird"])
    'Thunderbird'
    >>> nearest_value("4.31", ["4.1", "4.3"])
    '4.3'
    >>> nearest_value("9.9", ["3.9", "4.3"]) is None
    True
    """
    wanted = value.casefold()

    def remoteness(name: str) -> tuple[float, int, str]:
        other = name.casefold()
        edits = edit_distance(wanted, other) / max(len(wanted), len(other), 1)
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(wanted, other, strict=False))
        return edits, -len(list(alike)), name

    names = list(known)
    if value[:1].isdigit():  # of a version the first number tells which release it is
        names = [one for one in names if version_key(one)[:1] == version_key(value)[:1]]
    nearest = min(names, key=remoteness, default=None)
    return nearest if nearest is not None and remoteness(nearest)[0] <= CLOSE else None


def edit_distance(a: str, b: str) -> int:
    """Fewest insertions, deletions, replacements and swaps of neighbours from `a` to `b`.

    Optimal string alignment (Damerau 1964). Texts beyond 64 characters are cut.

    >>> edit_distance("thunderbrid", "thunderbird"), edit_distance("", "abc")
    (1, 3)
    """
    a, b = a[:64], b[:64]
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row, older = row, [i], before
        before = previous
        for j, y in enumerate(b, 1):
            best = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


def facets_agree(
    given: Iterable[tuple[str, str]], read: Iterable[tuple[str, str]]
) -> tuple[CheckResult, ...]:
    """One result for each facet that is both given and read from the text, in order of name.

    They agree when a given value and a read one are equal, or one begins with the other at a
    word's or number's end: 'windows' and 'windows 11' agree, so do '115' and '115.3'.
    """
    stated, found = _grouped(given), _grouped(read)
    return tuple(
        CheckResult(
            "contradiction",
            any(_compatible(a, b) for a in stated[name] for b in found[name]),
            f"{name}={' or '.join(stated[name])} (given)",
            f"{' or '.join(found[name])} (in the text)",
            Severity.DOUBT,
        )
        for name in sorted(stated.keys() & found.keys())
    )


def long_enough(words: int, identifiers: int) -> CheckResult:
    """Whether there is enough text to recognise anything; one identifier is enough."""
    return CheckResult(
        "too-short",
        words >= FEWEST_WORDS or identifiers > 0,
        f"{FEWEST_WORDS} words or an identifier",
        f"{words} words, {identifiers} identifiers",
        Severity.STOP,
    )


# Recognise


def clear_margin(margin: float, *, least: float = LEAST_MARGIN) -> CheckResult:
    """Whether the best issue stands off from the next, by shares of the neighbours' votes."""
    return CheckResult("margin", margin >= least, f"≥ {least:.2f}", f"{margin:.2f}", value=margin)


def neighbours_agree(
    issue: int, nearest: Sequence[int], *, least: float = LEAST_AGREEMENT
) -> CheckResult:
    """Whether enough of the nearest cases belong to the recognised issue."""
    share = sum(i == issue for i in nearest) / len(nearest) if nearest else 0.0
    return CheckResult("agreement", share >= least, f"≥ {least:.2f}", f"{share:.2f}", value=share)


def searches_agree(dense: Sequence[int], lexical: Sequence[int]) -> CheckResult:
    """Whether the meaning's first issue is among the words' issues, or the reverse.

    Without words in common there is nothing to agree with: that is no doubt.
    """
    ok = not dense or not lexical or dense[0] in lexical or lexical[0] in dense
    return CheckResult(
        "lexical-dense",
        ok,
        "one issue found both by words and by meaning",
        f"by meaning {dense[0]}, by words {lexical[0]}" if dense and lexical else "one search only",
    )


def in_scope(novelty: float, *, most: float) -> CheckResult:
    """Whether the problem is a known one: novelty in [0, 1], at most `most`."""
    return CheckResult(
        "in-scope",
        novelty <= most,
        f"novelty ≤ {most:.2f}",
        f"{novelty:.2f}",
        Severity.STOP,
        value=1.0 - novelty,
    )


# Choose


def enough_evidence(evidence: Evidence, *, least: float = LEAST_SUCCESS) -> CheckResult:
    """Whether the lower end of the interval, not the rate, is high enough."""
    low, high = evidence.interval
    return CheckResult(
        "evidence",
        low >= least,
        f"lower end ≥ {least:.0%}",
        f"{evidence.worked:g} of {evidence.tried:g}, {low:.0%} to {high:.0%}",
        value=low,
    )


def fits_facet(
    name: str, value: str | None, worked: Iterable[str], failed: Iterable[str]
) -> CheckResult:
    """Whether the resolution is not contradicted on this version (or os) by its own cases.

    Contradicted: it failed on this value and never worked on it. Never seen on it: no doubt.
    Versions are compared as versions: 115 and 115.0 are the same.
    """
    key = None if value is None else version_key(value)
    worked_keys = {version_key(v) for v in worked}
    failed_keys = {version_key(v) for v in failed}
    ok = key is None or key in worked_keys or key not in failed_keys
    state = (
        "not known" if value is None else f"{value}: {'not contradicted' if ok else 'only failed'}"
    )
    return CheckResult(f"works-on-{name}", ok, f"no failure on this {name} alone", state)


def tried_nearby(
    mine: float, nearest: float, other: int | None, *, least: float = LEAST_NEARNESS
) -> CheckResult:
    """Whether it was tried on cases like this one, where something else worked on those.

    `mine` is the similarity of the nearest case on which this one was tried, `nearest` that of the
    nearest on which anything worked, `other` what worked repeatedly near that one, if anything did.
    An issue may hold two problems, by a wrong link or label: then the other's fix is far away.

    >>> [tried_nearby(mine, 0.9, other).ok for mine, other in ((0.3, 7), (0.3, None), (0.5, 7))]
    [False, True, True]
    """
    ok = other is None or mine >= least * nearest
    return CheckResult(
        "tried-nearby",
        ok,
        "tried on cases like this one, or nothing else worked on them",
        "as expected" if ok else f"r{other} worked on the nearest cases, this one only far away",
        value=mine / nearest if other is not None and nearest > 0.0 else None,
    )


def allowed(standing: Standing) -> CheckResult:
    """Whether people neither deprecated nor forbade it, nor put another in its place."""
    state = "forbidden" if standing.forbidden else "deprecated" if standing.deprecated else None
    if state is None and standing.replaced_by is not None:
        state = "superseded"
    return CheckResult(
        "allowed",
        state is None,
        "neither deprecated, superseded nor forbidden",
        state or "allowed",
        Severity.STOP,
        None if standing.replaced_by is None else str(standing.replaced_by),
    )


def not_broken(standing: Standing) -> CheckResult:
    """Whether no change alarm says that it stopped working."""
    at = standing.broke_at
    return CheckResult(
        "not-broken",
        at is None,
        "no sign that it stopped working",
        "none" if at is None else f"stopped working about {at:%Y-%m-%d}",
        Severity.STOP,
    )


def not_tried(text: str, resolution: str) -> CheckResult:
    """Whether the ticket does not say that this was tried already."""
    found = already_tried(text, [resolution])
    return CheckResult(
        "already-tried",
        not found,
        "not tried in this ticket",
        f"'{found[0].clause[:120]}'" if found else "not mentioned",
        Severity.STOP,
    )


def prerequisites_met(
    required: Mapping[str, str], facets: Iterable[tuple[str, str]]
) -> tuple[CheckResult, ...]:
    """One result for each facet a resolution requires; an unknown facet is a note to ask about."""
    known = _grouped(facets)
    return tuple(
        CheckResult(
            "prerequisite",
            any(_compatible(value, v) for v in known.get(name, [])),
            f"{name}={value}",
            " or ".join(known.get(name, [])) or "not known",
            Severity.STOP if name in known else Severity.NOTE,
            None if name in known else f"ask for {name}",
        )
        for name, value in sorted(required.items())
    )


# Verify


def found_again(
    worked: int, failed: int, others: int, *, least: float = LEAST_REPLAYED
) -> CheckResult:
    """Whether what the procedure chose on stored instances, their outcome hidden, had worked there.

    Only instances on which its choice had been tried tell anything (the replay of Li et al. 2011):
    on `worked` of them it had worked, on `failed` not; on `others` something else had been tried.
    One failure alone is no proof against a procedure. With nothing to compare the check does not
    hold either, and is a note: nothing speaks against the choice, and nothing for it.

    >>> [found_again(*counts).ok for counts in ((3, 1, 4), (0, 0, 8), (1, 2, 5))]
    [True, False, False]
    """
    compared = worked + failed
    if not compared:
        return CheckResult(
            "known-good",
            False,
            "stored cases on which its choice was tried",
            "none of those played again" if others else "no stored outcome to replay",
            Severity.NOTE,
        )
    share = worked / compared
    return CheckResult(
        "known-good",
        share >= least,
        f"worked on ≥ {least:.0%} of those it was tried on",
        f"{worked} of {compared}",
        Severity.STOP if failed >= FEWEST_FAILURES else Severity.DOUBT,
        value=share,
    )


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


def _compatible(a: str, b: str) -> bool:
    short, long = sorted((a.casefold().strip(), b.casefold().strip()), key=len)
    rest = long[len(short) :]
    if long.startswith(short) and (not rest or not rest[0].isalnum()):
        return True
    return bool(short) and version_key(a) == version_key(b) != ()
