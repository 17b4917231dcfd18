"""Which question splits the candidates best."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from kbagent.core.verification.questions import Candidate, best_question, information_gain


def test_the_gain_agrees_with_mutual_information_by_scipy():
    table = np.array([[3.0, 1.0, 0.5], [0.2, 2.0, 1.0], [1.0, 1.0, 4.0]])
    joint = table / table.sum()
    expected = (
        entropy(joint.sum(0), base=2)
        + entropy(joint.sum(1), base=2)
        - entropy(joint.ravel(), base=2)
    )
    weights = {i: {str(j): table[i, j] for j in range(3)} for i in range(3)}
    assert information_gain(weights) == pytest.approx(expected)


@given(
    st.dictionaries(
        st.integers(0, 5), st.dictionaries(st.sampled_from("abc"), st.floats(0, 9), max_size=3)
    )
)
def test_the_gain_is_never_negative_nor_above_the_uncertainty(weights):
    gain = information_gain(weights)
    assert 0 <= gain <= np.log2(max(1, len(weights))) + 1e-9


def test_the_facet_that_splits_wins_over_one_that_does_not():
    one = Candidate(1, 0.5, tuple({"os": "linux", "version": "115"} for _ in range(4)))
    two = Candidate(2, 0.5, tuple({"os": "macos", "version": "115"} for _ in range(4)))
    question = best_question([one, two])
    assert question is not None
    assert (question.facet, question.choices, question.known_for) == ("os", ("linux", "macos"), 1.0)


def test_what_was_asked_is_not_asked_again_and_nothing_is_asked_in_vain():
    one = Candidate(1, 0.5, ({"os": "linux"},) * 4)
    two = Candidate(2, 0.5, ({"os": "macos"},) * 4)
    assert best_question([one, two], asked=["os"]) is None
    assert best_question([one, Candidate(3, 0.5, one.cases)]) is None
    assert best_question([]) is None


def test_a_facet_on_record_for_few_counts_for_less():
    both = Candidate(1, 0.5, ({"os": "linux", "rare": "x"},) * 4)
    other = Candidate(2, 0.5, ({"os": "macos"},) * 4)
    question = best_question([both, other])
    assert question is not None
    assert question.facet == "os"


def test_one_case_each_is_a_weaker_split_than_many():
    def gain(n):
        found = best_question(
            [Candidate(1, 0.5, ({"os": "a"},) * n), Candidate(2, 0.5, ({"os": "b"},) * n)]
        )
        return found.gain if found else 0.0

    assert gain(1) < gain(10) < 1.0
