"""Planted faults, errors that prevent errors, and what `solve` costs beside `search`."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.learning.table import Row, mean_interval
from benchmarks.verification.faults import FAULTS, Case, faulty, plain
from benchmarks.verification.office import Office, make_office
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.model.lookup import Request
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import open_knowledge_base
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give
from kbagent.usecases.solve.problem import Problem
from kbagent.usecases.solve.running import prepare, solve
from kbagent.usecases.solve.trace import Ending, Run

REPEATED = 200  # faults that are met again


@dataclass(frozen=True, slots=True)
class Tried:
    """One question, with checks and without."""

    case: Case
    run: Run
    caught: bool
    right: bool
    right_unchecked: bool
    wrong: bool


def solve_rows(
    encoder: Encoder, rng: np.random.Generator, *, kind: str, runs: int
) -> Iterator[Row]:
    """The rows of issue 5 on an office of this kind."""
    with tempfile.TemporaryDirectory() as folder:
        office = make_office(Path(folder) / kind, encoder, kind, rng)
        prepare(office.kb, encoder)
        names = list(FAULTS)
        bad = [
            attempt(office, encoder, faulty(office, names[n % len(names)], rng))
            for n in range(runs)
        ]
        good = [attempt(office, encoder, plain(office, rng)) for _ in range(runs)]
        yield from _fault_rows(bad, good)
        yield from _repeat_rows(office, encoder, rng, min(REPEATED, runs))
        office.kb.close()


def attempt(office: Office, encoder: Encoder, case: Case, *, log: bool = False) -> Tried:
    """Solve with the fault planted, with and without checks."""
    with case.plant():
        run = solve(office.kb, encoder, case.problem, log=log)
        bare = Problem(case.problem.text, case.problem.filters, checked=False)
        unchecked = solve(office.kb, encoder, bare, log=False)
    return Tried(
        case=case,
        run=run,
        caught=_alarmed(run),
        right=_is_right(run, case),
        right_unchecked=_is_right(unchecked, case),
        wrong=run.ending is Ending.ANSWER and not _is_right(run, case),
    )


def _alarmed(run: Run) -> bool:
    """Whether anything was noticed: a failed check, a correction, a note, or no answer."""
    seen = any(step.caught or step.failed or step.corrections for step in run.steps)
    return seen or bool(run.notes) or run.ending is not Ending.ANSWER


def _is_right(run: Run, case: Case) -> bool:
    """Whether the answer is the right resolution of the right family."""
    return run.ending is Ending.ANSWER and run.chosen is not None and run.chosen.text in case.right


def _fault_rows(bad: list[Tried], good: list[Tried]) -> Iterator[Row]:
    # A fault that neither harmed the bare pipeline nor shows is no fault met: hostile text that
    # changes nothing, a broken fix that the ranking already left behind.
    harmful = [one for one in bad if one.caught or not one.right_unchecked]
    caught = np.array([one.caught or one.right for one in harmful], dtype=float)
    right = np.array([one.right for one in bad], dtype=float)
    bare = np.array([one.right_unchecked for one in bad], dtype=float)
    alarms = np.array([one.run.ending is not Ending.ANSWER for one in good], dtype=float)
    where = f"{len(bad)} faulty, {len(good)} plain"
    yield Row(
        "planted faults caught (or answered rightly)",
        where,
        "≥ 0.95",
        mean_interval(caught),
        bool(caught.mean() >= 0.95),
    )
    yield Row(
        "put right without a human",
        where,
        "≥ 0.60",
        mean_interval(right),
        bool(right.mean() >= 0.6),
    )
    yield Row(
        "false alarms: plain runs not answered",
        where,
        "≤ 0.05",
        mean_interval(alarms),
        bool(alarms.mean() <= 0.05),
    )
    gain = right - bare
    low = gain.mean() - 1.96 * gain.std(ddof=1) / len(gain) ** 0.5
    yield Row(
        "success of the final answer, checks on minus off (faulty)",
        f"on {right.mean():.3f}, off {bare.mean():.3f}",
        "interval > 0",
        mean_interval(gain),
        bool(low > 0),
    )
    plain_gain = [float(one.right) - float(one.right_unchecked) for one in good]
    yield Row("the same on plain runs", "checks on minus off", "–", mean_interval(plain_gain))
    wrong = [float(one.wrong) for one in bad]
    yield Row("wrong answers given (faulty)", "checks on", "–", mean_interval(wrong))
    for name in FAULTS:
        mine = [one for one in bad if one.case.fault == name]
        yield Row(
            f"· {name}",
            f"{len(mine)} runs",
            "–",
            f"caught {np.mean([one.caught for one in mine]):.2f}, "
            f"right {np.mean([one.right for one in mine]):.2f} "
            f"(off {np.mean([one.right_unchecked for one in mine]):.2f}), "
            f"wrong {np.mean([one.wrong for one in mine]):.2f}",
        )


def _repeat_rows(
    office: Office, encoder: Encoder, rng: np.random.Generator, count: int
) -> Iterator[Row]:
    """The same faults twice; between them people say what worked, on a case of their own."""
    names = list(FAULTS)
    cases = [faulty(office, names[n % len(names)], rng) for n in range(count)]
    first = [attempt(office, encoder, case, log=True) for case in cases]
    for number, one in enumerate(first):
        _tell(office, one, number)
    second = [attempt(office, encoder, case) for case in cases]
    errors = [np.array([not one.right for one in some], dtype=float) for some in (first, second)]
    wrong = [np.array([one.wrong for one in some], dtype=float) for some in (first, second)]
    yield Row(
        "repeat errors: not answered rightly, second pass against first",
        f"{count} faults, first {errors[0].mean():.3f}",
        "≤ half",
        mean_interval(errors[1]),
        bool(errors[1].mean() <= errors[0].mean() / 2),
    )
    yield Row(
        "of them wrong answers",
        f"first {wrong[0].mean():.3f}",
        "≤ half",
        mean_interval(wrong[1]),
        bool(wrong[1].mean() <= wrong[0].mean() / 2),
    )


def _tell(office: Office, one: Tried, number: int) -> None:
    """What an engineer reports: the answer failed, another worked; or it worked."""
    if not one.run.handle:
        return
    if one.wrong:
        give(office.kb, Verdict.FAILED, [one.run.handle, "1"], Remark(by=f"engineer {number % 7}"))
    row = office.kb.connection.execute(
        "SELECT id FROM resolutions WHERE text = ?", (min(one.case.right),)
    ).fetchone()
    remark = Remark(by=f"engineer {number % 7}")
    give(
        office.kb,
        Verdict.WORKED,
        [one.run.handle, f"r{row[0]}"],
        remark,
        case_ref=f"desk:{number}",
    )


def cost_rows(
    encoder: Encoder, rng: np.random.Generator, *, cases: int, asked: int = 30
) -> Iterator[Row]:
    """Warm time of `solve` beside `search`, on copies of an office grown to `cases` cases."""
    from benchmarks.verification.growth import grown_office

    with tempfile.TemporaryDirectory() as folder:
        office = grown_office(Path(folder) / "grown", encoder, cases, rng)
        prepare(office.kb, encoder)
        questions = [plain(office, rng).problem.text for _ in range(asked)]
        times: dict[str, list[float]] = {"search": [], "solve": []}
        with open_knowledge_base(office.kb.folder) as kb:
            for text in questions:
                for name, taken in times.items():
                    started = time.perf_counter()
                    if name == "search":
                        search(kb, encoder, Request(text))
                    else:
                        solve(kb, encoder, Problem(text))
                    taken.append(time.perf_counter() - started)
        office.kb.close()
    ratio = float(np.median(times["solve"]) / np.median(times["search"]))
    yield Row(
        f"cost of solve beside search, {cases:,} cases",
        f"medians {np.median(times['search']) * 1e3:.0f} ms, "
        f"{np.median(times['solve']) * 1e3:.0f} ms",
        "≤ 1.5",
        f"{ratio:.2f}",
        ratio <= 1.5,
    )
