"""Assignment: known issues spread, strangers abstain, no order of rows matters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbagent.core.linking.assignment import assign, confidence, place
from kbagent.core.linking.discriminant import fit_discriminant
from kbagent.core.linking.neighbours import nearest_neighbours
from kbagent.core.linking.propagation import RETENTION, ROUNDS, propagate
from kbagent.core.linking.threshold import NEVER, choose_threshold, lowest_threshold


def world(
    seed: int, issues: int = 12, members: int = 10, spread: float = 0.08, dimension: int = 24
) -> tuple[np.ndarray, np.ndarray]:
    """Issues around random centres: vectors and the true issue of each."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(issues, dimension))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    truth = np.repeat(np.arange(issues), members)
    vectors = centres[truth] + spread * rng.normal(size=(len(truth), dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), truth


def test_known_issues_stay_and_the_others_come_home() -> None:
    vectors, truth = world(0)
    known = np.where(np.arange(len(truth)) % 3 == 0, truth, -1)
    found = assign(vectors, known, threshold=0.3)
    assert (found.issues[known >= 0] == known[known >= 0]).all()
    assert (found.confidences[known >= 0] == 1.0).all()
    joined = (known < 0) & (found.issues >= 0)
    assert joined.sum() > 0.9 * (known < 0).sum()
    assert (found.issues[joined] == truth[joined]).all()


def test_strangers_found_issues_of_their_own() -> None:
    vectors, truth = world(1)
    known = np.where((truth < 8) & (np.arange(len(truth)) % 2 == 0), truth, -1)
    found = assign(vectors, known, threshold=0.7)
    strangers = truth >= 8
    assert (found.issues[strangers] < 0).all()
    for issue in range(8, 12):
        assert len(set(found.groups[truth == issue].tolist())) == 1


def test_without_known_issues_everything_is_grouped() -> None:
    vectors, truth = world(2)
    found = assign(vectors, np.full(len(truth), -1))
    assert (found.issues == -1).all()
    assert (found.groups[:, None] == found.groups[None]).tolist() == (
        truth[:, None] == truth[None]
    ).tolist()


def test_no_cases_are_no_assignments() -> None:
    found = assign(np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.int64))
    assert found.issues.shape == found.groups.shape == (0,)


def test_one_case_alone_founds_its_issue() -> None:
    found = assign(np.array([[1.0, 0.0]], dtype=np.float32), np.array([-1]))
    assert found.groups.tolist() == [0]


def test_a_case_does_not_join_what_it_is_apart_from() -> None:
    vectors, truth = world(3)
    known = np.where(np.arange(len(truth)) % 2 == 0, truth, -1)
    assert assign(vectors, known, threshold=0.3).issues[1] == truth[1]
    kept = assign(vectors, known, threshold=0.3, apart=[(1, 0)])
    assert kept.issues[1] == -1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.2, 0.6]))
def test_any_order_of_cases_gives_the_same_issues(seed: int, linked: float) -> None:
    rng = np.random.default_rng(seed)
    vectors, truth = world(seed, spread=0.2)
    known = np.where(rng.random(len(truth)) < linked, truth, -1)
    order = rng.permutation(len(truth))
    plain = assign(vectors, known, threshold=0.5)
    moved = assign(vectors[order], known[order], threshold=0.5)
    assert (plain.issues[order] == moved.issues).all()
    one, other = plain.groups[order], moved.groups
    assert ((one[:, None] == one[None]) == (other[:, None] == other[None])).all()


def test_a_second_import_with_duplicates_of_the_first_joins_them() -> None:
    vectors, truth = world(4, members=6)
    later = np.arange(len(truth)) % 6 == 5
    first = assign(vectors[~later], np.full((~later).sum(), -1))
    issues = np.full(len(truth), -1)
    issues[~later] = first.groups
    second = assign(vectors, issues, threshold=0.5)
    for issue in range(12):
        assert len(set(second.issues[truth == issue].tolist())) == 1


def test_propagation_equals_the_dense_formula() -> None:
    vectors, truth = world(5, issues=4, members=6)
    known = np.where(np.arange(len(truth)) % 3 == 0, truth, -1)
    near = nearest_neighbours(vectors, 5)
    weights = np.zeros((len(truth), len(truth)))
    for row in range(len(truth)):
        for other, similarity in zip(near.positions[row], near.similarities[row], strict=True):
            weights[row, other] = np.exp((similarity - 1) / 0.05)
    weights = np.maximum(weights, weights.T)
    scale = 1 / np.sqrt(weights.sum(axis=1))
    transitions = scale[:, None] * weights * scale
    seeds = np.zeros((len(truth), 4))
    seeds[known >= 0, known[known >= 0]] = 1
    seeds /= np.sqrt(seeds.sum(axis=0))
    flow = seeds
    for _ in range(ROUNDS):
        flow = RETENTION * transitions @ flow + (1 - RETENTION) * seeds
    labels = propagate(near, known)
    shares = flow / flow.sum(axis=1, keepdims=True)
    assert (labels.issues[:, 0] == shares.argmax(axis=1)).all()
    assert labels.shares[:, 0] == pytest.approx(shares.max(axis=1))


