"""Mappings: TOML files that say which part of a row is the id, the title, an attempt, a facet.

The language is described in docs/import.md; the presets in `presets/*.toml` are written in it.
A mapping is checked whole when it is loaded; nothing in it is executed but JMESPath.
"""

import tomllib
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from kbagent.errors import BadMapping
from kbagent.model.case import CaseStatus, LinkKind, Verdict
from kbagent.store.readers.expressions import Expression, compiled

LAYOUTS = ("csv", "tsv", "json", "jsonl", "xlsx")
FIELDS = ("id", "source", "title", "body", "status", "opened_at", "closed_at", "url", "csat",
          "minutes", "escalated", "facets", "skip")  # fmt: skip
_USED_UP = ("id", "source", "title", "body", "opened_at", "closed_at", "url", "facets")
_ATTEMPT_FIELDS = (
    "text", "at", "by", "code", "id", "steps", "worked", "partly", "failed", "verdict",
)  # fmt: skip
_UNITS = {"seconds": 1 / 60, "minutes": 1.0, "hours": 60.0, "days": 1440.0}
_TOP = {
    "name", "layout", "items", "encoding", "names", "unwrap", "case", "facets", "leave_out",
    "status", "csat", "dates", "attempts", "links", "pairs", "join", "recognise", "minutes",
}  # fmt: skip

Choice = tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AttemptRule:
    """How attempts are found: for `each` item (or the row), `only` where that holds."""

    each: Expression | None
    only: Expression | None
    fields: AnyMapping[str, Choice]
    verdicts: AnyMapping[str, Verdict]
    when_resolved: str  # which of them a resolved case proves: last, all, none


@dataclass(frozen=True, slots=True)
class LinkRule:
    """How links are found: for `each` item (or the row), the id of the other case."""

    kind: LinkKind
    each: Expression | None
    id: Choice


@dataclass(frozen=True, slots=True)
class PairRule:
    """A list of `{name, value}` objects that are facets: `items[].name = items[].value`."""

    items: Expression
    name: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class JoinRule:
    """A second file whose rows belong to cases: put as a list under `into`.

    `key` in its rows equals `case_key` in the rows of the cases. `items` is where its rows are,
    `needs` are the names by which it is recognised.
    """

    into: str
    key: Choice
    case_key: Choice
    items: tuple[str, ...] | None
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Recognition:
    """By which names a preset knows its own rows (`needs` all, `some` `at_least` so many)."""

    needs: frozenset[str] = frozenset()
    some: frozenset[str] = frozenset()
    not_any: frozenset[str] = frozenset()
    at_least: int = 1
    items: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping, checked and compiled."""

    name: str
    text: str
    case: AnyMapping[str, Choice]
    layout: str | None = None
    items: tuple[str, ...] | None = None
    encoding: str | None = None
    plain_names: bool = False
    unwrap: bool = False
    facets: AnyMapping[str, Choice] = field(default_factory=dict)
    leave_out: frozenset[tuple[str, ...]] = frozenset()
    status_words: AnyMapping[str, CaseStatus] = field(default_factory=dict)
    csat_words: AnyMapping[str, float] = field(default_factory=dict)
    csat_scale: tuple[float, float] | None = None
    minutes_unit: float = 1.0
    day_first: bool | None = None
    zone: tzinfo = UTC
    attempts: tuple[AttemptRule, ...] = ()
    links: tuple[LinkRule, ...] = ()
    pairs: tuple[PairRule, ...] = ()
    joins: tuple[JoinRule, ...] = ()
    recognition: Recognition = Recognition()

    @property
    def used(self) -> frozenset[tuple[str, ...]]:
        """The fields of a row that are represented in the case and are no facets."""
        choices = [self.case[name] for name in _USED_UP if name in self.case]
        choices += list(self.facets.values())
        for rule in self.attempts:
            choices += [(rule.each,)] if rule.each else [rule.fields["text"]]
        choices += [(rule.each,) for rule in self.links if rule.each]
        choices += [(rule.items,) for rule in self.pairs]
        reads = {read for choice in choices for expression in choice for read in expression.reads}
        joined = {(rule.into,) for rule in self.joins}
        return frozenset(reads | joined) | self.leave_out


class _Reader:
    """Reads a mapping's TOML and says what is wrong with it, by place."""

    def __init__(self, place: str, text: str) -> None:
        self.place, self.text = place, text

    def wrong(self, reason: str) -> NoReturn:
        raise BadMapping(place=self.place, reason=reason)

    def table(self, data: AnyMapping[str, Any], key: str) -> dict[str, Any]:
        value = data.get(key, {})
        if not isinstance(value, dict):
            self.wrong(f"'{key}' must be a table [{key}]")
        return value

    def tables(self, data: AnyMapping[str, Any], key: str) -> list[dict[str, Any]]:
        value = data.get(key, [])
        value = [value] if isinstance(value, dict) else value
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.wrong(f"'{key}' must be tables [[{key}]]")
        return value

    def known(
        self, data: AnyMapping[str, Any], names: AnyMapping[str, Any] | set[str], where: str
    ) -> None:
        for key in data:
            if key not in names:
                self.wrong(f"'{key}' means nothing in {where}; there is {', '.join(sorted(names))}")

    def text_of(self, data: AnyMapping[str, Any], key: str) -> str | None:
        value = data.get(key)
        if value is not None and not isinstance(value, str):
            self.wrong(f"'{key}' must be text in quotes")
        return value

    def words(self, data: AnyMapping[str, Any], key: str) -> tuple[str, ...]:
        value = data.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(each, str | int) for each in value):
            self.wrong(f"'{key}' must be a list of words")
        return tuple(str(each) for each in value)

    def expression(self, text: object, where: str) -> Expression:
        if not isinstance(text, str) or not text.strip():
            self.wrong(f"{where} must be an expression in quotes")
        try:
            return compiled(text)
        except ValueError as error:
            self.wrong(f"{where}: {error}")

    def choice(self, value: object, where: str) -> Choice:
        values = value if isinstance(value, list) else [value]
        if not values:
            self.wrong(f"{where} is an empty list")
        return tuple(self.expression(each, where) for each in values)

    def choices(self, data: AnyMapping[str, Any], where: str) -> dict[str, Choice]:
        return {key: self.choice(value, f"{where}.{key}") for key, value in data.items()}

    def optional(self, data: AnyMapping[str, Any], key: str, where: str) -> Expression | None:
        return self.expression(data[key], f"{where}.{key}") if key in data else None


