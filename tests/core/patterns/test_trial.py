"""A router's trial: passed by reading something, not by the most frequent class or by luck."""

import numpy as np
import pytest

from kbagent.core.patterns.routing import Past, fit_router
from kbagent.core.patterns.trial import trial_of
from tests.core.patterns.test_routing import blobs


def past_of(labels: np.ndarray, seed: int) -> Past:
    """Texts of four kinds under these labels."""
    vectors, _, texts = blobs(labels.size, 4, 1.5, seed)
    return Past(vectors, texts, labels, np.arange(labels.size)[::-1] / 10)


def test_figures_are_those_of_the_forecasts_given():
    p = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    found = trial_of(p, np.array([0, 0, 1, 1]), np.linspace(0, 1, 101))
    assert (found.cases, found.right, found.usual, found.usual_right) == (4, 0.75, 0, 0.5)
    # differences 0, 0, 1, 0: mean 1/4, standard error 1/4
    assert found.gain == pytest.approx(0.25 - 1.959964 * 0.25)
    assert found.similar == pytest.approx(0.05)


def test_probabilities_can_be_sharper_where_labels_are_not():
    rng = np.random.default_rng(1)
    share = np.where(np.arange(2000) % 2, 0.4, 0.02)
    labels = (rng.random(2000) < share).astype(int)
    found = trial_of(np.stack((1 - share, share), axis=1), labels, np.ones(1))
    assert found.gain <= 0 < found.sharper


def test_a_router_of_labels_by_chance_seldom_passes():
    passed = 0
    for seed in range(20):
        labels = np.random.default_rng(seed).choice(3, 240, p=(0.6, 0.2, 0.2))
        trial = fit_router(past_of(labels, seed), 3).trial
        assert trial is not None
        passed += trial.gain > 0
    assert passed <= 2


def test_a_router_that_reads_passes_and_is_tried_on_the_latest_quarter():
    vectors, labels, texts = blobs(400, 4, 1.5, 3)
    trial = fit_router(Past(vectors, texts, labels, np.arange(400)[::-1] / 10), 4).trial
    assert trial is not None
    assert trial.cases == 100
    assert trial.gain > 0.2


def test_too_few_cases_are_no_trial():
    assert fit_router(past_of(np.arange(30) % 2, 1), 2).trial is None
