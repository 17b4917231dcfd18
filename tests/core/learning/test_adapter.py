"""The adapter: its gradient, what it gains, and what its validation refuses."""

import numpy as np
import pytest

from kbagent.core.learning import adapter
from kbagent.core.learning.adapter import Effect, Training, Validation


def world(seed: int, issues: int, each: int, width: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Cases whose issue shows in 8 dimensions and whose wording is noise in the other 16."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(issues, 8))
    label = np.tile(np.arange(issues), each)
    signal = centres[label] + 0.3 * rng.normal(size=(len(label), 8))
    noise = 1.5 * rng.normal(size=(len(label), width - 8))
    x = np.hstack([signal, noise]).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True), label


def loss(x: np.ndarray, label: np.ndarray, matrix: np.ndarray, temperature: float) -> float:
    """The loss as the paper writes it, with loops."""
    z = x @ matrix
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    terms = []
    for i in range(len(z)):
        others = [j for j in range(len(z)) if j != i]
        partners = [j for j in others if label[j] == label[i]]
        if partners:
            total = np.log(sum(np.exp(z[i] @ z[j] / temperature) for j in others))
            terms.append(-np.mean([z[i] @ z[p] / temperature - total for p in partners]))
    return float(np.mean(terms))


def test_gradient_agrees_with_finite_differences() -> None:
    x, label = world(1, issues=3, each=3, width=10)
    x = x.astype(np.float64)
    label[-1] = 99
    matrix = np.eye(10) + 0.1 * np.random.default_rng(2).normal(size=(10, 10))
    gradient = adapter._gradient(x, label, matrix, Training(temperature=0.5))
    for i, j in ((0, 0), (3, 7), (9, 2)):
        step = np.zeros((10, 10))
        step[i, j] = 1e-5
        numeric = (loss(x, label, matrix + step, 0.5) - loss(x, label, matrix - step, 0.5)) / 2e-5
        assert gradient[i, j] == pytest.approx(numeric, rel=1e-3, abs=1e-5)


def test_it_learns_which_directions_matter_also_for_unseen_issues() -> None:
    x, label = world(3, issues=40, each=14)
    order = np.random.default_rng(0).permutation(len(x))
    training = Training(steps=120, half=20.0)
    found = adapter.validate(x[order], label[order], np.random.default_rng(1), training)
    assert found.known.change > 0.1
    assert found.unseen.change > 0.05
    assert found.acceptable


def test_a_loss_on_unseen_issues_is_refused() -> None:
    good = Effect(100, 0.5, 0.6, 0.1, 0.05, 0.15)
    bad = Effect(100, 0.5, 0.4, -0.1, -0.15, -0.05)
    unsure = Effect(100, 0.5, 0.49, -0.01, -0.03, 0.01)
    assert not Validation(known=good, unseen=bad).acceptable
    assert Validation(known=good, unseen=unsure).acceptable
    assert not Validation(known=unsure, unseen=good).acceptable


def test_without_pairs_there_is_nothing_to_learn() -> None:
    x, _ = world(4, issues=5, each=1)
    matrix = adapter.fit(x, np.arange(5), np.random.default_rng(0))
    assert np.array_equal(matrix, np.eye(24, dtype=np.float32))


def test_little_evidence_changes_little() -> None:
    x, label = world(5, issues=6, each=5)
    whole = adapter.fit(x, label, np.random.default_rng(0), Training(half=0.0)) - np.eye(24)
    half = adapter.fit(x, label, np.random.default_rng(0), Training(half=30.0)) - np.eye(24)
    assert half == pytest.approx(whole / 2, abs=1e-6)


def test_a_strong_pull_keeps_the_identity() -> None:
    x, label = world(5, issues=6, each=5)
    free = adapter.fit(x, label, np.random.default_rng(0), Training(pull=0.0))
    held = adapter.fit(x, label, np.random.default_rng(0), Training(pull=1e4))
    assert np.abs(held - np.eye(24)).max() < 0.1 * np.abs(free - np.eye(24)).max()


def test_the_same_seed_gives_the_same_matrix() -> None:
    x, label = world(6, issues=30, each=50)
    once, again = (
        adapter.fit(x, label, np.random.default_rng(3), Training(steps=5)) for _ in range(2)
    )
    assert np.array_equal(once, again)


def test_r_precision_by_hand() -> None:
    pool = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.8, 0.3]], dtype=np.float32)
    queries = np.array([[1, 0], [0, 1]], dtype=np.float32)
    found = adapter.r_precision(queries, np.array([7, 5]), pool, np.array([7, 8, 8, 7]))
    assert found[0] == 0.5
    assert np.isnan(found[1])
