"""Groups of new cases: planted ones are found whole, chance makes none, small bases none either."""

import numpy as np
import pytest

from kbagent.core.patterns.newcomers import groups, resembled

WIDTH = 48


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def desk(rng: np.random.Generator, count: int) -> np.ndarray:
    """Cases about forty themes: most have something alike before them, as on a real desk."""
    themes = np.random.default_rng(1).standard_normal((40, WIDTH))
    return unit(themes[rng.integers(0, 40, count)] + 0.9 * rng.standard_normal((count, WIDTH)))


def problem(rng: np.random.Generator, count: int) -> np.ndarray:
    return unit(rng.standard_normal(WIDTH) + 0.5 * rng.standard_normal((count, WIDTH)))


@pytest.mark.parametrize("size", [3, 5, 12])
def test_a_new_problem_is_found_whole(size: int) -> None:
    rng = np.random.default_rng(size)
    recent = np.concatenate((desk(rng, 40), problem(rng, size)))
    (one,) = groups(recent, desk(rng, 900))
    assert set(one.members) <= set(range(40, 40 + size))
    assert len(one.members) >= min(size, 3)
    assert one.p <= 0.01
    assert 0.5 < one.similarity < 1.0


def test_two_new_problems_are_two_groups() -> None:
    rng = np.random.default_rng(21)
    recent = np.concatenate((problem(rng, 5), desk(rng, 40), problem(rng, 6)))
    found = groups(recent, desk(rng, 900))
    assert sorted(min(one.members) for one in found) == [0, 45]


def test_chance_makes_no_group() -> None:
    rng = np.random.default_rng(2)
    told = [groups(desk(rng, 40), desk(rng, 900)) for _ in range(60)]
    assert sum(bool(found) for found in told) <= 2


def test_a_problem_that_was_there_before_is_not_new() -> None:
    rng = np.random.default_rng(3)
    many = problem(rng, 60)
    recent = np.concatenate((desk(rng, 40), many[:5]))
    assert groups(recent, np.concatenate((desk(rng, 900), many[5:]))) == []


@pytest.mark.parametrize(("recent", "earlier"), [(0, 0), (2, 50), (5, 0), (5, 5)])
def test_with_too_little_nothing_is_said(recent: int, earlier: int) -> None:
    rng = np.random.default_rng(4)
    assert groups(problem(rng, recent).reshape(-1, WIDTH), desk(rng, earlier)) == []


def test_the_earlier_issue_is_the_one_with_the_nearest_case() -> None:
    rng = np.random.default_rng(5)
    new = problem(rng, 4)
    earlier = np.concatenate((desk(rng, 30), unit(new.mean(axis=0, keepdims=True))))
    issues = [*range(100, 130), 7]
    assert resembled(new, earlier, issues)[0] == 7
    assert resembled(new, earlier, [-1] * 31) is None
    assert resembled(new, earlier[:0], []) is None
