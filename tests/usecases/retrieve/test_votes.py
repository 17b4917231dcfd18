"""Who wins a vote, and how relatives speak for one another."""

from kbagent.usecases.retrieve.votes import related, vote_of

KIN = related([(1, 2)])


def test_without_relatives_each_issue_speaks_for_itself():
    votes = vote_of([0.8, 0.8, 0.7], [1, 2, 2])
    assert votes.winner.issue == 2
    assert [issue for issue, _ in votes.family] == [2]
    assert [issue for issue, _ in votes.shares] == [2, 1]


def test_relatives_count_as_one_named_by_the_one_with_the_most_votes():
    apart, together = (vote_of([0.8, 0.79, 0.78], [1, 3, 2], kin) for kin in ({}, KIN))
    assert (together.winner.issue, together.winner.runner_up) == (1, 3)
    assert together.winner.share > apart.winner.share
    assert together.voters == (1, 3, 1)
    assert [issue for issue, _ in together.family] == [1, 2]
    assert sum(share for _, share in together.shares) == 1.0


def test_the_family_with_most_votes_wins_over_a_stronger_single_issue():
    strengths, voters = [0.8, 0.79, 0.78], [3, 1, 2]
    assert vote_of(strengths, voters).winner.issue == 3
    votes = vote_of(strengths, voters, KIN)
    assert votes.winner.issue == 1
    assert votes.near == 0.79  # of its own nearest case, not of the stranger's


def test_relatives_of_relatives_are_strangers():
    votes = vote_of([0.8, 0.79, 0.78], [1, 3, 3], related([(1, 2), (2, 3)]))
    assert set(votes.voters) == {1, 3}


def test_another_of_the_family_can_speak_for_it():
    votes = vote_of([0.8, 0.79, 0.7], [1, 2, 3], KIN).spoken_by(2)
    assert votes.winner.issue == 2
    assert (votes.shares[0][0], votes.voters) == (2, (2, 2, 3))
