"""Trials for tests: one line makes many."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from kbagent.model.outcome import Trial

START = datetime(2024, 1, 1, tzinfo=UTC)


def trials(
    rewards: Iterable[float],
    *,
    resolution: int = 1,
    issue: int = 1,
    by: str | None = None,
    facets: tuple[tuple[str, str], ...] = (),
    day: int = 0,
    weight: float = 1.0,
    secondary: float | None = None,
) -> list[Trial]:
    """One trial a day, from `day` on, with these rewards."""
    return [
        Trial(
            issue_id=issue,
            resolution_id=resolution,
            reward=reward,
            at=START + timedelta(days=day + place),
            id=resolution * 10_000 + day + place,
            by=by,
            weight=weight,
            facets=facets,
            secondary=secondary,
        )
        for place, reward in enumerate(rewards)
    ]
