"""Small worlds in which there is something to decide."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.desk import Desk, odd_words, same_as, ticket, tried

BLANK = "label printer prints blank labels since update"
DRIVER = "reinstall the label driver on the print server"
HEAD = "swap worn thermal head for new one"
NEAR_FIXES = (
    "clear queue then restart spooler service on the print host",
    "clear queue and restart spooler service on every print machine tonight",
)
"""Alike by .66: near, and not near enough to count as one by themselves."""
START = datetime(2025, 1, 10, 9, tzinfo=UTC)


def day(number: float) -> str:
    return (START + timedelta(days=number)).isoformat()


def strangers(count: int = 20) -> list[dict[str, Any]]:
    """Cases that have nothing to do with anything."""
    return [
        ticket(f"x{n}", odd_words(n), attempts=[tried(odd_words(1000 + n))]) for n in range(count)
    ]


def two_halves() -> list[dict[str, Any]]:
    """One problem, in two issues because two fixes settle it."""
    own = [ticket(f"a{n}", f"{BLANK} {n}", attempts=[tried(DRIVER)]) for n in range(6)]
    other = [
        ticket(f"b{n}", f"{BLANK} at noon every friday here", attempts=[tried(HEAD)])
        for n in range(2)
    ]
    return [*own, *other, *strangers()]


def one_issue(count: int, *fixes: tuple[str, str], **fields: Any) -> list[dict[str, Any]]:
    """Linked cases of one problem; the fixes are tried on them in turn, a day apart."""
    return [
        ticket(
            f"p{n}",
            "badge reader at the north gate turnstile refuses every card",
            links=same_as("p0") if n else [],
            opened_at=day(n),
            closed_at=day(n + 0.5),
            attempts=[tried(*fixes[n % len(fixes)], at=day(n + 0.5))],
            **fields,
        )
        for n in range(count)
    ]


@pytest.fixture
def halves(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.bring(*two_halves())
    yield made
    made.kb.close()