def loaded(text: str, place: str, *, name: str) -> Mapping:
    """The mapping written in `text`; `name` is its name unless it names itself.

    Raises: BadMapping with the place and what is wrong.
    """
    read = _Reader(place, text)
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        read.wrong(f"it is not TOML ({error})")
    data = _extended(read, data)
    read.known(data, _TOP, "a mapping")
    case = read.table(data, "case")
    read.known(case, set(FIELDS), "[case]")
    fields = read.choices(case, "case")
    if "title" not in fields and "body" not in fields:
        read.wrong("[case] names neither title nor body")
    csat, dates = read.table(data, "csat"), read.table(data, "dates")
    read.known(dates, {"order", "zone"}, "[dates]")
    return Mapping(
        name=read.text_of(data, "name") or name,
        text=text,
        case=fields,
        layout=_one_of(read, data, "layout", LAYOUTS),
        items=_path(read.text_of(data, "items")),
        encoding=read.text_of(data, "encoding"),
        plain_names=_one_of(read, data, "names", ("plain", "exact")) == "plain",
        unwrap=bool(data.get("unwrap", False)),
        facets=read.choices(read.table(data, "facets"), "facets"),
        leave_out=frozenset(tuple(each.split(".")) for each in read.words(data, "leave_out")),
        status_words=_status_words(read, read.table(data, "status")),
        csat_words=_csat_words(read, csat),
        csat_scale=_csat_scale(read, csat),
        minutes_unit=_UNITS[_one_of(read, data, "minutes", tuple(_UNITS)) or "minutes"],
        day_first=_day_first(read, dates),
        zone=_zone(read, dates),
        attempts=tuple(_attempts(read, each) for each in read.tables(data, "attempts")),
        links=tuple(_link(read, each) for each in read.tables(data, "links")),
        pairs=tuple(_pair(read, each) for each in read.tables(data, "pairs")),
        joins=tuple(_join(read, each) for each in read.tables(data, "join")),
        recognition=_recognition(read, read.table(data, "recognise")),
    )


