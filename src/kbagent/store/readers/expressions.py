"""JMESPath expressions with the few functions that exports need beyond the standard ones.

Standard: https://jmespath.org/specification.html. Added: `plain(html)`, `lower(text)`,
`split(separator, text)`, `capture(text, regex)` (first group of the first match),
`captures(text, regex)` (of all matches), `strip(text)`, `replace(text, regex, with)`,
`list(value)` (a lone value as a list, null as an empty one).
Text in single quotes is text; a name with spaces stands in double quotes.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jmespath
from jmespath import functions
from jmespath.exceptions import JMESPathError

_BREAK = re.compile(r"(?i)<\s*(?:br|/p|/div|/li|/tr|/h[1-6]|/pre|/blockquote)\b[^<>]*>")
_DROPPED = re.compile(r"(?is)<(script|style)\b[^<>]*>.*?</\1\s*>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->", re.DOTALL)
_LOOKS_LIKE_HTML = re.compile(
    r"(?i)</?(?:p|div|br|span|a|ul|ol|li|table|b|strong|i|em|img|h[1-6]|pre|code|blockquote|html)\b"
)
_BLANKS = re.compile(r"[ \t\xa0]+")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*\n+")


def plain_text(text: str) -> str:
    """Text without HTML tags; text that holds no HTML is returned as it is.

    >>> plain_text("<p>Restart &amp; retry</p><p>if a < b</p>")
    'Restart & retry\\nif a < b'
    """
    if not _LOOKS_LIKE_HTML.search(text):
        return text
    broken = _BREAK.sub("\n", _DROPPED.sub("", text))
    bare = html.unescape(_TAG.sub("", broken))
    return _EMPTY_LINES.sub("\n\n", _BLANKS.sub(" ", bare)).strip()


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _groups(text: str, pattern: str) -> list[str]:
    found = [m.group(1) if m.re.groups else m.group() for m in _regex(pattern).finditer(text)]
    return [each for each in found if each]


_TEXT: Any = {"types": ["string", "null"]}
_PATTERN: Any = {"types": ["string"]}
_ANY: Any = {"types": []}


class _Functions(functions.Functions):
    @functions.signature(_TEXT)
    def _func_plain(self, text: str | None) -> str | None:
        return None if text is None else plain_text(text)

    @functions.signature(_TEXT)
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()

    @functions.signature(_TEXT)
    def _func_strip(self, text: str | None) -> str | None:
        return None if text is None else text.strip()

    @functions.signature(_PATTERN, _TEXT)
    def _func_split(self, separator: str, text: str | None) -> list[str]:
        parts = text.split(separator) if text and separator else [text or ""]
        return [part.strip() for part in parts if part.strip()]

    @functions.signature(_TEXT, _PATTERN)
    def _func_capture(self, text: str | None, pattern: str) -> str | None:
        return next(iter(_groups(text or "", pattern)), None)

    @functions.signature(_TEXT, _PATTERN)
    def _func_captures(self, text: str | None, pattern: str) -> list[str]:
        return _groups(text or "", pattern)

    @functions.signature(_TEXT, _PATTERN, _PATTERN)
    def _func_replace(self, text: str | None, pattern: str, by: str) -> str | None:
        return None if text is None else _regex(pattern).sub(by, text)

    @functions.signature(_ANY)
    def _func_list(self, value: object) -> list[object]:
        if value is None or value == "":
            return []
        return value if isinstance(value, list) else [value]


_OPTIONS = jmespath.Options(custom_functions=_Functions())
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class ExpressionFailed(Exception):
    """An expression does not fit the row: a function met a value of the wrong type."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled JMESPath expression. `reads` are the dotted fields of a row that it uses up."""

    text: str
    compiled: Any
    reads: tuple[tuple[str, ...], ...]

    def find(self, row: Mapping[str, object]) -> object:
        """The value in a row; None when there is none.

        Raises: ExpressionFailed when a function cannot take the value it is given.
        """
        if self.compiled is None:
            return row.get(self.text)
        try:
            found: object = self.compiled.search(row, _OPTIONS)
        except (JMESPathError, re.error, TypeError, ValueError, AttributeError) as error:
            raise ExpressionFailed(str(error).splitlines()[0]) from error
        return found


def compiled(text: str) -> Expression:
    """Compile one expression.

    Raises: ValueError with the reason when it is no JMESPath.
    """
    if _BARE.match(text):
        return Expression(text, None, ((text,),))
    try:
        made = jmespath.compile(text)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(f"'{text}' is not JMESPath: {str(error).splitlines()[0]}") from error
    return Expression(text, made, tuple(dict.fromkeys(_reads(made.parsed))))


_READS_LEFT = {"filter_projection", "projection", "flatten", "index_expression", "pipe"}


def _chain(node: Any) -> tuple[str, ...]:
    """The fields that a chain like `a.b[*].c` walks through up to its first list."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] == "subexpression":
        chain: tuple[str, ...] = ()
        for child in node["children"]:
            part = _chain(child)
            chain += part
            if not part or child["type"] not in {"field", "subexpression"}:
                break
        return chain
    if node["type"] in {"index_expression", "projection", "filter_projection", "flatten"}:
        return _chain(node["children"][0])
    return ()


def _reads(node: Any) -> list[tuple[str, ...]]:
    chain = _chain(node)
    if chain:
        return [chain]
    if node["type"] in {"comparator", "literal", "expref", "identity", "current"}:
        return []
    children = node.get("children", [])
    if node["type"] in _READS_LEFT:
        children = children[:1]
    return [read for child in children if isinstance(child, dict) for read in _reads(child)]
