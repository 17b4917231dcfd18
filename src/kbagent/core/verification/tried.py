"""What the writer of a ticket says was already tried, and which resolutions that rules out.

'We already reinstalled it' rules out reinstalling; 'I have not restarted yet' does not. Works by
the words of clauses that report an attempt, against the words of a resolution. English only:
in other languages nothing is ruled out. Does not judge whether the attempt was done well.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kbagent.core.text.tokens import tokens

OVERLAP = 0.5  # share of a resolution's telling words that the clause must hold
WHOLE = 0.99  # share of a short clause's telling words that the resolution must hold instead
FEWEST_WORDS = 2  # telling words of a clause from which that counts
_TRIED = re.compile(
    r"""\b(?:
      already
    | (?:i|we|he|she|they|user|customer|client)(?:['’]ve|\ have|\ has|\ had)?
      (?:\ (?:also|just|even|now|then|both|first)){0,2}
      \ (?:tried|attempted|\w{3,}ed|ran|did|done|reset|set|put|took|made|went|rebuilt|redid)
    | (?:have|has|had|having|after|by|despite|tried|trying|even\ after)\ (?:also\ )?\w{3,}(?:ed|ing)
    | tried
    | (?:did|does|do)(?:n['’]t|\ not)\ (?:help|work|fix|solve|change)
    | no\ (?:luck|change|difference|effect|success)
    | without\ (?:success|luck|effect)
    | to\ no\ avail
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)
_UNDONE = re.compile(
    r"""\b(?:
      (?:have|has|had|did|do|does|was|were|is|are|could|can|would|will)(?:n['’]t|\ not)
      \ (?:yet\ )?(?:been\ |be\ )?(?:able\ to\ )?
      (?:tr(?:y|ied)|attempt(?:ed)?|\w{3,}ed|run|ran|done|do|want|know|re\w+|uninstall|install
        |delete|remove|clear|update|upgrade|change|switch|disable|enable)
    | never\ (?:tried|\w{3,}ed|did|ran)
    | not\ (?:yet|tried)
    | (?:cannot|can['’]t|unable\ to)\ \w{4,}
    | without\ (?!success|luck|effect)\w{4,}
    | (?:should|shall|could|can|may|must|do)\ (?:i|we)
    | (?:want|need|plan|going|about|like|afraid|reluctant|hesitant|willing)\ to\ (?:try\ )?\w+
    | before\ (?:i|we)?\s?\w+
    | (?:instead|rather\ than|if\ (?:i|we))
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)
_HELPED_NOT = re.compile(
    r"\b(?:did|does|do)(?:n't|n’t| not) (?:help|work|fix|solve|change|make)|not (?:help|work)",
    re.IGNORECASE,
)
_INSTEAD = re.compile(r"\b(?:instead(?: of)?|rather than)\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"(?<![.!?;\n])[.!?;\n]+(?=\s|$)|\s(?:but|however|though|because|so)\b(?=\s)", re.IGNORECASE
)
_COMMON_WORDS = """a about after again all already also an and any app application are as at be
    been both but by can could did do doe doesn don done each even every first for from get go got
    had has have he help i if in into is it its just like make me more my new no not now of off ok
    old on one only open or our out please problem set she should so some still t than that the
    their them then there they thi this to too tri tried try trying up use used user using ve was we
    well were what when where which while will with without work worked would yet you your issue
    fix"""  # tokens that say nothing of what a resolution does
_COMMON = frozenset(_COMMON_WORDS.split())
_IRREGULAR = {
    "rebuilt": "rebuild",
    "built": "build",
    "ran": "run",
    "reran": "rerun",
    "took": "take",
}
_IRREGULAR |= {"undid": "undo", "redid": "redo", "chose": "choose", "wrote": "write"}
_ENDINGS = ("ations", "ation", "ings", "ing", "ions", "ion", "ed", "er", "es", "e", "s")


@dataclass(frozen=True, slots=True)
class Tried:
    """A resolution that the ticket says was tried: which, by which words, how much of it."""

    position: int
    clause: str
    overlap: float


def tried_clauses(text: str) -> tuple[str, ...]:
    """The clauses of `text` that report something done, and not one that was left undone.

    >>> tried_clauses("We already reinstalled the add-on, but it crashes. I have not restarted.")
    ('We already reinstalled the add-on',)
    """
    clauses = [c.strip(" ,") for c in _CLAUSE.split(text) if c and c.strip(" ,")]
    return tuple(c for c in clauses if _TRIED.search(c) and not _left_undone(c))


def already_tried(text: str, resolutions: Sequence[str]) -> tuple[Tried, ...]:
    """Which of `resolutions` the ticket says were tried, by position, in order.

    A resolution counts as tried when one clause holds at least `OVERLAP` of its telling words
    (stems, without common words; of a long resolution its first ten), the first of which, the
    thing that was done, must be among them; or when it holds all telling words of a clause that
    has two or more ('tried: raster path'). Empty resolutions are never tried.

    >>> [t.position for t in already_tried("We already reinstalled Outlook.",
    ...                                    ["Reinstall Outlook", "Repair the profile"])]
    [0]
    """
    clauses = [(clause, _stems(clause)) for clause in tried_clauses(text)]
    found = []
    for position, resolution in enumerate(resolutions):
        wanted = list(dict.fromkeys(_ordered_stems(resolution)))[:10]
        best = max(
            ((_likeness(wanted, held, resolution), clause) for clause, held in clauses),
            default=(0.0, ""),
            key=lambda pair: pair[0],
        )
        if best[0] >= OVERLAP:
            found.append(Tried(position, best[1], best[0]))
    return tuple(found)


def _left_undone(clause: str) -> bool:
    """Whether it tells what was not done; what 'did not help' was done, instead of what ever."""
    if _HELPED_NOT.search(clause):
        clause = _HELPED_NOT.sub(" ", _INSTEAD.sub(" ", clause))
    return bool(_UNDONE.search(clause))


def _likeness(wanted: Sequence[str], held: frozenset[str], resolution: str) -> float:
    """The share of the resolution that the clause holds, or of the clause that it holds."""
    overlap = _overlap(wanted, held)
    if overlap >= OVERLAP or len(held) < FEWEST_WORDS or not wanted:
        return overlap
    share = len(held & _stems(resolution)) / len(held)
    return share if share >= WHOLE else overlap


def _overlap(wanted: Sequence[str], held: frozenset[str]) -> float:
    if not wanted or wanted[0] not in held:
        return 0.0
    return sum(word in held for word in wanted) / len(wanted)


def telling_words(text: str) -> frozenset[str]:
    """The stems of `text` that say what something is about.

    >>> sorted(telling_words("We already set the raster path."))
    ['path', 'rast']
    """
    return _stems(text)


def _stems(text: str) -> frozenset[str]:
    return frozenset(_ordered_stems(text))


def _ordered_stems(text: str) -> list[str]:
    return [_stem(t) for t in tokens(text.replace("re-", "re")) if t not in _COMMON]


def _stem(token: str) -> str:
    """`token` without a verb's ending: reinstall, reinstalled, reinstalling are one."""
    token = _IRREGULAR.get(token, token)
    for ending in _ENDINGS:
        if token.endswith(ending) and len(token) - len(ending) >= 3:
            short = token[: -len(ending)]
            return short[:-1] if len(short) > 3 and short[-1] == short[-2] != "l" else short
    return token
