"""Softmax regression against sklearn, and routing: right, calibrated, adaptive, abstaining."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from kbagent.core.patterns import routing
from kbagent.core.patterns.routing import (
    Past,
    Router,
    fit_router,
    needed_fields,
    probabilities,
    route,
)
from kbagent.core.patterns.softmax import fit_softmax, log_softmax, minimise


def blobs(
    n: int, classes: int, spread: float, seed: int
) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
    """Unit vectors around class centres, and tokens that name the class two times in three."""
    centres = np.random.default_rng(0).normal(size=(classes, 16))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    x = centres[labels] + spread * rng.normal(size=(n, 16))
    vectors = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    texts = [[f"w{c}" if rng.random() < 0.67 else "other", "the"] for c in labels]
    return vectors, labels, texts


def past_of(n: int, classes: int = 4, spread: float = 1.5, seed: int = 1) -> Past:
    vectors, labels, texts = blobs(n, classes, spread, seed)
    return Past(vectors, texts, labels, np.arange(n)[::-1] / 10)


def test_softmax_regression_agrees_with_sklearn() -> None:
    vectors, labels, _ = blobs(400, 3, 1.5, 2)
    weights, intercept = fit_softmax(vectors, labels, 3, ridge=1 / 400, steps=500)
    oracle = LogisticRegression(C=1.0, max_iter=2000, tol=1e-8).fit(vectors, labels)
    ours = np.exp(log_softmax(vectors @ weights + intercept))
    assert ours == pytest.approx(oracle.predict_proba(vectors), abs=2e-3)


def test_case_weights_count_like_repetitions() -> None:
    vectors, labels, _ = blobs(60, 2, 1.0, 3)
    twice = np.concatenate((np.arange(60), np.arange(30)))
    repeated = fit_softmax(vectors[twice], labels[twice], 2, ridge=0.1)
    weighted = fit_softmax(
        vectors, labels, 2, ridge=0.1, weights=np.where(np.arange(60) < 30, 2.0, 1.0)
    )
    assert weighted[0] == pytest.approx(repeated[0], abs=1e-3)


def test_the_minimum_of_an_ill_conditioned_bowl_is_found() -> None:
    scale, centre = np.array([1.0, 100.0, 10_000.0]), np.array([3.0, -2.0, 0.5])

    def bowl(x: np.ndarray) -> tuple[float, np.ndarray]:
        away = x - centre
        value = float((scale * away**2).sum() / 2 + (away**4).sum())
        return value, scale * away + 4 * away**3

    assert minimise(bowl, np.zeros(3), 500, 1e-8) == pytest.approx(centre, abs=1e-6)


def test_confidence_is_what_it_says() -> None:
    router = fit_router(past_of(3000, spread=3.0), 4)
    vectors, labels, texts = blobs(4000, 4, 3.0, 9)
    p = probabilities(router, vectors, texts)
    right, confidence = p.argmax(axis=1) == labels, p.max(axis=1)
    assert right.mean() > 0.6
    assert p.sum(axis=1) == pytest.approx(np.ones(4000))
    parts = np.array_split(np.argsort(confidence), 10)
    gaps = [abs(confidence[i].mean() - right[i].mean()) for i in parts]
    assert np.mean(gaps) <= 0.03


def test_tokens_help_where_vectors_do_not() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 800)
    noise = rng.normal(size=(800, 8)).astype(np.float32)
    vectors = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    texts = [[f"w{c}"] for c in labels]
    router = fit_router(Past(vectors, texts, labels, np.zeros(800)), 2)
    assert (probabilities(router, vectors[:100], texts[:100]).argmax(1) == labels[:100]).all()


def test_what_changed_lately_counts_when_that_predicts_better() -> None:
    vectors, labels, _ = blobs(2400, 3, 1.0, 5)
    moved = np.where(np.arange(2400) < 1500, labels, (labels + 1) % 3)
    ages = np.arange(2400)[::-1] / 20.0
    no_words = [["x"]] * 2400
    past = Past(vectors, no_words, moved, ages)
    asked, truth, _ = blobs(400, 3, 1.0, 6)
    adapted, frozen = (
        (
            probabilities(fit_router(past, 3, lives), asked, no_words[:400]).argmax(1)
            == (truth + 1) % 3
        ).mean()
        for lives in ((None, 20.0), (None,))
    )
    assert adapted > 0.85 > frozen + 0.2


def test_a_route_names_alternatives_and_neighbours_of_its_kind() -> None:
    past = past_of(500, spread=0.3)
    vectors, labels, texts = blobs(20, 4, 0.3, 7)
    for found, label in zip(route(fit_router(past, 4), vectors, texts), labels, strict=True):
        assert found.label == label
        assert found.confidence > 0.8
        assert len(found.others) == 3
        assert found.confidence + sum(p for _, p in found.others) == pytest.approx(1)
        assert {int(past.labels[i]) for i in found.neighbours} == {int(label)}


def test_few_cases_are_enough_to_answer_but_not_to_be_sure() -> None:
    router = fit_router(past_of(6), 4)
    vectors, _, texts = blobs(3, 4, 3.0, 8)
    found = route(router, vectors, texts)
    assert len(found) == 3
    assert all(0.25 <= r.confidence < 0.99 for r in found)


def test_fields_that_cases_always_needed_are_asked_for_at_once() -> None:
    filled = np.zeros((40, 3), dtype=bool)
    filled[:38, 0] = True
    filled[:20, 1] = True
    filled[:, 2] = True
    found = needed_fields(("log file", "plan", "os"), filled, already=frozenset({"os"}))
    assert [(f.name, f.filled, f.cases) for f in found] == [("log file", 38, 40)]
    assert [f.name for f in needed_fields(("log file", "plan", "os"), filled, least=0.3)] == [
        "os",
        "log file",
        "plan",
    ]
    assert needed_fields(("os",), np.zeros((0, 1), dtype=bool)) == []


def test_what_nearly_all_other_cases_have_is_not_needed_however_many_of_these_have_it():
    filled = np.ones((300, 2), dtype=bool)
    assert needed_fields(("channel", "log"), filled, usual=(0.0, 0.0))[0].low > 0.98
    found = needed_fields(("channel", "log"), filled, usual=(0.96, 0.9))
    assert [f.name for f in found] == ["log"]


def test_the_ridge_is_the_one_that_predicts_later_cases_better(monkeypatch) -> None:
    """Many classes that are far apart want less of it than few that lie over each other."""
    clear, dim = past_of(1200, classes=40, spread=0.8), past_of(1200, classes=3, spread=3.0)
    asked = blobs(600, 40, 0.8, 9)

    def loss(router: Router) -> float:
        p = probabilities(router, asked[0], asked[2])
        return -float(np.log(p[np.arange(600), asked[1]]).mean())

    chosen, chosen_dim = fit_router(clear, 40), fit_router(dim, 3)
    monkeypatch.setattr(routing, "RIDGES", (1.0,))
    usual, usual_dim = fit_router(clear, 40), fit_router(dim, 3)
    assert np.linalg.norm(chosen.weights) > 1.2 * np.linalg.norm(usual.weights)
    assert loss(chosen) < loss(usual)
    assert np.array_equal(chosen_dim.weights, usual_dim.weights)


def test_the_ridge_is_chosen_without_the_held_back_cases(monkeypatch) -> None:
    seen: list[int] = []
    choose = routing._chosen_ridge

    def spy(past: Past, classes: int) -> float:
        seen.append(int(past.labels.size))
        return choose(past, classes)

    monkeypatch.setattr(routing, "_chosen_ridge", spy)
    assert fit_router(past_of(400), 4).trial.cases == 100
    assert seen == [300]
