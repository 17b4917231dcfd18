"""What became of a pattern that a person confirmed and that is not among those found now.

It is tested again by itself: one hypothesis that was stated beforehand is not corrected for the
thousands that are looked at. So it is told whether it no longer holds, or holds and is hidden.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from kbagent.core.patterns.casetable import CaseTable, Consequent
from kbagent.core.patterns.discovery import (
    LevelEffect,
    Pattern,
    Settings,
    is_large,
    retested,
)
from kbagent.core.patterns.lifetime import State
from kbagent.core.patterns.phrasing import Formulation
from kbagent.usecases.mine.claims import Claim
from kbagent.usecases.mine.columns import Columns
from kbagent.usecases.mine.replies import Replies
from kbagent.usecases.mine.table import is_itself, term_features

ALPHA = 0.05
"""p up to which a single stated pattern holds."""


class Fate(StrEnum):
    """Why a confirmed pattern is not among those found.

    It ended; or it holds and is told with another one (folded), says the same as what it foretells
    (same), is weak, rare, or not to be told from chance among all that is tested (unsure); or it
    cannot be tested, or it is not known what was confirmed (verdicts of older versions).
    """

    ENDED = "ended"
    FOLDED = "folded"
    SAME = "same"
    WEAK = "weak"
    RARE = "rare"
    UNSURE = "unsure"
    UNTESTED = "untested"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Gone:
    """A confirmed pattern that is not found now, what it says, and why it is not found.

    `alone` is how it does by itself, where it could be tested; `under` the antecedent with which
    it is told, where it is folded. Of one that was retired `during` is how it did in the months in
    which it held, and `since` how it has done since then; None where that cannot be tested.
    """

    handle: str
    words: str
    fate: Fate = Fate.UNKNOWN
    alone: Pattern | Formulation | None = None
    under: str = ""
    during: Pattern | None = None
    since: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """All that was looked at: the table, what may follow, the replies, and the patterns found.

    `same` are levels that say nothing else than another consequent.
    """

    connection: sqlite3.Connection
    columns: Columns
    table: CaseTable
    consequents: Sequence[Consequent]
    replies: Replies | None
    found: Sequence[Pattern | Formulation]
    same: Sequence[tuple[str, str]]
    settings: Settings

    def gone(self, handle: str, claim: Claim) -> Gone:
        """What became of this claim, which is not among those found."""
        alone = self._alone(claim)
        if alone is None:
            return Gone(handle, claim.words, Fate.UNTESTED)
        under = self._folded_under(claim)
        fate = self._fate(claim, alone, under)
        made = Gone(handle, claim.words, fate, alone, under if fate is Fate.FOLDED else "")
        return self._in_its_time(claim, made, alone) if is_retired(alone) else made

    def _fate(self, claim: Claim, alone: Pattern | Formulation, under: str) -> Fate:
        few = _fewest(alone) < self.settings.min_support
        if not _holds(claim, alone):
            unclear = few and alone.p > ALPHA
            return Fate.UNTESTED if unclear else Fate.ENDED
        if under:
            return Fate.FOLDED
        if isinstance(alone, Pattern) and self._says_the_same(alone):
            return Fate.SAME
        if few:
            return Fate.RARE
        if isinstance(alone, Pattern) and not is_large(alone.effect, self.settings):
            return Fate.WEAK
        return Fate.UNSURE

    def _alone(self, claim: Claim) -> Pattern | Formulation | None:
        if claim.reply:
            replies = self.replies
            return replies.alone(claim.antecedent, claim.consequent) if replies else None
        return self._retested(claim, self._table_with(claim), self.consequents)

    def _table_with(self, claim: Claim) -> CaseTable:
        """The table; of a word that was not chosen this time one that has it alone."""
        if claim.antecedent in self.table.features.names:
            return self.table
        features = term_features(self.connection, self.columns, claim.antecedent)
        return replace(self.table, features=features)

    def _retested(
        self, claim: Claim, table: CaseTable, consequents: Sequence[Consequent]
    ) -> Pattern | None:
        wanted = claim.antecedent, claim.consequent, claim.level
        return retested(table, consequents, *wanted, self.settings)

    def _in_its_time(self, claim: Claim, gone: Gone, alone: Pattern | Formulation) -> Gone:
        """With how it did while it held, and since: over all months it may still seem to hold."""
        assert isinstance(alone, Pattern)  # noqa: S101 - only patterns have a lifetime
        table, life = self._table_with(claim), alone.lifetime
        during = (table.when >= life.first) & (table.when <= life.last)
        parts = [
            self._retested(
                claim, table.restricted(part), [one.restricted(part) for one in self.consequents]
            )
            for part in (during, table.when > life.last)
        ]
        return replace(gone, during=parts[0], since=parts[1])

    def _folded_under(self, claim: Claim) -> str:
        for one in self.found:
            level, reply = ("", True) if isinstance(one, Formulation) else (one.level, False)
            about = one.consequent, level, reply
            asked = claim.consequent, claim.level, claim.reply
            if about == asked and claim.antecedent in one.explains:
                return one.phrase if isinstance(one, Formulation) else one.antecedent
        return ""

    def _says_the_same(self, alone: Pattern) -> bool:
        named = f"{alone.consequent} {alone.level}"
        return is_itself(alone, self.consequents) or named in {level for level, _ in self.same}


def is_retired(alone: Pattern | Formulation) -> bool:
    """Whether it held in some months and was shown to do so no more since."""
    return isinstance(alone, Pattern) and alone.lifetime.state is State.RETIRED


def _holds(claim: Claim, alone: Pattern | Formulation) -> bool:
    same_way = alone.z != 0 and (alone.z < 0) == claim.less
    return alone.p <= ALPHA and same_way and not is_retired(alone)


def _fewest(alone: Pattern | Formulation) -> int:
    """The cases on the side that has the fewest of them."""
    if isinstance(alone, Formulation):
        return alone.cases
    effect = alone.effect
    if isinstance(effect, LevelEffect):
        c = effect.counts
        return min(c.exposed, c.total - c.exposed, c.affected, c.total - c.affected)
    return min(effect.exposed, effect.total - effect.exposed)
