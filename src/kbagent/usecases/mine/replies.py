"""What was answered on each case, as a table of formulations within problems.

Problems are issues, or those that are nearly one with them, so that an easy problem with its own
words proves nothing.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kbagent.core.patterns.casetable import Codes, Consequent, Factor, Features, joined
from kbagent.core.patterns.discovery import Settings
from kbagent.core.patterns.openings import opening_features
from kbagent.core.patterns.phrasing import Formulation, formulations, way_features
from kbagent.store import columns, models
from kbagent.usecases.mine.columns import Columns, Ints
from kbagent.usecases.retain.relatives import problems_of

FEWEST_ISSUES = 5
"""Issues in whose replies a formulation occurs, to be one."""


@dataclass(frozen=True, slots=True)
class Replies:
    """The answered cases that have an issue: `places` in the columns, and what is known of each.

    `months` are those in which the cases were opened.

    `consequents` are each a question of its own, corrected for by itself.
    """

    places: Ints
    features: Features
    problems: Codes
    system: Factor
    consequents: tuple[Consequent, ...]
    months: Codes

    def found(self, settings: Settings) -> list[Formulation]:
        """The formulations that go with something, at the stated false discovery rate."""
        spread = _spread(self.features, self.problems)
        several = self.features.chosen([j for j, n in enumerate(spread) if n >= FEWEST_ISSUES])
        made = []
        for one in self.consequents:
            made += self._tested(several, one, settings.min_support, settings.false_discovery)
        return made

    def alone(self, phrase: str, consequent: str) -> Formulation | None:
        """One stated formulation tested by itself; None where nothing can be compared."""
        chosen = [j for j, name in enumerate(self.features.names) if name == phrase]
        asked = [one for one in self.consequents if one.name == consequent]
        if not chosen or not asked:
            return None
        made = self._tested(self.features.chosen(chosen[:1]), asked[0], 1, 1.0)
        return made[0] if made else None

    def _tested(
        self, features: Features, consequent: Consequent, min_support: int, rate: float
    ) -> list[Formulation]:
        made = formulations(
            features,
            self.problems,
            [consequent],
            [self.system],
            min_support=min_support,
            false_discovery=rate,
        )
        return [self._placed(one, features) for one in made]

    def _placed(self, one: Formulation, features: Features) -> Formulation:
        """With its examples as places of the columns, and the months in which it was written."""
        written = self.months[features.column(features.names.index(one.phrase))]
        return replace(
            one,
            examples=tuple(int(self.places[row]) for row in one.examples),
            months=(int(written.min()), int(written.max())),
        )


def replies_of(
    connection: sqlite3.Connection, found: Columns, settings: Settings
) -> Replies | None:
    """The table; None where no case of an issue was answered."""
    texts = _texts(connection, found)
    rows = np.array(sorted(texts), dtype=np.int64)
    rows = rows[found.issue[rows] >= 0] if rows.size else rows
    if not rows.size:
        return None
    own = [texts[row] for row in rows.tolist()]
    model = models.active(connection)
    problems = found.issue
    if model is not None:
        problems = problems_of(connection, model.id, found.case_ids, found.issue)
    _, codes = np.unique(problems[rows], return_inverse=True)
    return Replies(
        rows,
        joined(way_features(own), opening_features(own, settings.min_support)),
        codes.astype(np.int32),
        Factor("system", found.system.levels, found.system.codes[rows]),
        (
            Consequent("satisfaction", values=found.csat[rows]),
            Consequent("reopened", ("no", "yes"), found.reopened[rows], told=(1,)),
        ),
        found.months[rows],
    )


def _spread(features: Features, problems: Codes) -> Sequence[int]:
    """For how many problems each is used: for few it is what is said, not how."""
    return [np.unique(problems[features.column(j)]).size for j in range(len(features))]


def _texts(connection: sqlite3.Connection, found: Columns) -> dict[int, str]:
    """What was answered on each case, by place."""
    rows = list(columns.replies(connection))
    places = found.places(np.array([row[0] for row in rows], dtype=np.int64))
    texts: dict[int, str] = {}
    for place, (_, text) in zip(places.tolist(), rows, strict=True):
        if place >= 0:
            before = texts.get(place)
            texts[place] = text if before is None else f"{before}\n{text}"
    return texts
