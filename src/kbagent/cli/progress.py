"""Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kbagent.cli.output import console, tell
from kbagent.model.importing import ImportCounts
from kbagent.store.readers import Export

_LINE_EVERY = 10.0  # seconds between two lines where there is no terminal


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
        console=console(stderr=True),
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
