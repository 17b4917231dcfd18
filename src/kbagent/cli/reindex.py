"""`kbagent reindex`."""

from typing import Annotated

import typer

from kbagent.cli.options import Kb, folder_of
from kbagent.cli.output import tell, write
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer()


@app.command()
def reindex(
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="From nothing, even where the indexes are sound.")
    ] = False,
    kb: Kb = None,
) -> None:
    """Make the indexes, and vectors that are missing, anew."""
    from kbagent.usecases.maintain.encoding import serving_encoder
    from kbagent.usecases.maintain.rebuilding import rebuild

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        done = rebuild(
            base,
            serving_encoder(base),
            lambda what, number, total: tell(f"{what}: {number:,} of {total:,}"),
            fresh=fresh,
        )
    write(
        f"{done.passages:,} vectors and {done.documents:,} texts are indexed"
        + (f"; {done.encoded:,} cases were encoded" if done.encoded else "")
    )
