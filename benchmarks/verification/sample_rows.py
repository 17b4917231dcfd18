"""What a person would ask the sample company, in histories drawn with other seeds.

The queries of `sample_data/queries.tsv` are told in other words than the cases. Known ones should
be answered with a fix that is right for their issue, vague ones asked about, new ones handed over.
A question is answered as somebody with the problem would answer it: by the problem where that is
asked, else by the value on one of its cases, drawn at random.
"""

import csv
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.learning.table import Row
from kbagent.core.learning.beta import quantile
from kbagent.store import cases
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.usecases.demonstration import import_samples
from kbagent.usecases.solve.continuing import go_on
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import prepare, solve
from kbagent.usecases.solve.trace import Asked, Ending, Run
from sample_data import generate, sketches

SEEDS = (21, 22, 23)  # histories; that of the committed exports is another
HERE = Path(generate.__file__).parent


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of one history: the issue of each stored issue, of each fix those it worked for.

    `fixes` maps an approach to the true issues in which it worked; `cases` the true issue to its
    cases.
    """

    issues: dict[int, str]
    fixes: dict[int, Counter[str]]
    cases: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Course:
    """How one query ended at first, whether rightly, and after one question."""

    kind: str
    ending: Ending
    new: bool
    right: bool
    baseline: bool
    later: Ending | None = None
    later_right: bool = False


def sample_rows(encoder: Encoder, rng: np.random.Generator, seeds: Sequence[int]) -> Iterator[Row]:
    """The rows about queries of the sample company, all histories together."""
    queries = list(csv.DictReader((HERE / "queries.tsv").open(encoding="utf-8"), delimiter="\t"))
    courses: list[Course] = []
    for seed in seeds:
        with (
            tempfile.TemporaryDirectory() as folder,
            create_knowledge_base(Path(folder) / "kb") as kb,
        ):
            truth = _history(kb, encoder, Path(folder), seed)
            courses += [_course(kb, encoder, truth, one, rng) for one in queries]
    yield from _rows(courses, len(seeds))


def _history(kb: KnowledgeBase, encoder: Encoder, folder: Path, seed: int) -> Truth:
    before, sketches.SEED = sketches.SEED, seed
    try:
        content = generate.files()
    finally:
        sketches.SEED = before
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for mapping in (HERE / "exports").glob("*.toml"):
        shutil.copy(mapping, folder / "exports")
    import_samples(kb, encoder, folder / "exports", lambda *_: None, lambda _: None)
    prepare(kb, encoder)
    return _truth(kb, folder / "truth.csv")


def _truth(kb: KnowledgeBase, path: Path) -> Truth:
    told = {row["ref"]: row for row in csv.DictReader(path.open(encoding="utf-8"))}
    rows = kb.connection.execute("SELECT id, source || ':' || external_id FROM cases").fetchall()
    issue_of = {case: told[ref]["issue"] for case, ref in rows if ref in told}
    members: defaultdict[int, Counter[str]] = defaultdict(Counter)
    placed = kb.connection.execute("SELECT issue_id, case_id FROM memberships")
    for issue, case in placed:
        members[issue][issue_of.get(case, "")] += 1
    fixes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    worked = kb.connection.execute(
        """SELECT canonical_id, case_id FROM attempts
        JOIN resolutions ON resolutions.id = resolution_id WHERE verdict IN ('worked', 'partly')"""
    )
    for fix, case in worked:
        fixes[fix][issue_of.get(case, "")] += 1
    by_issue: defaultdict[str, list[int]] = defaultdict(list)
    for case, issue_name in sorted(issue_of.items()):
        by_issue[issue_name].append(case)
    named = {issue: max(c, key=lambda one: (c[one], one)) for issue, c in members.items()}
    return Truth(named, dict(fixes), dict(by_issue))


def _course(
    kb: KnowledgeBase,
    encoder: Encoder,
    truth: Truth,
    query: dict[str, str],
    rng: np.random.Generator,
) -> Course:
    problem, wanted = Problem(query["query"]), query["issue"]
    run = solve(kb, encoder, problem)
    plain = solve(kb, encoder, Problem(query["query"], checked=False), log=False)
    later = None
    if run.question is not None and query["kind"] == "known":
        answer = _answer(kb, truth, wanted, run.question, rng)
        later = None if answer is None else go_on(kb, encoder, run.handle, [answer])
    return Course(
        kind=query["kind"],
        ending=run.ending,
        new=run.new,
        right=_is_right(truth, run, wanted),
        baseline=_is_right(truth, plain, wanted),
        later=None if later is None else later.ending,
        later_right=later is not None and _is_right(truth, later, wanted),
    )


def _is_right(truth: Truth, run: Run, wanted: str) -> bool:
    """Whether it answers with something that worked on cases of the true issue."""
    if run.ending is not Ending.ANSWER or run.chosen is None:
        return False
    return truth.fixes.get(run.chosen.resolution_id, Counter())[wanted] > 0


def _answer(
    kb: KnowledgeBase, truth: Truth, wanted: str, asked: Asked, rng: np.random.Generator
) -> tuple[str, str] | None:
    """What somebody with this problem would say; None where they cannot."""
    if asked.facet == "issue":
        fits = [one for one in asked.choices if truth.issues.get(int(one[1:])) == wanted]
        return ("issue", fits[0]) if fits else None
    facets = cases.facets_of(kb.connection, truth.cases[wanted])
    values = sorted(v for pairs in facets.values() for n, v in pairs if n == asked.facet and v)
    return (asked.facet, str(rng.choice(values))) if values else None


def _rows(courses: Sequence[Course], histories: int) -> Iterator[Row]:
    known = [one for one in courses if one.kind == "known"]
    answered = [one for one in known if one.ending is Ending.ANSWER]
    wrong = [one for one in answered if not one.right]
    told = [one for one in known if one.right or one.later_right]
    asked = [one for one in known if one.ending is Ending.ASK]
    where = f"{len(known)} known questions, {histories} histories"
    yield Row("sample company: answered with a right fix", where, "–", share(known, "right"))
    yield Row(
        "· answered wrongly, of those answered",
        where,
        "≤ 0.05",
        _rate(len(wrong), len(answered)),
        len(wrong) <= 0.05 * len(answered),
    )
    yield Row("· asked about", where, "–", _rate(len(asked), len(known)))
    yield Row("· right at once or after one question", where, "–", _rate(len(told), len(known)))
    yield Row(
        "· baseline: the first fix of the ranking, unchecked", where, "–", share(known, "baseline")
    )
    for kind, wish in (("vague", Ending.ASK), ("new", Ending.HAND_OVER)):
        some = [one for one in courses if one.kind == kind]
        fits = sum(one.ending is wish for one in some)
        yield Row(
            f"· {kind} ones that end in '{wish}'",
            f"{len(some)} questions; unchecked: all answered",
            "–",
            _rate(fits, len(some)),
        )


def share(courses: Sequence[Course], name: str) -> str:
    """The share of these of which `name` is true, with its interval."""
    return _rate(sum(getattr(one, name) for one in courses), len(courses))


def _rate(hits: int, count: int) -> str:
    """A share with the 95 % interval of Jeffreys."""
    if not count:
        return "–"
    low, high = (quantile(p, hits + 0.5, count - hits + 0.5) for p in (0.025, 0.975))
    return f"{hits / count:.3f} [{low:.3f}, {high:.3f}]"
