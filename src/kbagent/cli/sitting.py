"""A sitting: the cards of a review one after another, a key for each, until all are seen.

Each answer is carried out at once and is one transaction, so leaving at any moment loses nothing.
What other answers have settled meanwhile is passed over.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kbagent.cli.output import print_screen, screen_width, write
from kbagent.cli.screens import review as screens
from kbagent.cli.screens.details import format_details
from kbagent.errors import KbagentError
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.retrieve.details import details_of
from kbagent.usecases.review import deciding
from kbagent.usecases.review.items import Answer, Item
from kbagent.usecases.review.queue import Queue

Key = Callable[[], str]


@dataclass
class Sitting:
    """What is left to ask, what was put off, and what was decided, newest last."""

    kb: KnowledgeBase
    queue: Queue
    by: str | None
    ahead: deque[Item] = field(default_factory=deque)
    put_off: list[Item] = field(default_factory=list)
    decided: list[tuple[Item, int, Answer]] = field(default_factory=list)

    total: int = 0
    mark: str = ""

    def __post_init__(self) -> None:
        self._begin(self.queue.items, "")

    def run(self, key: Key) -> None:
        """Ask until nothing is left or somebody leaves; what was put off is asked once more."""
        try:
            if self._ask_all(key) and self.put_off:
                self._begin(self.put_off, "put off: ")
                self.put_off = []
                self._ask_all(key)
        except KeyboardInterrupt:
            write("")
        answered = sum(answer is not Answer.LATER for _, _, answer in self.decided)
        left = len(self.ahead)
        write(screens.format_closing(answered, len(self.put_off), left))

    def _begin(self, items: Sequence[Item], mark: str) -> None:
        """Another round, over these items; `mark` stands before its count."""
        self.ahead.extend(items)
        self.total, self.mark = len(items), mark

    def _ask_all(self, key: Key) -> bool:
        """Ask what lies ahead; whether that came to its end."""
        while self.ahead:
            item = self.ahead[0]
            if deciding.is_settled(self.kb, item):
                self.ahead.popleft()
                continue
            if not self._ask(item, key):
                return False
        return True

    def _ask(self, item: Item, key: Key) -> bool:
        """Show a card and take keys until it is answered; whether to go on."""
        self._show(item)
        opened = 0
        while True:
            pressed = key()
            if pressed in screens.KEYS:
                if self._answer(item, screens.KEYS[pressed]):
                    return True
            elif pressed == "o":
                self._open(item, opened)
                opened += 1
            elif pressed == "u":
                if self._undo():
                    return True
            elif pressed == "q":
                return False
            elif pressed == "?":
                print_screen(screens.format_help())
            write(screens.PROMPT)

    def _show(self, item: Item) -> None:
        place = f"{self.mark}{self.total - len(self.ahead) + 1} of {self.total}"
        former = self.queue.former.get(item.key)
        print_screen(screens.format_card(item, place, former, width=screen_width()))
        write(screens.PROMPT)

    def _answer(self, item: Item, answer: Answer) -> bool:
        try:
            decision = deciding.decide(self.kb, item, answer, by=self.by)
        except KbagentError as error:
            write(f"not done: {error}")
            return deciding.is_settled(self.kb, item)  # then it is passed over
        self.ahead.popleft()
        if answer is Answer.LATER:
            self.put_off.append(item)
        self.decided.append((item, decision, answer))
        told = "put off" if answer is Answer.LATER else f"{item.choice(answer).word}: done"
        write(f"{told} (decision {decision})\n")
        return True

    def _undo(self) -> bool:
        """Take the last answer of this sitting back and put its item next; whether it was done."""
        if not self.decided:
            write("nothing decided in this session; earlier ones: kbagent review undo")
            return False
        item, decision, answer = self.decided[-1]
        try:
            deciding.undo(self.kb, decision, by=self.by)
        except KbagentError as error:
            write(f"not done: {error}")
            return False
        self.decided.pop()
        if answer is Answer.LATER and item in self.put_off:
            self.put_off.remove(item)
        self.ahead.appendleft(item)
        write(f"taken back: decision {decision}\n")
        return True

    def _open(self, item: Item, opened: int) -> None:
        side = item.sides[opened % len(item.sides)]
        try:
            found = details_of(self.kb, side.handle)
        except KbagentError as error:
            write(f"{error}")
            return
        write("")
        print_screen(format_details(found, width=screen_width()))
        write(f"({opened % len(item.sides) + 1} of {len(item.sides)}; o opens the next)\n")
