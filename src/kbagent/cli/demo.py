"""`kbagent demo`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.output import print_screen, screen_width, tell, write
from kbagent.cli.screens.feedback import format_given
from kbagent.cli.screens.search import format_search
from kbagent.errors import UsageError
from kbagent.model.importing import ImportSummary
from kbagent.store.knowledge_base import DATABASE_NAME, create_knowledge_base

app = typer.Typer()


@app.command()
def demo(
    *,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep the knowledge base in this new folder."),
    ] = None,
) -> None:
    """Show the whole loop on sample data, in under a minute."""
    if keep is not None:
        if (keep / DATABASE_NAME).exists():
            raise UsageError(what=f"{keep} holds a knowledge base already; name a new folder.")
        _run(keep)
        write(f"\nThe knowledge base is kept: export KBAGENT_KB={keep}")
        return
    with tempfile.TemporaryDirectory(prefix="kbagent-demo-") as scratch:
        _run(Path(scratch) / "kb")
    write("\nTo go on with it: kbagent demo --keep DIR, then --kb DIR on any command.")
    write("To begin with your own tickets: kbagent import EXPORT")


def _run(folder: Path) -> None:
    from kbagent.usecases import demonstration
    from kbagent.usecases.maintain.encoding import serving_encoder

    with create_knowledge_base(folder, notify=tell) as kb:
        encoder = serving_encoder(kb)
        write("1. Two years of tickets of an invented company, from six ticket systems.")
        demonstration.import_samples(
            kb, encoder, demonstration.sample_folder(), _told, lambda _counts: None
        )
        write(f"\n2. A rare problem comes up again.\n\n$ kbagent search '{demonstration.QUERY}'")
        before = demonstration.look_up(kb, encoder)
        print_screen(format_search(before, width=screen_width()))
        write("\n3. Three engineers try what is shown and say what came of it.\n")
        for voice, given in zip(
            demonstration.VOICES, demonstration.report_outcomes(kb, before), strict=True
        ):
            write(
                f"$ kbagent {voice.verdict} {before.handle} {voice.rank} --case {voice.case}"
                f" --by {voice.by}"
            )
            print_screen(format_given(given))
        write(f"\n4. The next engineer asks.\n\n$ kbagent search '{demonstration.QUERY}'")
        after = demonstration.look_up(kb, encoder)
        print_screen(format_search(after, width=screen_width()))


def _told(names: Sequence[str], summary: ImportSummary) -> None:
    write(
        f"$ kbagent import {names[0]}{' …' if len(names) > 1 else ''}"
        f"  → {summary.new} cases, {summary.outcomes} known outcomes"
        + (f", {summary.rejected} bad rows left out" if summary.rejected else "")
    )
