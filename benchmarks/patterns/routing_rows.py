"""Routing: banking77 intents and Thunderbird topics by time, beside majority and TF-IDF + LR."""

import multiprocessing
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.learning.table import Row
from kbagent.core.patterns.drift import RECENT_CASES, Trust, followed, mixed, recent_votes
from kbagent.core.patterns.marking import Answers, macro_f1
from kbagent.core.patterns.routing import Past, fit_router, probabilities
from kbagent.core.patterns.tempering import Temper, learned, tempered
from kbagent.core.text.tokens import tokens
from kbagent.core.verification.calibration import calibration_error

BINS = 15
DRAWS = 1000


@dataclass(frozen=True)
class Labelled:
    """Texts in order of time with their vectors, label codes and days."""

    texts: list[str]
    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    days: NDArray[np.float64]

    def at(self, rows: NDArray[np.intp]) -> "Labelled":
        texts = [self.texts[i] for i in rows]
        return Labelled(texts, self.vectors[rows], self.labels[rows], self.days[rows])


def ours(train: Labelled, test: Labelled) -> Answers:
    present, codes = np.unique(train.labels, return_inverse=True)
    ages = train.days.max() - train.days
    past = Past(train.vectors, [tokens(t) for t in train.texts], codes, ages)
    p = probabilities(fit_router(past, present.size), test.vectors, [tokens(t) for t in test.texts])
    return Answers(test.labels, present[p.argmax(axis=1)], p.max(axis=1))


def tfidf_regression(train: Labelled, test: Labelled, strength: float) -> Answers:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=50_000)
    x = words.fit_transform(train.texts)
    model: Any = LogisticRegression(C=strength, max_iter=200).fit(x, train.labels)
    p = model.predict_proba(words.transform(test.texts))
    return Answers(test.labels, model.classes_[p.argmax(axis=1)], p.max(axis=1))


def majority(train: Labelled, test: Labelled) -> Answers:
    values, counts = np.unique(train.labels, return_counts=True)
    best = int(counts.argmax())
    share = np.full(test.labels.size, counts[best] / counts.sum())
    return Answers(test.labels, np.full(test.labels.size, values[best]), share)


def calibration_gap(a: Answers) -> float:
    """Expected calibration error in bins of equal mass (Naeini et al. 2015), not debiased."""
    return calibration_error(a.confidence, a.truth == a.answer, bins=BINS, debiased=False)


def rows_of(what: str, found: dict[str, Answers], rng: np.random.Generator) -> list[Row]:
    """One row per policy; ours (the first) is judged against the others, paired by bootstrap."""
    first, *others = found
    rows = []
    for name, a in found.items():
        accuracy = float((a.truth == a.answer).mean())
        half = 1.96 * (accuracy * (1 - accuracy) / a.truth.size) ** 0.5
        rows.append(
            Row(
                f"{what}: accuracy, macro-F1, ECE",
                name,
                "above majority; not below TF-IDF + LR; ECE ≤ 0.03" if name == first else "–",
                f"{accuracy:.3f} ± {half:.3f}, {macro_f1(a.truth, a.answer):.3f}, "
                f"{calibration_gap(a):.3f}",
                _met(found[first], [found[o] for o in others if "experts" not in o], rng)
                if name == first
                else None,
            )
        )
    return [*rows, *_paired_rows(what, found, rng), _answered_row(what, first, found[first])]


