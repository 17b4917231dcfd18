"""Openings of sentences as features."""

from kbagent.core.patterns.openings import opening_features, openings_of


def test_the_longest_of_the_same_texts_is_kept():
    texts = [f"Restart {i}. You will know it worked when {i} is green." for i in range(3)]
    found = opening_features(texts, 3)
    assert found.names == ("“you will know it worked when …”",)
    assert found.column(0).tolist() == [0, 1, 2]


def test_a_shorter_one_that_more_texts_have_is_another():
    texts = ["Let us know now please", "Let us know now please", "Let us know"]
    found = opening_features(texts, 2)
    assert found.names == ("“let us know …”", "“let us know now please …”")


def test_nothing_has_no_openings():
    assert openings_of("") == set()
    assert len(opening_features([], 1)) == 0