def _extended(read: _Reader, data: dict[str, Any]) -> dict[str, Any]:
    """`data` over the preset it `extends`, if any: tables are merged, all else is replaced."""
    name = read.text_of(data, "extends")
    if name is None:
        return data
    if name not in presets():
        read.wrong(f"there is no preset '{name}' to extend; there is {', '.join(presets())}")
    base = tomllib.loads(presets()[name].text)
    own = {key: value for key, value in data.items() if key != "extends"}
    merged = {
        key: {**base[key], **value}
        for key, value in own.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {**base, **own, **merged}


def _path(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(part for part in text.split(".") if part and part != "@")


def _one_of(
    read: _Reader, data: AnyMapping[str, Any], key: str, allowed: tuple[str, ...]
) -> str | None:
    value = read.text_of(data, key)
    if value is not None and value not in allowed:
        read.wrong(f"{key} is '{value}'; it can be {', '.join(allowed)}")
    return value


def _status_words(read: _Reader, table: dict[str, Any]) -> dict[str, CaseStatus]:
    read.known(table, {status.value for status in CaseStatus}, "[status]")
    return {
        word.lower(): CaseStatus(status) for status in table for word in read.words(table, status)
    }


def _csat_words(read: _Reader, table: dict[str, Any]) -> dict[str, float]:
    words = {}
    for word, value in table.items():
        if word == "scale":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            read.wrong(f"csat.{word} must be a number from 0 to 1")
        words[word.lower()] = float(value)
    return words


def _csat_scale(read: _Reader, table: dict[str, Any]) -> tuple[float, float] | None:
    scale = table.get("scale")
    if scale is None:
        return None
    match scale:
        case [int() | float() as low, int() | float() as high] if low < high:
            return float(low), float(high)
    return read.wrong("csat.scale must be [worst, best], for example [1, 5]")


def _day_first(read: _Reader, table: dict[str, Any]) -> bool | None:
    order = _one_of(read, table, "order", ("day-first", "month-first"))
    return None if order is None else order == "day-first"


def _zone(read: _Reader, table: dict[str, Any]) -> tzinfo:
    name = read.text_of(table, "zone")
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        read.wrong(f"dates.zone '{name}' is no time zone such as Europe/Berlin")


def _attempts(read: _Reader, table: dict[str, Any]) -> AttemptRule:
    read.known(
        table, {*_ATTEMPT_FIELDS, "each", "only", "verdicts", "when_resolved"}, "[[attempts]]"
    )
    if "text" not in table:
        read.wrong("[[attempts]] needs text")
    words = read.table(table, "verdicts")
    read.known(words, {verdict.value for verdict in Verdict}, "[attempts.verdicts]")
    says = any(name in table for name in ("worked", "partly", "failed", "verdict"))
    return AttemptRule(
        each=read.optional(table, "each", "attempts"),
        only=read.optional(table, "only", "attempts"),
        fields={
            name: read.choice(table[name], f"attempts.{name}")
            for name in _ATTEMPT_FIELDS
            if name in table
        },
        verdicts={
            word.lower(): Verdict(verdict)
            for verdict in words
            for word in read.words(words, verdict)
        },
        when_resolved=_one_of(read, table, "when_resolved", ("last", "all", "none"))
        or ("none" if says else "last"),
    )


def _link(read: _Reader, table: dict[str, Any]) -> LinkRule:
    read.known(table, {"kind", "each", "id"}, "[[links]]")
    kind = _one_of(read, table, "kind", tuple(kind.value for kind in LinkKind)) or "duplicate"
    each = read.optional(table, "each", "links")
    return LinkRule(LinkKind(kind), each, read.choice(table.get("id"), "links.id"))


def _pair(read: _Reader, table: dict[str, Any]) -> PairRule:
    read.known(table, {"items", "name", "value"}, "[[pairs]]")
    return PairRule(
        read.expression(table.get("items"), "pairs.items"),
        read.expression(table.get("name"), "pairs.name"),
        read.expression(table.get("value"), "pairs.value"),
    )


def _join(read: _Reader, table: dict[str, Any]) -> JoinRule:
    read.known(table, {"into", "key", "case_key", "items", "needs"}, "[[join]]")
    into = read.text_of(table, "into")
    if not into:
        read.wrong("[[join]] needs into, the name under which the rows are put")
    return JoinRule(
        into,
        read.choice(table.get("key"), "join.key"),
        read.choice(table.get("case_key", "id"), "join.case_key"),
        _path(read.text_of(table, "items")),
        frozenset(read.words(table, "needs")),
    )


def _recognition(read: _Reader, table: dict[str, Any]) -> Recognition:
    read.known(table, {"needs", "some", "not_any", "at_least", "items"}, "[recognise]")
    at_least = table.get("at_least", 1)
    if not isinstance(at_least, int):
        read.wrong("recognise.at_least must be a number")
    return Recognition(
        frozenset(read.words(table, "needs")),
        frozenset(read.words(table, "some")),
        frozenset(read.words(table, "not_any")),
        at_least,
        tuple(_path(each) or () for each in read.words(table, "items")),
    )


def loaded_file(path: Path) -> Mapping:
    """The mapping in a file.

    Raises: BadMapping when it cannot be read or is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadMapping(place=path, reason=reason) from error
    return loaded(text, str(path), name=path.stem)


@cache
def presets() -> AnyMapping[str, Mapping]:
    """The mappings that come with kbagent, by name, in order of name."""
    folder = resources.files("kbagent.store.readers") / "presets"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    made = {}
    for file in files:
        name = file.name.removesuffix(".toml")
        made[name] = loaded(file.read_text(encoding="utf-8"), f"preset {name}", name=name)
    return made
