"""What a mapping does not use becomes facets: flat names, text values, nothing thrown away quietly.

`{"via": {"channel": "web"}, "tags": ["a", "b"]}` is `via.channel=web`, `tags=a`, `tags=b`.
Left out are empty cells, text that the case already holds as title or body, and what lies beyond
the limits (very long values are cut and end in "…").
"""

from collections.abc import Iterator, Mapping, Sequence

from kbagent.store.readers import limits
from kbagent.store.readers.expressions import plain_text
from kbagent.store.readers.rows import plain_name
from kbagent.store.readers.values import as_text

_LONG = 200  # characters from which a value is compared with the texts of the case


def flattened(
    row: Mapping[str, object], used: frozenset[tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    """Name and text of each value in a row that is not under one of the `used` paths."""
    for name, value in row.items():
        yield from _flat(value, (name,), plain_name(name), used)


def _flat(
    value: object, path: tuple[str, ...], name: str, used: frozenset[tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    if path in used:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, (*path, key), f"{name}.{plain_name(str(key))}", used)
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, path, name, used)
    elif value is not None:
        text = as_text(value)
        if text:
            yield name, text


def gathered(pairs: Iterator[tuple[str, str]], texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Distinct pairs within the limits, without values that are only copies of `texts`."""
    kept: dict[tuple[str, str], None] = {}
    known = {_folded(text) for text in texts if len(text) >= _LONG}
    for name, value in pairs:
        if len(kept) >= limits.FACETS_PER_CASE:
            break
        if len(value) >= _LONG and known and _folded(plain_text(value)) in known:
            continue
        cut = value if len(value) <= limits.FACET_CHARS else value[: limits.FACET_CHARS] + "…"
        kept[(name, cut)] = None
    return tuple(kept)


def _folded(text: str) -> str:
    return "".join(text.split()).lower()
