"""The separate problems that one ticket may hold.

Finds places where a text may be cut (numbered points, 'another problem', paragraphs), and says
whether the parts are about different issues. Proposes only: whether a cut is made is `solve`'s.
"""

import re
from collections.abc import Sequence

from kbagent.core.verification.checks import CheckResult, Severity
from kbagent.core.verification.recognition import Recognised

SHORTEST = 4  # words of a part that can name a problem
MOST_PARTS = 4
CLEAR = 0.6  # share of votes from which a part speaks for an issue
_POINT = re.compile(r"(?m)^[ \t]{0,8}(?:\(?\d{1,2}[.)]|[-*•]|(?:first|second|third)(?:ly)?[,:])\s")
_ANOTHER = re.compile(
    r"(?:(?<=[.!?])|\n)[ \t]{0,8}(?=(?:also|additionally|in addition|furthermore|besides|"
    r"separately|unrelated|on another note|another (?:issue|problem|thing|question)|"
    r"(?:a|my|the) (?:second|other|different|separate) (?:issue|problem|thing|question)|"
    r"(?:and )?secondly)\b)",
    re.IGNORECASE,
)
_PARAGRAPH = re.compile(r"\n\s*\n")


def parts(text: str) -> tuple[str, ...]:
    """The parts of `text`, in order; the text alone when it has no places to cut.

    The first kind of cut that gives two parts or more is taken: points, then 'also' and its
    like, then paragraphs. Parts of fewer than `SHORTEST` words join the one before (an opening
    one joins the next); there are at most `MOST_PARTS`, the last holding the rest.

    >>> parts("The printer prints blank pages. Also my mailbox does not open any more.")
    ('The printer prints blank pages.', 'Also my mailbox does not open any more.')
    """
    for cut in (_POINT, _ANOTHER, _PARAGRAPH):
        found = _joined([p.strip() for p in cut.split(text) if p and p.strip()])
        if len(found) > 1:
            last = MOST_PARTS - 1
            return (*found[:last], "\n".join(found[last:])) if found[last:] else tuple(found)
    return (text.strip(),)


def one_problem(recognised: Sequence[Recognised]) -> CheckResult:
    """Whether the parts of a ticket speak for one issue; one entry for each of its parts.

    Two parts that each speak for another issue, with a share of `CLEAR` or more, are two
    problems: the proposal is to split.
    """
    issues = list(dict.fromkeys(r.issue for r in recognised if r.share >= CLEAR))
    return CheckResult(
        "one-problem",
        len(issues) < 2,
        "one problem in one ticket",
        f"{len(issues)} clear issues in {len(recognised)} parts",
        Severity.DOUBT,
        "split" if len(issues) > 1 else None,
    )


def _joined(pieces: Sequence[str]) -> list[str]:
    found: list[str] = []
    for piece in pieces:
        if found and (len(piece.split()) < SHORTEST or len(found[-1].split()) < SHORTEST):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return found
