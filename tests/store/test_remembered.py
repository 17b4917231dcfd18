"""Columns by id say what was read, once, and what is not there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kbagent.store.remembered import NONE, CaseVectors, IdColumn, distinct

IDS = st.lists(st.integers(1, 60), max_size=30)


@given(st.lists(IDS, max_size=5))
def test_a_column_answers_as_what_it_reads_from_and_reads_nothing_twice(asked: list[list[int]]):
    truth = {one: 1000 + one for one in range(1, 61) if one % 3}
    column, read = IdColumn(), list[int]()

    def some(missing: list[int]) -> dict[int, int]:
        read.extend(missing)
        return {one: truth[one] for one in missing if one in truth}

    for ids in asked:
        found = column.of(np.array(ids, dtype=np.int64), some)
        assert found.tolist() == [truth.get(one, NONE) for one in ids]
    assert len(read) == len(set(read))


@given(st.lists(IDS, min_size=1, max_size=5))
def test_vectors_come_in_the_order_asked_for_whatever_was_read_before(asked: list[list[int]]):
    passages = {one: one % 4 for one in range(1, 61)}  # how many each case has

    def some(missing: list[int]) -> tuple[np.ndarray, np.ndarray]:
        owners = [one for one in missing for _ in range(passages[one])]
        rows = [[one, number] for one in missing for number in range(passages[one])]
        return np.array(owners, dtype=np.int64), np.array(rows, dtype=np.float32).reshape(-1, 2)

    kept = CaseVectors()
    for ids in asked:
        positions, rows = kept.of(np.array(ids, dtype=np.int64), some)
        wanted = [(at, one, n) for at, one in enumerate(ids) for n in range(passages[one])]
        assert positions.tolist() == [at for at, _, _ in wanted]
        assert rows.tolist() == [[one, number] for _, one, number in wanted]


def test_distinct_ids_ascend() -> None:
    assert distinct(np.array([3, 1, 3, 2, 1])).tolist() == [1, 2, 3]
    assert distinct(np.zeros(0, dtype=np.int64)).tolist() == []
