"""Contradiction: when two fixes exclude each other, and when one outcome gainsays all others.

Decides by words and by counts alone, and deliberately strictly: a fix that works in eight of ten
cases contradicts nothing when it fails once, and two long texts that happen to hold "enable" and
"disable" exclude nothing. Which of two contradicting things is right is for people to say.

The bound on a rate is Clopper and Pearson's (`bounds`), two rates are compared by Fisher's exact
test.
"""

from kbagent.core.linking.resolutions import CONTRARY, FixText
from kbagent.core.verification.bounds import hypergeometric_cdf, lower_bound, upper_bound

SAME_BUT_FOR = 0.6  # share of the other words that two excluding fixes must have in common
NEARLY_ALWAYS = 0.6  # lower bound of the others' rate from which a single opposite is remarkable:
# six of six (0.05^(1/6) = .607)
EITHER_SIDE = 0.025
MORE_OFTEN_THAN_NOT = 0.5  # rate that what people set aside must surely exceed


def exclude_each_other(one: FixText, other: FixText) -> bool:
    """Whether two fixes say the contrary of each other in otherwise much the same words.

    Exactly one contrary pair ("enable", "disable") is divided between them, and of all other
    words at least `SAME_BUT_FOR` are common.

    >>> words = frozenset("the sync option in settings".split())
    >>> exclude_each_other(FixText(words | {"enable"}), FixText(words | {"disable"}))
    True
    >>> exclude_each_other(FixText(words | {"enable"}), FixText(frozenset({"disable", "wifi"})))
    False
    """
    mine, theirs = one.words - other.words, other.words - one.words
    divided = [pair for pair in CONTRARY if len(pair & mine) == 1 and len(pair & theirs) == 1]
    if len(divided) != 1:
        return False
    rest = (one.words | other.words) - divided[0]
    common = (one.words & other.words) - divided[0]
    return bool(rest) and len(common) >= SAME_BUT_FOR * len(rest)


def gainsays(*, agreeing: int, others: int) -> bool:
    """Whether an outcome is remarkable where `agreeing` of the `others` say the opposite of it.

    The lower 95 % bound of agreeing/others must reach `NEARLY_ALWAYS`; without others it is not.

    >>> gainsays(agreeing=6, others=6), gainsays(agreeing=5, others=5)
    (True, False)
    >>> gainsays(agreeing=8, others=10)
    False
    """
    return others > 0 and lower_bound(agreeing, others) >= NEARLY_ALWAYS


def surely_works(worked: int, tried: int) -> bool:
    """Whether something surely works more often than not; never without a trial.

    >>> surely_works(5, 5), surely_works(4, 4), surely_works(5, 8)
    (True, False, False)
    """
    return tried > 0 and lower_bound(worked, tried) > MORE_OFTEN_THAN_NOT


def surely_fails(worked: int, tried: int) -> bool:
    """Whether something surely fails more often than not; never without a trial.

    >>> surely_fails(0, 5), surely_fails(1, 5)
    (True, False)
    """
    return tried > 0 and upper_bound(worked, tried) < MORE_OFTEN_THAN_NOT


def surely_differ(worked: int, tried: int, other_worked: int, other_tried: int) -> bool:
    """Whether two rates differ by more than chance: Fisher's exact test, 5 % on both sides.

    >>> surely_differ(5, 5, 0, 3), surely_differ(5, 5, 0, 2)  # 1/56, 1/21
    (True, False)
    """
    total = worked + other_worked
    every = tried + other_tried
    low = hypergeometric_cdf(worked, tried, total, every)
    high = 1.0 - hypergeometric_cdf(worked - 1, tried, total, every)
    return min(low, high) <= EITHER_SIDE
