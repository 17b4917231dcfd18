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


def test_one_problem_with_an_old_and_a_new_fix_is_one_issue() -> None:
    rng = np.random.default_rng(0)
    problems = unit(*(np.array([1, 1, 1, 0]) + 0.5 * rng.normal(size=4) for _ in range(8)))
    fixes = unit(*([1, 0, 0, 0] if row < 4 else [0, 1, 0, 0] for row in range(8)))
    assert len(set(joint_groups(problems, fixes).tolist())) == 1
