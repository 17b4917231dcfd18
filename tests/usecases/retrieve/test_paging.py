"""Later pages go on where the first one ended, whatever is imported meanwhile."""

from dataclasses import replace

from kbagent.model.lookup import Request
from kbagent.usecases.retrieve.paging import continued
from kbagent.usecases.retrieve.search import search
from tests.fakes.desk import Desk, odd_words, ticket

FIRST = Request("printer", limit=4)
SECOND = replace(FIRST, offset=4)


def titles(desk: Desk, request: Request, *, log: bool = False) -> list[str]:
    return [issue.title for issue in search(desk.kb, desk.encoder, request, log=log).issues]


def test_a_page_is_not_moved_by_an_import_between(desk: Desk) -> None:
    desk.bring(*[ticket(str(n), f"printer {odd_words(n)}") for n in range(20)])
    first = titles(desk, FIRST, log=True)
    second = titles(desk, SECOND)
    desk.clock.tick()
    desk.bring(*[ticket(f"9{n}", f"printer printer {odd_words(40 + n)}") for n in range(20)])
    assert titles(desk, FIRST) != first
    assert titles(desk, continued(desk.kb, SECOND)) == second


def test_a_page_without_a_first_one_is_answered_as_things_are(desk: Desk) -> None:
    desk.bring(ticket("1", "printer is dead"))
    assert continued(desk.kb, SECOND) == SECOND
    assert continued(desk.kb, FIRST) == FIRST
