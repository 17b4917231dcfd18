"""Options that several commands share, and how they become values."""

import sys
from collections.abc import Sequence
from datetime import timedelta, timezone, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kbagent.errors import BadValue, UnreadableFile, UsageError

Kb = Annotated[
    Path | None,
    typer.Option(
        "--kb",
        metavar="DIR",
        help="The knowledge base (else $KBAGENT_KB, else the platform's data folder).",
        show_default=False,
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", metavar="NAME=VALUE", help="Only cases with this facet."),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DATE", help="Only cases opened from this day on."),
]
Facets = Annotated[
    list[str] | None, typer.Option("--facet", metavar="NAME=VALUE", help="Such as version=3.")
]
Zone = Annotated[
    str, typer.Option("--zone", help="Hours are those of +02:00, or of Europe/Berlin.")
]
By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="NAME", envvar="KBAGENT_BY", help="Who says so.", show_default=False
    ),
]


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MD = "md"


def _written(
    *allowed: Format, names: Sequence[str] = ("--format", "-f"), what: str = "the answer"
) -> Any:
    """The option of a command that writes these formats: its help and refusals name no other."""
    part = StrEnum("Format", {one.name: one.value for one in allowed})  # type: ignore[misc]
    told = f"How {what} is written."
    return Annotated[part, typer.Option(*names, help=told, show_default=True, callback=_format)]


def _format(value: str) -> Format:
    return Format(value)


if TYPE_CHECKING:  # a command gets a `Format`, whichever of them it lets one choose
    FormatOption = Annotated[Format, None]
    ScreenFormat = Annotated[Format, None]
    LinesFormat = Annotated[Format, None]
    TablesFormat = Annotated[Format, None]
    SummaryFormat = Annotated[Format, None]
else:
    FormatOption = _written(*Format)
    ScreenFormat = _written(Format.TABLE, Format.JSON)
    LinesFormat = _written(Format.TABLE, Format.JSON, Format.JSONL)
    TablesFormat = _written(Format.TABLE, Format.JSON, Format.CSV, Format.MD)
    SummaryFormat = _written(Format.TABLE, Format.JSON, names=["--output"], what="the summary")


def folder_of(kb: Path | None) -> Path:
    """The knowledge base's folder: flag, environment, platform."""
    if kb is not None:
        return kb.expanduser()
    from kbagent.store.knowledge_base import default_folder

    return default_folder()


def facets_of(given: list[str] | None) -> tuple[tuple[str, str], ...]:
    """The names and values of `--facet`.

    Raises:
        BadValue: one is not NAME=VALUE.
    """
    return tuple(_facet(text) for text in given or ())


def _facet(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise BadValue(name="--facet", value=text, reason="write NAME=VALUE")
    return name.strip(), value.strip()


def text_of(words: list[str] | None, file: Path | None) -> str:
    """The text a command is about: its words, `-` for standard input, or a file.

    Raises:
        UsageError: nothing was given, or only white space.
        UnreadableFile: the file cannot be read.
    """
    if file is not None and words:
        raise UsageError(what="Give either a text or --file, not both.")
    if file is not None:
        text = read_text(file)
    elif words == ["-"]:
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    else:
        text = " ".join(words or []).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not text.strip():
        raise UsageError(
            what="There is no text to look up. Give it as words, with --file FILE, or pipe it"
            " in with -."
        )
    return text.strip()


def read_text(file: Path) -> str:
    """The text of a file given by the user.

    Raises:
        UnreadableFile: it cannot be read, or is no text.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(path=file, reason=reason, hint="Check the path.") from error
    if b"\0" in content:
        hint = "Save it as UTF-8 text."
        raise UnreadableFile(path=file, reason="it is no UTF-8 text", hint=hint)
    return content.decode("utf-8-sig", "replace")


def zone_of(text: str) -> tzinfo:
    """The time zone that an option names: an offset such as +02:00, or a name such as UTC.

    Raises:
        BadValue: it is neither.
    """
    import re
    from zoneinfo import ZoneInfo

    offset = re.fullmatch(r"([+-])(\d{1,2})(?::?(\d\d))?", text.strip())
    if offset is not None and int(offset[2]) <= 14:
        minutes = 60 * int(offset[2]) + int(offset[3] or 0)
        return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError) as error:
        raise BadValue(
            name="--zone", value=text, reason="write an offset like +02:00 or a name like UTC"
        ) from error
