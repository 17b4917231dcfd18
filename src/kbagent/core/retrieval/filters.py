"""Filters: reading `version>=115`, and deciding whether a case's values satisfy it.

A filter is applied before ranking, to all cases, never to the best few. This module does not
know where the values come from: title, source, status and dates are facets here like any other.
"""

import re
from collections.abc import Sequence

from kbagent.core.retrieval.periods import Period, parse_period
from kbagent.core.retrieval.versions import from_first_number, has_number, version_key
from kbagent.errors import BadFilter
from kbagent.model.filters import Filter, FilterOperator

_FILTER = re.compile(
    r"(?P<name>[^=!<>~]*)(?P<operator>!=|<=|>=|==|=|<|>|~)(?P<value>.*)", re.DOTALL
)
_FULL_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", flags=re.ASCII)
_LESS = {FilterOperator.LESS, FilterOperator.AT_MOST}


def parse_filter(text: str) -> Filter:
    """The filter that a text like `product=Thunderbird` or `title~smtp` writes.

    The first operator counts, so a value may hold any character; spaces around name and value
    are dropped, and a pair of quotes around the value.

    Raises:
        BadFilter: no operator, no name or no value.

    >>> parse_filter("version >= 115")
    Filter(name='version', operator=<FilterOperator.AT_LEAST: '>='>, value='115')
    """
    match = _FILTER.fullmatch(text)
    if match is None:
        raise BadFilter(text=text, reason="it has no operator")
    name, value = match["name"].strip(), _unquoted(match["value"].strip())
    if not name:
        raise BadFilter(text=text, reason="the name before the operator is missing")
    if not value:
        raise BadFilter(text=text, reason="the value after the operator is missing")
    operator = FilterOperator("=" if match["operator"] == "==" else match["operator"])
    return Filter(name, operator, value)


def name_key(name: str) -> str:
    """The form in which names of facets are compared: letter case, `_` and spaces do not count.

    >>> name_key("Affects Version/s") == name_key("affects_version/s")
    True
    """
    return " ".join(name.casefold().replace("_", " ").split())


def matches(condition: Filter, values: Sequence[str]) -> bool:
    """Whether a case with these values of the filter's facet satisfies it.

    A case may have several values: one that satisfies is enough, except for `!=`, which wants
    none to be equal. A case without a value satisfies `!=` only. Text is compared without
    letter case; order is by date where both sides are dates, else by version (so 115.10 is
    after 115.9, and a decimal fraction is not a fraction). A value without any number is
    neither before nor after a filter's number.

    >>> matches(parse_filter("version>=115"), ["Thunderbird 115.3.1"])
    True
    >>> matches(parse_filter("opened<2024-02"), ["2024-01-31T23:59:59+00:00"])
    True
    """
    if condition.operator is FilterOperator.NOT_EQUAL:
        return not any(_equal(value, condition.value) for value in values)
    return any(_satisfies(condition, value) for value in values)


def _satisfies(condition: Filter, value: str) -> bool:
    match condition.operator:
        case FilterOperator.EQUAL:
            return _equal(value, condition.value)
        case FilterOperator.CONTAINS:
            return _folded(condition.value) in _folded(value)
        case _:
            return _ordered(value, condition.operator, condition.value)


def _equal(value: str, wanted: str) -> bool:
    if _folded(value) == _folded(wanted):
        return True
    period, moment = _dates(value, wanted)
    if period and moment:
        return period.start <= moment.start < period.end
    # Without a dot these are numbers or codes, and 01234 is not 1234.
    dotted = "." in value or "." in wanted
    return dotted and has_number(wanted) and version_key(value) == version_key(wanted)


def _ordered(value: str, operator: FilterOperator, wanted: str) -> bool:
    period, moment = _dates(value, wanted)
    if period and moment:
        return _in_time(moment, operator, period)
    if wanted[:1].isdecimal():
        if not has_number(value):
            return False
        value = from_first_number(value)
    left, right = version_key(value), version_key(wanted)
    if left == right:
        return operator in {FilterOperator.AT_MOST, FilterOperator.AT_LEAST}
    return (left < right) == (operator in _LESS)


def _in_time(moment: Period, operator: FilterOperator, period: Period) -> bool:
    match operator:
        case FilterOperator.LESS:
            return moment.start < period.start
        case FilterOperator.AT_MOST:
            return moment.start < period.end
        case FilterOperator.GREATER:
            return moment.start >= period.end
        case _:
            return moment.start >= period.start


def _dates(value: str, wanted: str) -> tuple[Period | None, Period | None]:
    """The filter's period and the value's, when the value is a date; `2024` alone is none."""
    if not _FULL_DATE.match(value.strip()):
        return None, None
    return parse_period(wanted), parse_period(value)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1].strip() if quoted else value
