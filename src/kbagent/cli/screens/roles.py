"""From which columns of which systems a field is put together, in words."""

from collections.abc import Sequence

from kbagent.cli.output import one_line
from kbagent.usecases.mine.roles import Column


def read_from(columns: Sequence[Column]) -> str:
    """Each column with the systems it is read in: 'desk (tackle), group_name (zendesk)'."""
    return ", ".join(f"{one_line(one.name, 40)} ({_systems(one.systems)})" for one in columns)


def columns_json(columns: Sequence[Column]) -> list[dict[str, object]]:
    """The same for a script."""
    return [{"column": one.name, "systems": list(one.systems)} for one in columns]


def _systems(names: Sequence[str]) -> str:
    return ", ".join(one_line(name, 30) for name in names)
