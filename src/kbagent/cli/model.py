"""`kbagent model list|use`."""

from typing import Annotated

import typer

from kbagent.cli.options import Format, Kb, ScreenFormat, folder_of
from kbagent.cli.output import one_line, tell, to_json, write
from kbagent.store import models
from kbagent.store.encoder.weights import DEFAULT_MODEL
from kbagent.store.knowledge_base import open_knowledge_base

app = typer.Typer(no_args_is_help=True, help="See or change the encoder.")


@app.command("list")
def list_models(*, output: ScreenFormat = Format.TABLE, kb: Kb = None) -> None:
    """Show the encoders of which this knowledge base has vectors."""
    from kbagent.store import passages

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        rows = [
            {
                "name": one.name,
                "state": one.state,
                "dimension": one.dimension,
                "max_tokens": one.max_tokens,
                "passages": passages.count(base.connection, one.id),
                "fingerprint": one.fingerprint,
            }
            for one in models.everyone(base.connection)
        ]
    if output is not Format.TABLE:
        write(to_json(rows))
        return
    for row in rows:
        write(
            f"{row['state']:<9} {one_line(str(row['name']), 40):<40} {row['passages']:>9,}"
            f" passages of {row['dimension']}"
        )
    if not rows:
        write(f"none yet; the first import uses {DEFAULT_MODEL}")


@app.command()
def use(
    name: Annotated[
        str, typer.Argument(help="A model folder, a name in the cache, or a hub name.")
    ],
    *,
    kb: Kb = None,
) -> None:
    """Encode every case with another model, then switch to it; goes on when interrupted."""
    from kbagent.store.encoder.session import load_encoder
    from kbagent.usecases.maintain.reencoding import use_model

    with open_knowledge_base(folder_of(kb), notify=tell) as base:
        encoder = load_encoder(name, tell, download=True)
        model = use_model(
            base,
            encoder,
            lambda done, total: tell(f"encoded {done:,} of {total:,} cases"),
        )
    write(f"{model.name} serves now")
