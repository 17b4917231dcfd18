"""One key at a time from a terminal, which is left as it was found.

Typer's own `getchar` sets the terminal raw only while it waits, and throws away what was typed
before, so that no key answers a card that was not yet seen. A signal that ends the process is
turned into an exit, for the terminal would stay raw otherwise.
"""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

import typer

from kbagent.errors import UsageError

ENDED = 128  # and the number of the signal, as shells have it


@contextlib.contextmanager
def keyboard(otherwise: str) -> Iterator[None]:
    """While open, `key` may be called.

    Raises:
        UsageError: there is no terminal; the message says what to do `otherwise`.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(what=f"This needs a terminal. {otherwise}")
    former = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def key() -> str:
    """The next key in lower case; the end of input counts as `q`.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        return typer.getchar().lower()
    except EOFError:
        return "q"


def ask_line(prompt: str) -> str:
    """A line of text typed at the terminal; empty at the end of input.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        return input(prompt)
    except EOFError:
        return ""


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(ENDED + number)
