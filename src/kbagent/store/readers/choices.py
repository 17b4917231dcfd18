"""Choices of a mapping: of several expressions, the first that finds something in a row."""

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from datetime import datetime

from kbagent.store.readers import values
from kbagent.store.readers.expressions import Expression, ExpressionFailed, plain_text
from kbagent.store.readers.mapping import Choice, Mapping


def first_value(choice: Choice, row: AnyMapping[str, object]) -> object:
    """The first value found that is not null and not empty; None when there is none.

    An expression that does not fit the row finds nothing.
    """
    for expression in choice:
        found = _found(expression, row)
        if not (found is None or found == "" or found == []):  # noqa: PLR1714 (0 and False are values)
            return found
    return None


def first_text(choice: Choice, row: AnyMapping[str, object]) -> str:
    """The first text found, without HTML; empty when there is none."""
    for expression in choice:
        text = plain_text(values.as_text(_found(expression, row)))
        if text:
            return text
    return ""


def moment_in(
    mapping: Mapping, choice: Choice | None, row: AnyMapping[str, object], *, day_first: bool
) -> datetime | None:
    """The first point in time found, in UTC.

    Raises: ValueError when what stands there is no date.
    """
    for expression in choice or ():
        found = values.moment(_found(expression, row), day_first=day_first, zone=mapping.zone)
        if found is not None:
            return found
    return None


def scopes(
    each: Expression | None, row: AnyMapping[str, object]
) -> Iterator[AnyMapping[str, object]]:
    """The items that `each` finds, every one with the whole row beside it as `_case`.

    An item that is no object is found as `value`. Without `each` the row itself is the only one.
    """
    if each is None:
        yield row
        return
    found = _found(each, row)
    if found is None or found == "":
        return
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, dict):
            yield {**item, "_case": row}
        elif item is not None and item != "":
            yield {"value": item, "_case": row}


def _found(expression: Expression, row: AnyMapping[str, object]) -> object:
    try:
        return expression.find(row)
    except ExpressionFailed:
        return None
