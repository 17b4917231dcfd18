"""Walking through a problem at the terminal: `solve --walk`, a key for each turn.

A question is answered by the number of its choice, each step of a resolution by what was seen, the
last by whether it worked. Every answer is carried out at once and is a run of its own, so leaving
at any moment loses nothing and `solve --continue RUN` goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kbagent.cli.output import print_screen, screen_width, write
from kbagent.cli.screens import solving
from kbagent.cli.screens.feedback import format_given
from kbagent.errors import KbagentError
from kbagent.model.case import Verdict
from kbagent.model.feedback import Remark
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.usecases.revise.outcomes import give
from kbagent.usecases.solve.continuing import DONE, STEP, STUCK, go_on, note_step
from kbagent.usecases.solve.trace import Ending, Run

Key = Callable[[], str]
Line = Callable[[str], str]
"""Asks for a line of text; empty when nothing was typed."""

CASE = "Your case, to keep it as an instance (Enter: none): "


@dataclass
class Walk:
    """One problem, walked through until it worked, is handed over, or somebody leaves."""

    kb: KnowledgeBase
    encoder: Encoder
    by: str | None
    key: Key
    line: Line
    worked: bool = False

    def run(self, first: Run) -> Run:
        """Take keys until the end; the run that it ended with. Its screen is already shown."""
        current = first
        try:
            while (following := self._turn(current)) is not None:
                current = following
                print_screen(solving.format_turn(current, width=screen_width()))
        except KeyboardInterrupt:
            write("")
        if not self.worked:
            write(solving.leaving(current))
        return current

    def _turn(self, run: Run) -> Run | None:
        """The next run, by what is typed; None ends the walk."""
        if run.ending is Ending.HAND_OVER:
            return None
        keys = solving.keys_of(run)
        write(solving.format_keys(keys))
        while True:
            pressed = self.key()
            if pressed == "q":
                return None
            if pressed in keys:
                try:
                    return self._take(run, pressed)
                except KbagentError as error:
                    write(f"not done: {error}")
            write(solving.format_keys(keys))

    def _take(self, run: Run, pressed: str) -> Run | None:
        if run.question is not None:
            return self._answer(run, pressed)
        chosen = run.chosen
        if pressed == "d" and chosen is not None and chosen.step != len(chosen.steps):
            return self._go_on(run, (STEP, DONE))
        if pressed == "s":
            return self._go_on(run, (STEP, STUCK))
        if pressed == "n":
            return self._go_on(run)
        return self._tell(run, Verdict.FAILED if pressed == "f" else Verdict.WORKED)

    def _answer(self, run: Run, pressed: str) -> Run | None:
        assert run.question is not None  # noqa: S101 -- looked at by the caller
        if pressed == "t":
            more = self.line("What else? ").strip()
            return self._go_on(run, more=more) if more else run
        return self._go_on(run, (run.question.facet, run.question.choices[int(pressed) - 1]))

    def _tell(self, run: Run, verdict: Verdict) -> Run | None:
        """Say whether it worked; after a failure the next resolution is tried."""
        if run.chosen is not None and run.chosen.step is not None:
            note_step(self.kb, run.handle, DONE, by=self.by)
        case = self.line(CASE).strip() if verdict is Verdict.WORKED else ""
        remark = Remark(by=self.by)
        given = give(self.kb, verdict, [run.handle, "1"], remark, case_ref=case or None)
        print_screen(format_given(given))
        self.worked = verdict is Verdict.WORKED
        return None if self.worked else self._go_on(run)

    def _go_on(self, run: Run, *answers: tuple[str, str], more: str | None = None) -> Run:
        return go_on(self.kb, self.encoder, run.handle, answers, more=more, by=self.by)
