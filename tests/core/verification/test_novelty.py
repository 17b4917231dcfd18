"""Novelty: kinship against scipy's densities, words by hand, and a small world end to end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from kbagent.core.verification.kinship import fit_kinship
from kbagent.core.verification.novelty import (
    DEFAULT_NOVELTY,
    SIGNALS,
    Neighbours,
    NoveltyModel,
    fit_novelty,
    margins,
    member_density,
    observe,
    rescaled,
    threshold_at,
)
from kbagent.core.verification.rehearsal import History, learn_novelty, refer, rehearse
from kbagent.core.verification.words import Words, count_words

D = 12


def world(rng, issues, size, first=0):
    """Cases around random centres; each issue has two words of its own and shares one."""
    centres = rng.normal(size=(issues, D))
    ids = np.repeat(np.arange(first, first + issues), size)
    x = centres[ids - first] + 0.6 * rng.normal(size=(len(ids), D))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    words = tuple(frozenset({"mail", f"w{i}", f"v{i}"}) for i in ids.tolist())
    codes = tuple(frozenset({f"e{i}"}) if i % 2 else frozenset() for i in ids.tolist())
    return History(x, ids, words, codes)


def test_kinship_is_the_log_density_ratio_of_the_two_covariance_model():
    rng = np.random.default_rng(0)
    history = world(rng, 20, 6)
    model = fit_kinship(history.vectors, history.issues)
    back = np.linalg.inv(model.base)
    within, between = back @ back.T, back @ np.diag(model.spread) @ back.T
    x = rng.normal(size=D) / 4
    members = history.vectors[history.issues == 3]
    n = len(members)
    gain = between @ np.linalg.inv(between + within / n)
    centre = model.centre + gain @ (members.mean(axis=0) - model.centre)
    known = multivariate_normal(centre, within + between - gain @ between).logpdf(x)
    new = multivariate_normal(model.centre, within + between).logpdf(x)
    expected = (known - new) / np.sqrt(D)
    assert model.scores(x)[0, 3] == pytest.approx(expected, rel=1e-6)


def test_more_members_make_the_same_place_stronger_evidence():
    rng = np.random.default_rng(1)
    base = world(rng, 20, 6)
    at = base.vectors[0]
    few = fit_kinship(np.vstack([base.vectors, at]), np.append(base.issues, 99))
    many = fit_kinship(np.vstack([base.vectors] + [at] * 8), np.append(base.issues, [99] * 8))
    assert many.scores(at)[0, -1] > few.scores(at)[0, -1]


def test_kinship_of_some_issues_is_that_of_all_at_their_places():
    history = world(np.random.default_rng(2), 10, 4)
    model = fit_kinship(history.vectors, history.issues)
    everything = model.scores(history.vectors[:3])
    assert np.allclose(model.scores(history.vectors[:3], [7, 2]), everything[:, [7, 2]])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_kinship_is_finite_for_any_history(issues):
    x = np.random.default_rng(3).normal(size=(len(issues), 5))
    model = fit_kinship(x, issues)
    assert np.isfinite(model.scores(x)).all()
    assert model.scores(x).shape == (len(issues), len(set(issues)))


def test_words_by_hand():
    words = Words(100, {"mail": 50, "tray": 10}, {1: (10, {"mail": 10, "tray": 5})})
    mail = np.log((10 + 10 * 0.5) / 20) - np.log(0.5)
    tray = np.log((5 + 10 * 0.1) / 20) - np.log(0.1)
    assert words.fit(["mail", "tray", "mail"], [1]) == pytest.approx((mail + tray) / np.sqrt(2))
    assert words.fit(["mail", "zebra"], [1]) == pytest.approx((mail - 2.0) / np.sqrt(2))


def test_words_without_text_or_candidates():
    words = count_words([["mail"]], [1])
    assert words.fit([], [1]) == 0.0
    assert words.fit(["mail"], []) == 0.0
    assert words.fit(["unknown"], []) == -2.0


def test_margin_is_the_gap_to_another_issue():
    near = Neighbours(
        np.array([[0.9, 0.8, 0.5], [0.7, 0.6, 0.4]]),
        np.array([[1, 1, 2], [3, 3, 3]]),
        np.zeros((2, 3)),
    )
    assert margins(near) == pytest.approx([0.4, 0.3])


def test_density_by_hand_and_for_a_case_alone():
    x = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [1.0, 0.0]])
    assert member_density(x, [5, 5, 5, 9]) == pytest.approx([0.3, 0.7, 0.4, 1.4 / 3])
    assert member_density(x, [1, 2, 3, 4]).tolist() == [0.0] * 4


def test_unknown_identifiers_make_a_text_more_novel_and_known_ones_less():
    history = world(np.random.default_rng(4), 6, 5)
    reference = refer(history)
    near = Neighbours(np.full((3, 2), 0.5), np.zeros((3, 2), dtype=int), np.full((3, 2), 0.5))
    signals = observe(
        history.vectors[:3],
        [["mail"]] * 3,
        near,
        reference.kinship,
        reference.words,
        [(2, 0), (0, 0), (2, 2)],
    )
    assert signals[:, SIGNALS.index("identifiers")].tolist() == [0.5, 0.0, -0.5]


def test_the_logistic_line_agrees_with_scikit_learn():
    rng = np.random.default_rng(5)
    known, new = rng.normal(0, 1, (300, 7)), rng.normal(0.8, 1.3, (60, 7))
    model = fit_novelty(known, new)
    x = np.vstack([known, new])
    scaled = (x - known.mean(0)) / known.std(0)
    y = np.r_[np.zeros(300), np.ones(60)]
    oracle = LogisticRegression(C=1.0, tol=1e-10, max_iter=2000)
    oracle.fit(scaled, y, sample_weight=np.where(y > 0, 180 / 60, 180 / 300))
    assert np.allclose(model.logits(x), oracle.decision_function(scaled), atol=0.02)


def test_the_default_takes_every_signal_but_kinship_as_a_sign_of_novelty():
    for name in SIGNALS:
        signals = np.array(DEFAULT_NOVELTY.means)
        before = float(DEFAULT_NOVELTY.novelty(signals)[0])
        signals[SIGNALS.index(name)] += 0.2
        after = float(DEFAULT_NOVELTY.novelty(signals)[0])
        assert after == before if name == "kinship" else after > before


def test_rescaling_keeps_the_weights_and_undoes_a_change_of_units():
    rng = np.random.default_rng(6)
    known, new = rng.normal(0, 1, (200, 7)), rng.normal(1, 1, (50, 7))
    model = fit_novelty(known, new)
    moved = rescaled(model, known * 3 + 5)
    assert np.allclose(moved.logits(new * 3 + 5), model.logits(new))


def test_contributions_add_up_to_the_logit():
    model = NoveltyModel((1.0,) * 7, -2.0, (0.5,) * 7, (2.0,) * 7)
    parts = model.contributions([1.5] * 7)
    assert parts["kinship"] == 0.5
    assert -2.0 + sum(parts.values()) == pytest.approx(float(model.logits([1.5] * 7)[0]))


def test_the_threshold_refuses_no_more_than_it_may():
    logits = np.arange(100.0)
    limit = threshold_at(logits, 0.05)
    assert (logits > limit).sum() == 5


def test_a_history_teaches_what_is_new_without_an_example_of_it():
    rng = np.random.default_rng(7)
    history = world(rng, 40, 12)
    model = learn_novelty(history, np.random.default_rng(8))
    reference = refer(history)
    again = History(
        history.vectors + 0.05 * rng.normal(size=history.vectors.shape),
        history.issues, history.words, history.identifiers,
    )  # fmt: skip
    foreign = world(rng, 40, 12, first=1000)
    known, new = model.logits(reference.signals(again)), model.logits(reference.signals(foreign))
    truth = np.r_[np.zeros(len(known)), np.ones(len(new))]
    assert roc_auc_score(truth, np.r_[known, new]) > 0.97


def test_a_rehearsal_needs_two_issues():
    known, new = rehearse(world(np.random.default_rng(9), 1, 5), np.random.default_rng(0))
    assert known.shape == new.shape == (0, len(SIGNALS))


def test_a_rehearsal_repeats_with_the_same_seed():
    history = world(np.random.default_rng(10), 8, 6)
    first = rehearse(history, np.random.default_rng(1))
    second = rehearse(history, np.random.default_rng(1))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
