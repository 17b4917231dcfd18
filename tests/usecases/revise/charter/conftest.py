"""A desk with two problems and a few fixes, and short ways to its policy file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kbagent.usecases.revise.charter.amendment import Version, amendment_to, apply
from kbagent.usecases.revise.charter.document import Charter, charter_of, written
from kbagent.usecases.revise.charter.reading import read_charter
from kbagent.usecases.revise.freezing import order_now
from tests.fakes.desk import Desk, same_as, ticket, tried

FIXES = ("replace the toner drum", "reinstall the label driver", "switch the spooler port")
QUERY = "label printer prints blank labels"
MAIL, ALLOW = "mail gateway refuses attachments", "allow zip files"


class Office(Desk):
    """r1, r2, r3 worked on i1; r4 on i2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.bring(
            *[
                ticket(
                    str(n),
                    f"{QUERY}{' today' * n}",
                    attempts=[tried(fix)],
                    links=same_as("0") if n else [],
                )
                for n, fix in enumerate(FIXES)
            ]
        )
        self.bring(ticket("9", MAIL, attempts=[tried(ALLOW)], facets={"team": "legal"}))

    def text(self) -> str:
        return written(self.kb, charter_of(self.kb))

    def read(self, text: str) -> Charter:
        return read_charter(self.kb, text, charter_of(self.kb), order_now)

    def put(self, text: str, *, by: str | None = None) -> Version | None:
        base = charter_of(self.kb)
        return apply(self.kb, amendment_to(self.kb, self.read(text)), base=base, by=by)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    assert made.rows("SELECT DISTINCT issue_id FROM memberships ORDER BY 1") == [(1,), (2,)]
    yield made
    made.kb.close()