def test_inside_a_known_issue_the_reach_is_high_and_far_off_it_is_low() -> None:
    vectors, truth = world(6)
    known = np.where((truth < 6) & (np.arange(len(truth)) % 2 == 0), truth, -1)
    reach = propagate(nearest_neighbours(vectors, 8), known).reach
    assert reach[(truth < 6) & (known < 0)].min() > 3 * reach[truth >= 6].max()


def test_the_discriminant_ignores_what_differs_within_issues() -> None:
    rng = np.random.default_rng(7)
    truth = np.repeat(np.arange(40), 10)
    centres = rng.normal(size=(40, 6)) * np.array([1, 1, 1, 0, 0, 0])
    vectors = centres[truth] + rng.normal(size=(400, 6)) * np.array([0.3, 0.3, 0.3, 2, 2, 2])
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    learned = fit_discriminant(vectors, truth)
    assert learned is not None

    def right(rows: np.ndarray) -> float:
        near = nearest_neighbours(rows.astype(np.float32), 1)
        return float((truth[near.positions[:, 0]] == truth).mean())

    assert right(learned.transform(vectors)) > right(vectors) + 0.1


def test_few_links_teach_nothing() -> None:
    vectors, truth = world(8, issues=5, members=10)
    assert fit_discriminant(vectors, truth) is None


def test_a_new_case_is_placed_by_its_neighbours() -> None:
    placed = place(np.array([0.9, 0.89, 0.5]), np.array([3, 3, 8]))
    assert placed is not None
    assert placed.issue == 3
    unsure = place(np.array([0.9, 0.9]), np.array([9, 3]))
    assert unsure is not None
    assert unsure.issue == 3
    assert unsure.share == pytest.approx(0.5)
    assert unsure.confidence < placed.confidence
    assert place(np.zeros(0), np.zeros(0, dtype=np.int64)) is None


def test_the_centre_decides_between_equal_neighbours() -> None:
    cosines, issues = np.array([0.8, 0.8, 0.79]), np.array([3, 9, 9])
    assert place(cosines[:2], issues[:2], central=np.array([0.5, 0.9])).issue == 9  # type: ignore[union-attr]
    assert place(cosines[:2], issues[:2], central=np.array([0.9, 0.5])).issue == 3  # type: ignore[union-attr]
    assert place(cosines, issues).issue == 9  # type: ignore[union-attr]


def test_a_crowd_far_off_does_not_outvote_a_rare_issue() -> None:
    cosines = np.concatenate([[0.85, 0.84], np.full(48, 0.62)])
    placed = place(cosines, np.array([1, 1] + [2] * 48))
    assert placed is not None
    assert placed.issue == 1


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 5), st.floats(0, 0.5))
def test_confidence_rises_with_each_of_its_terms(
    cosine: float, share: float, reach: float, more: float
) -> None:
    def sure(*terms: float) -> float:
        return float(confidence(*(np.array([term]) for term in terms))[0])

    plain = sure(cosine, share, reach)
    assert 0.0 <= plain <= 1.0
    assert sure(cosine + more, share, reach) >= plain
    assert sure(cosine, share + more, reach) >= plain
    assert sure(cosine, share, reach + more) >= plain


def test_the_lowest_threshold_keeps_the_precision_and_ties_together() -> None:
    sure = np.array([0.9, 0.8, 0.8, 0.7, 0.1])
    right = np.array([True, True, False, True, False])
    ones = np.ones(5)
    assert lowest_threshold(sure, right, ones, 1.0) == 0.9
    assert lowest_threshold(sure, right, ones, 0.75) == 0.7
    assert lowest_threshold(sure, right, ones, 0.5) == 0.1
    assert lowest_threshold(sure, ~right, ones, 0.99) == NEVER


def test_too_few_links_leave_the_documented_default() -> None:
    vectors, truth = world(9, issues=5, members=4)
    chosen = choose_threshold(vectors, truth)
    assert (chosen.confidence, chosen.learned_on) == (0.9, 0)


def test_a_learned_threshold_keeps_its_precision_on_cases_it_has_not_seen() -> None:
    vectors, truth = world(10, issues=60, members=12, spread=0.18)
    rng = np.random.default_rng(0)
    known = np.where((truth < 40) & (rng.random(len(truth)) < 0.6), truth, -1)
    chosen = choose_threshold(vectors, known, precision=0.9)
    assert chosen.learned_on >= 60
    found = assign(vectors, known, threshold=chosen.confidence)
    joined = (known < 0) & (found.issues >= 0)
    assert joined.sum() > 50
    assert (found.issues[joined] == truth[joined]).mean() >= 0.85


def test_among_a_few_cases_a_weak_similarity_makes_no_issue() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(5, 64)) + 0.8  # cosines near 0.4, and nothing else around
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = assign(vectors.astype(np.float32), np.full(5, -1))
    assert sorted(found.groups.tolist()) == [0, 1, 2, 3, 4]
