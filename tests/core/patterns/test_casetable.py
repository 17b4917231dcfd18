"""Cases as columns: a case with several levels has each of them, in every part of the cases."""

import numpy as np

from kbagent.core.patterns.casetable import UNRECORDED, Factor, features_of


def version() -> Factor:
    """Case 1 has the levels a and c, case 3 all three; they are stratified by c."""
    codes = np.array([0, 2, 1, 2, UNRECORDED], dtype=np.int32)
    beside = np.array([[1, 3, 3], [0, 0, 1]], dtype=np.int32)
    return Factor("version", ("a", "b", "c"), codes, beside=beside)


def columns(factor: Factor) -> list[list[int]]:
    features = features_of([factor])
    return [features.column(j).tolist() for j in range(len(features))]


def test_a_case_of_several_levels_has_each():
    assert columns(version()) == [[0, 1, 3], [2, 3], [1, 3]]
    assert [version().with_it(level).tolist() for level in range(3)] == columns(version())


def test_a_part_of_the_cases_is_renumbered():
    part = version().restricted(np.array([False, True, False, True, True]))
    assert part.codes.tolist() == [2, 2, UNRECORDED]
    assert columns(part) == [[0, 1], [1], [0, 1]]


def test_a_part_without_them_has_one_level_each():
    part = version().restricted(np.array([True, False, True, False, True]))
    assert part.beside.size == 0
    assert columns(part) == [[0], [1], []]
