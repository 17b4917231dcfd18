"""Grouping by problem and fix together."""

import numpy as np

from kbagent.core.linking.joint import joint_groups


def unit(*rows: list[float]) -> np.ndarray:
    matrix = np.array(rows, dtype=np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


PROBLEMS = unit([1, 0.7, 0, 0], [0.7, 1, 0, 0], [0, 0, 1, 0.7], [0, 0, 0.7, 1])


def test_alike_problems_with_one_fix_are_one_issue() -> None:
    fixes = unit([1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0])
    assert joint_groups(PROBLEMS, fixes).tolist() == [0, 0, 2, 2]


def test_the_same_fix_does_not_join_strangers() -> None:
    fixes = unit([1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0])
    found = joint_groups(PROBLEMS, fixes).tolist()
    assert found[0] != found[2]


def test_somewhat_alike_problems_with_other_fixes_stay_apart() -> None:
    problems = unit([1, 0.3, 0, 0], [0.3, 1, 0, 0])
    assert joint_groups(problems, unit([1, 0, 0, 0], [0, 1, 0, 0])).tolist() == [0, 1]
    assert joint_groups(problems, unit([1, 0, 0, 0], [1, 0, 0, 0])).tolist() == [0, 0]


def test_pairs_that_are_not_the_same_never_meet() -> None:
    fixes = unit([1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0])
    assert joint_groups(PROBLEMS, fixes, apart=((0, 1),)).tolist() == [0, 1, 2, 2]


def test_no_cases_are_no_groups() -> None:
    empty = np.zeros((0, 4), dtype=np.float32)
    assert joint_groups(empty, empty).shape == (0,)


def about(centre: list[float], count: int, rng: np.random.Generator) -> list[list[float]]:
    return [(np.array(centre) + 0.4 * rng.normal(size=len(centre))).tolist() for _ in range(count)]


def test_one_problem_with_an_old_and_a_new_fix_is_one_issue() -> None:
    rng = np.random.default_rng(0)
    ours = about([2, 0, 0, 0, 0, 0], 8, rng)
    others = [row for axis in range(1, 6) for row in about(np.eye(6)[axis].tolist(), 4, rng)]
    fixes = [[1.0 if axis == at else 0.0 for axis in range(7)] for at in [0] * 4 + [1] * 4]
    fixes += [[1.0 if axis == 2 + n // 4 else 0.0 for axis in range(7)] for n in range(20)]
    roots = joint_groups(unit(*ours, *others), unit(*fixes))
    assert len(set(roots[:8].tolist())) == 1
    assert not set(roots[:8].tolist()) & set(roots[8:].tolist())


def test_what_every_case_has_in_common_is_no_likeness() -> None:
    rng = np.random.default_rng(1)
    common = np.array([3.0, 0, 0, 0])
    rows = [common + row for at in (1, 2) for row in about((1.5 * np.eye(4)[at]).tolist(), 6, rng)]
    fixes = unit(*([1, 0] if row < 6 else [0, 1] for row in range(12)))
    roots = joint_groups(unit(*rows), fixes)
    assert not set(roots[:6].tolist()) & set(roots[6:].tolist())


def test_two_cases_alone_need_more_than_a_weak_likeness() -> None:
    weak = np.array([[1.0, 0.0], [0.35, (1 - 0.35**2) ** 0.5]], dtype=np.float32)
    assert joint_groups(weak, weak).tolist() == [0, 1]
