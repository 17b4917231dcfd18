"""Openings of sentences as features."""

from kbagent.core.patterns.openings import clause_openings_of, opening_features, openings_of


def test_the_longest_of_the_same_texts_is_kept():
    texts = [f"Restart {i}. You will know it worked when {i} is green." for i in range(3)]
    found = opening_features(texts, 3)
    assert found.names == ("“you will know it worked when …”",)
    assert found.column(0).tolist() == [0, 1, 2]


def test_a_shorter_one_that_more_texts_have_is_another():
    texts = ["Let us know now please", "Let us know now please", "Let us know"]
    found = opening_features(texts, 2)
    assert found.names == ("“let us know …”", "“let us know now please …”")


def test_what_a_clause_begins_with_is_told_beside_what_a_sentence_begins_with():
    texts = [
        "You will know it worked when it is green.",
        "You will know it worked when it is red.",
        "That takes a while, and you will know it worked when it is green.",
        "Give it a minute – you will know it worked when it is green.",
        "Ask whether you will know it worked when it is green.",
    ]
    found = opening_features(texts, 2)
    assert found.names == ("“you will know it worked when …”", "“… you will know it worked when …”")
    assert found.column(0).tolist() == [0, 1]
    assert found.column(1).tolist() == [0, 1, 2, 3]


def test_what_no_clause_adds_to_is_told_once():
    texts = ["Let us know now. Else, let us know now"] * 3
    assert opening_features(texts, 2).names == ("“else let us know now …”", "“let us know now …”")


def test_a_joining_word_costs_the_opening_no_word():
    assert clause_openings_of("yes, but one two three four five six seven") == openings_of(
        "one two three four five six"
    )


def test_nothing_has_no_openings():
    assert openings_of("") == set()
    assert len(opening_features([], 1)) == 0
