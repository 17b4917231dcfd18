"""A condition on one facet of a case, as a search or a list is narrowed by it."""

from dataclasses import dataclass
from enum import StrEnum


class FilterOperator(StrEnum):
    """How a case's value is compared with the filter's."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    CONTAINS = "~"


@dataclass(frozen=True, slots=True)
class Filter:
    """`name operator value`, for example version ≥ 115; name and value are kept as written."""

    name: str
    operator: FilterOperator
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.operator.value}{self.value}"
