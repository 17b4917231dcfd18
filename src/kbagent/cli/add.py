"""`kbagent add`."""

from pathlib import Path
from typing import Annotated

import typer

from kbagent.cli.editor import edited
from kbagent.cli.options import Facets, Kb, facets_of, folder_of, read_text
from kbagent.cli.output import tell, write
from kbagent.cli.requests import start_of
from kbagent.errors import UsageError
from kbagent.model.case import AttemptRecord, CaseRecord, CaseStatus, Verdict
from kbagent.store.knowledge_base import create_knowledge_base

app = typer.Typer()

_TEMPLATE = """\
# The first line is the title, the lines below it the description.
# Write what solved it below the line 'resolution:'. Lines that start with # are left out.


resolution:

"""


@app.command()
def add(
    title: Annotated[str | None, typer.Argument(help="What the problem is, in one line.")] = None,
    *,
    body: Annotated[str, typer.Option("--body", help="The whole description.")] = "",
    resolution: Annotated[
        list[str] | None, typer.Option("--resolution", "-r", help="What solved it.")
    ] = None,
    tried: Annotated[
        list[str] | None, typer.Option("--tried", help="What was tried and did not help.")
    ] = None,
    case: Annotated[str | None, typer.Option("--id", help="Its id, as SOURCE:ID or ID.")] = None,
    facet: Facets = None,
    opened: Annotated[str | None, typer.Option(metavar="DATE", help="When it was opened.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Read title, description and resolution.")
    ] = None,
    kb: Kb = None,
) -> None:
    """Add one case by hand, from a file or in an editor."""
    from kbagent.usecases.maintain.encoding import serving_encoder
    from kbagent.usecases.retain.addition import add_case, next_local_id

    if title is None:
        text = read_text(file) if file is not None else edited(_TEMPLATE)
        title, body, solved = parse_draft(text)
        resolution = [*(resolution or []), *([solved] if solved else [])]
    with create_knowledge_base(folder_of(kb), notify=tell) as base:
        source, external_id = _name(case, next_local_id(base))
        record = CaseRecord(
            source=source,
            external_id=external_id,
            title=title.strip(),
            body=body.strip(),
            status=CaseStatus.RESOLVED if resolution else CaseStatus.OPEN,
            opened_at=start_of("--opened", opened) or base.clock(),
            facets=facets_of(facet),
            attempts=(
                *(AttemptRecord(text, Verdict.FAILED) for text in tried or ()),
                *(AttemptRecord(text, Verdict.WORKED) for text in resolution or ()),
            ),
        )
        add_case(base, record, encoder=serving_encoder(base))
    write(f"kept {record.ref}")


def parse_draft(text: str) -> tuple[str, str, str]:
    """(title, description, resolution) from what was written in the editor or a file.

    Raises:
        UsageError: there is no title.
    """
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    above, below, found = lines, [], False
    for number, line in enumerate(lines):
        if line.strip().casefold() == "resolution:":
            above, below, found = lines[:number], lines[number + 1 :], True
            break
    head = "\n".join(above).strip()
    if not head:
        raise UsageError(what="Nothing was added: the title is missing.")
    title, _, body = head.partition("\n")
    return title.strip(), body.strip(), "\n".join(below).strip() if found else ""


def _name(case: str | None, free: str) -> tuple[str, str]:
    if case is None:
        return "local", free
    source, separator, external_id = case.partition(":")
    return (source, external_id) if separator and external_id else ("local", case)
