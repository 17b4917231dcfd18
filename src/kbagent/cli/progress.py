"""Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kbagent.cli.output import console, tell
from kbagent.model.importing import ImportCounts
from kbagent.store.readers import Export

_LINE_EVERY = 10.0  # seconds between two lines where there is no terminal
_TELLING = 0.1  # share done from which on the time left is told: what came first was slower


@contextmanager
def importing(export: Export) -> Iterator[Callable[[ImportCounts], None]]:
    """Show how far an import is: cases, rate and time left."""
    if sys.stderr.isatty():
        with _bar(export) as report:
            yield report
    else:
        yield _lines(export)


@contextmanager
def _bar(export: Export) -> Iterator[Callable[[ImportCounts], None]]:
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("importing"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[cases]} cases, {task.fields[rate]}/s"),
        TimeRemainingColumn(compact=True),
        console=console(),
        transient=True,
    )
    started = time.monotonic()
    with bar:
        task = bar.add_task("", total=export.total_bytes, cases=0, rate="–")

        def report(counts: ImportCounts) -> None:
            rate = counts.read / max(1e-9, time.monotonic() - started)
            bar.update(
                task, completed=export.bytes_read, cases=f"{counts.read:,}", rate=f"{rate:,.0f}"
            )

        yield report


def _lines(export: Export) -> Callable[[ImportCounts], None]:
    started = time.monotonic()
    last = started

    def report(counts: ImportCounts) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _LINE_EVERY:
            return
        last = now
        total = export.total_bytes
        share = f"{100 * export.bytes_read / total:.0f} % read, " if total else ""
        rate = counts.read / (now - started)
        tell(f"importing: {share}{counts.read:,} cases, {rate:,.0f}/s")

    return report


@contextmanager
def counting(
    what: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int, int], None]]:
    """Show how far something is that knows how much there is: (done, in all).

    The time left is reckoned from the first report on, whatever had to be read before it, and told
    once a tenth is done. `clock` counts seconds.
    """
    last = clock()
    first: tuple[float, int] | None = None

    def report(done: int, total: int) -> None:
        nonlocal last, first
        now = clock()
        first = first or (now, done)
        on_terminal = sys.stderr.isatty()
        if now - last < (0.2 if on_terminal else _LINE_EVERY):
            return
        last = now
        line = f"{what}: {done:,} of {total:,}"
        since = done - first[1]
        if since > 0 and since >= _TELLING * total:
            left = (now - first[0]) / since * (total - done)
            line += f", about {left:.0f} s left"
        if on_terminal:
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
        else:
            tell(line)

    try:
        yield report
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
