"""An item of the review: a question with its evidence, and what each answer will do.

Items are made anew from what is stored whenever the queue is asked for; nothing of them is kept
but the decision. So `key` must be the same the next time, and `state` must change when, and only
when, there is something new to decide about.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from kbagent.errors import BadValue


class Kind(StrEnum):
    """What an item asks about, in the order in which they are put."""

    ALARM = "alarm"
    CONTRADICTION = "contradiction"
    ANSWER = "answer"
    LINK = "link"
    DUPLICATE = "duplicate"
    RISK = "risk"


class Answer(StrEnum):
    """What can be decided about every item."""

    ACCEPT = "accept"
    REJECT = "reject"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class JoinCases:
    """Two cases are one problem; their issues become one."""

    one: int
    other: int


@dataclass(frozen=True, slots=True)
class PartCases:
    """Two cases are two problems; where they are in one issue, `leaves` gets its own."""

    stays: int
    leaves: int


@dataclass(frozen=True, slots=True)
class KeepPlace:
    """A case is rightly in its issue, by a person's word."""

    case: int
    issue: int


@dataclass(frozen=True, slots=True)
class JoinFixes:
    """Two resolutions are one approach."""

    kept: int
    absorbed: int


@dataclass(frozen=True, slots=True)
class PartFixes:
    """Two resolutions are two approaches, whatever their likeness."""

    one: int
    other: int


@dataclass(frozen=True, slots=True)
class Deprecate:
    """A resolution comes last for an issue."""

    resolution: int
    issue: int
    reason: str
    replaced_by: int | None = None


@dataclass(frozen=True, slots=True)
class LiftRule:
    """A rule that people set holds no longer."""

    rule: int


@dataclass(frozen=True, slots=True)
class Vouch:
    """Somebody vouches for a fix of an issue; `alone` names who may not, for it hangs on them."""

    issue: int
    resolution: int
    version: str | None = None
    alone: str | None = None


Deed = JoinCases | PartCases | KeepPlace | JoinFixes | PartFixes | Deprecate | LiftRule | Vouch


@dataclass(frozen=True, slots=True)
class LinkLesson:
    """A placement of this confidence was right, or was not."""

    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class AnswerLesson:
    """The issue of which a lookup's resolution worked was the right one, or was not."""

    lookup: int
    right: bool


Lesson = LinkLesson | AnswerLesson


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: its word on the screen, what it will do in a sentence, and the deed itself."""

    answer: Answer
    word: str
    effect: str
    deed: Deed | None = None
    lesson: Lesson | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things an item is about: its handle, its text, and a line of figures."""

    handle: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A question to people.

    key       stable name, such as `duplicate:r12:r40`
    evidence  why it is asked, a line of words and figures each
    state     what the question rests on, as a short digest; a decided item comes back only when
              it changed
    weight    greater comes first within a kind
    issues    whom it concerns; nothing about a frozen issue is put
    """

    key: str
    kind: Kind
    question: str
    sides: tuple[Side, ...]
    evidence: tuple[str, ...]
    accept: Choice
    reject: Choice
    state: str
    weight: float
    issues: tuple[int, ...] = ()

    def choice(self, answer: str) -> Choice:
        """What an answer will do.

        Raises:
            BadValue: it is no answer.
        """
        match answer:
            case Answer.ACCEPT:
                return self.accept
            case Answer.REJECT:
                return self.reject
            case Answer.LATER:
                return Choice(Answer.LATER, "later", "it comes again, after all others")
        named = ", ".join(Answer)
        raise BadValue(name="decision", value=answer, reason=f"use one of {named}")


def state_of(*parts: object) -> str:
    """Eight hexadecimal digits that stand for what a question rests on.

    >>> state_of("i5", 3) == state_of("i5", 3), state_of("i5", 3) == state_of("i5", 4)
    (True, False)
    """
    told = "\x1f".join(str(one) for one in parts)
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
