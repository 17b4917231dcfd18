"""Words of the past, asked with only what was there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kbagent.core.retrieval.chronicle import Chronicle

DOCUMENTS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=8)


@given(DOCUMENTS, DOCUMENTS, st.lists(st.sampled_from("abcdef"), max_size=4))
def test_later_documents_change_nothing(
    then: list[list[str]], later: list[list[str]], asked: list[str]
) -> None:
    alone = Chronicle(then).ask(asked, len(then))
    among = Chronicle([*then, *later]).ask(asked, len(then))
    assert np.array_equal(alone.scores, among.scores)
    assert (alone.ceiling, alone.idf) == (among.ceiling, among.idf)
    assert (alone.scores <= alone.ceiling).all()


def test_nothing_is_known_at_the_beginning() -> None:
    found = Chronicle([["a"]]).ask(["a"], 0)
    assert (len(found.scores), found.ceiling, found.idf) == (0, 0.0, {})
