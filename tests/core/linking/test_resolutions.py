"""Approaches: the same fix in other words is one, anything doubtful stays two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.linking.resolutions import FixText, contradict, group_resolutions


def fix(text: str, code: str | None = None, *identifiers: str) -> FixText:
    return FixText(frozenset(text.lower().split()), frozenset(identifiers), code)


def with_cosine(cosine: float) -> np.ndarray:
    return np.array([[1.0, 0.0], [cosine, (1 - cosine**2) ** 0.5]], dtype=np.float32)


@pytest.mark.parametrize(
    ("cosine", "texts", "grouped"),
    [
        (0.85, (fix("restart the spooler"), fix("spooler restarted")), True),
        (0.65, (fix("restart the spooler"), fix("reinstall the driver")), False),
        (0.65, (fix("restart it", "SPOOL"), fix("bounced the service", "spool")), True),
        (0.95, (fix("restart it", "SPOOL"), fix("restart it", "DRIVER")), False),
        (0.95, (fix("enable sync"), fix("disable sync")), False),
        (0.95, (fix("do not clear the cache"), fix("clear the cache")), False),
        (0.95, (fix("update", None, "115.3"), fix("update", None, "102.1")), False),
        (0.95, (fix("update", None, "115.3"), fix("update now")), True),
    ],
)
def test_when_two_texts_are_one_approach(
    cosine: float, texts: tuple[FixText, FixText], *, grouped: bool
) -> None:
    roots = group_resolutions(with_cosine(cosine), texts)
    assert bool(roots[0] == roots[1]) is grouped


def test_people_outrank_similarity() -> None:
    near, far = with_cosine(0.99), with_cosine(0.1)
    texts = (fix("one"), fix("two"))
    assert group_resolutions(near, texts, apart=[(0, 1)]).tolist() == [0, 1]
    assert group_resolutions(far, texts, same=[(0, 1)]).tolist() == [0, 0]


def test_a_chain_of_likeness_does_not_make_one_approach() -> None:
    angles = np.deg2rad([0, 30, 60, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    roots = group_resolutions(vectors, [fix(str(n)) for n in range(4)])
    assert roots[0] != roots[3]


def test_no_resolutions_make_no_groups() -> None:
    assert group_resolutions(np.zeros((0, 3), dtype=np.float32), []).shape == (0,)


@given(st.integers(1, 9), st.integers(0, 10**6))
def test_grouping_follows_the_texts_not_their_order(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(size, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [fix(str(n)) for n in range(size)]
    order = rng.permutation(size)
    plain = group_resolutions(vectors, texts)
    moved = group_resolutions(vectors[order], [texts[i] for i in order])
    for i in range(size):
        for j in range(size):
            assert (moved[i] == moved[j]) == (plain[order[i]] == plain[order[j]])


def test_contradiction_is_symmetric() -> None:
    one, other = fix("turn sync on"), fix("turn sync off")
    assert contradict(one, other)
    assert contradict(other, one)