def _differences(a: Answers, b: Answers, rng: np.random.Generator) -> NDArray[np.float64]:
    """Bootstrap of (accuracy, macro-F1) of a minus b over the same cases: draws x 2."""
    n = a.truth.size
    draws = []
    for _ in range(DRAWS // 5):
        rows = rng.integers(0, n, n)
        truth, one, two = a.truth[rows], a.answer[rows], b.answer[rows]
        gained = float((one == truth).mean() - (two == truth).mean())
        draws.append((gained, macro_f1(truth, one) - macro_f1(truth, two)))
    return np.array(draws)


def _met(a: Answers, others: list[Answers], rng: np.random.Generator) -> bool:
    ends = [np.quantile(_differences(a, b, rng), 0.975, axis=0) for b in others]
    return all(bool((e >= 0).all()) for e in ends) and calibration_gap(a) <= 0.03


def _paired_rows(what: str, found: dict[str, Answers], rng: np.random.Generator) -> list[Row]:
    first, *others = found
    rows = []
    for name in others:
        low, mid, high = np.quantile(
            _differences(found[first], found[name], rng), (0.025, 0.5, 0.975), axis=0
        )
        shown = [f"{m:+.3f} [{a:+.3f}, {b:+.3f}]" for a, m, b in zip(low, mid, high, strict=True)]
        rows.append(
            Row(f"{what}: gain in accuracy, macro-F1", f"over {name}", "–", ", ".join(shown))
        )
    return rows


def _answered_row(what: str, name: str, a: Answers) -> Row:
    """What abstention buys: accuracy among those answered at confidence 0.5 and 0.8."""
    right = a.truth == a.answer
    shown = []
    for bar in (0.5, 0.8):
        kept = a.confidence >= bar
        accuracy = float(right[kept].mean()) if kept.any() else float("nan")
        shown.append(f"at {bar}: answered {kept.mean():.0%}, right {accuracy:.3f}")
    return Row(f"{what}: abstaining below a confidence", name, "–", "; ".join(shown))


def banking_rows(train: Labelled, test: Labelled, rng: np.random.Generator) -> list[Row]:
    order = rng.permutation(train.labels.size)
    dealt = train.at(order)
    found = {
        "experts, pooled": ours(dealt, test),
        "majority": majority(train, test),
        "TF-IDF + logistic regression (C = 20)": tfidf_regression(train, test, 20.0),
    }
    return rows_of("routing, banking77 intent", found, rng)


TRAINED_ON = 182.0
"""Days of history that each weekly training reads."""
PROCESSES = 2
LEAST = 1e-6
"""Probability of a topic that a training has not seen."""


def thunderbird_rows(cases: Labelled, first: float, rng: np.random.Generator) -> list[Row]:
    """From day `first` on, every week is predicted by a training on the half year before it.

    Labels are known from the next day on: to the weekly trainings, and to what follows them.
    """
    parts: dict[str, list[Answers]] = {name: [] for name in (FOLLOWED, UNFOLLOWED, MAJORITY, TFIDF)}
    followers = Followers(Trust(), Temper())
    weeks = np.arange(first, cases.days.max() + 1, 7.0).tolist()
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        trained = pool.imap(partial(_trained, cases), weeks)
        for week, (p, words) in zip(weeks, trained, strict=True):
            train, rows = _week(cases, week)
            asked = cases.at(rows)
            mix, followers = _followed_by_day(cases, rows, p, followers)
            parts[FOLLOWED].append(Answers(asked.labels, mix.argmax(axis=1), mix.max(axis=1)))
            parts[UNFOLLOWED].append(Answers(asked.labels, p.argmax(axis=1), p.max(axis=1)))
            parts[MAJORITY].append(majority(train, asked))
            parts[TFIDF].append(words)
    found = {name: Answers.joined(p) for name, p in parts.items()}
    begin, end = (date.fromordinal(int(d)) for d in (first, cases.days.max()))
    return rows_of(f"routing, Thunderbird topic, {begin} to {end}", found, rng)


def _week(cases: Labelled, week: float) -> tuple[Labelled, NDArray[np.intp]]:
    """The half year before a week, and the rows of the week."""
    before = (cases.days >= week - TRAINED_ON) & (cases.days < week)
    return cases.at(np.flatnonzero(before)), np.flatnonzero(
        (cases.days >= week) & (cases.days < week + 7)
    )


def _trained(cases: Labelled, week: float) -> tuple[NDArray[np.float64], Answers]:
    """What the router and the baseline say of a week, from the half year before it."""
    threadpool_limits(1)  # a process a core: more threads would wait for each other
    train, rows = _week(cases, week)
    asked = cases.at(rows)
    p = _spread(train, asked, int(cases.labels.max()) + 1)
    return p, tfidf_regression(train, asked, 2.0)


FOLLOWED = "experts, pooled; renamed queues and what came true followed"
UNFOLLOWED = "experts, pooled; not followed"
MAJORITY = "majority"
TFIDF = "TF-IDF + logistic regression (C = 2)"


def _spread(train: Labelled, asked: Labelled, topics: int) -> NDArray[np.float64]:
    """The router's probabilities over all topics, those it has not seen included."""
    present, codes = np.unique(train.labels, return_inverse=True)
    past = Past(
        train.vectors, [tokens(t) for t in train.texts], codes, train.days.max() - train.days
    )
    router = fit_router(past, present.size)
    p = np.full((asked.labels.size, topics), LEAST)
    p[:, present] += probabilities(router, asked.vectors, [tokens(t) for t in asked.texts])
    return np.asarray(p / p.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Followers:
    """What has been learned since the first training by following what came in."""

    trust: Trust
    temper: Temper


def _followed_by_day(
    cases: Labelled, rows: NDArray[np.intp], p: NDArray[np.float64], followers: Followers
) -> tuple[NDArray[np.float64], Followers]:
    """The tempered mixed forecasts of these rows, day by day, and the followers after them."""
    found = np.empty_like(p)
    trust, temper = followers.trust, followers.temper
    for day in np.unique(cases.days[rows]):
        now = np.flatnonzero(cases.days[rows] == day)
        recent = np.flatnonzero(cases.days < day)[-RECENT_CASES:]
        asked, labels = cases.vectors[rows[now]], cases.labels[rows[now]]
        votes = recent_votes(asked, cases.vectors[recent], cases.labels[recent], p.shape[1])
        mix = mixed(trust, p[now], votes)
        found[now] = tempered(temper, mix)
        trust, temper = followed(trust, p[now], votes, labels), learned(temper, mix, labels)
    return found, Followers(trust, temper)


def day_number(moment: str) -> float:
    return float(date.fromisoformat(moment[:10]).toordinal())
