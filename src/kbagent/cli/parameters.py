"""Plain parameters taken as they are, so that a command starts without pydantic.

Typer (from 0.28 on) hands every parameter, given or not, to pydantic, whose import and schemas
take 90 ms: twice what Typer itself does. Whatever needs no conversion beyond text, number, path
or choice is taken here; everything else, and everything that is wrong, goes Typer's own way, so
that its messages stay Typer's. Older versions of Typer convert by themselves and are left alone.
"""

import re
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

_WHOLE = re.compile(r"[+-]?\d{1,18}", flags=re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?", flags=re.ASCII)
_NO = object()
"""What is not plain."""


def take_plainly(command: Any) -> None:
    """Let plain values of this command, and of its subcommands, past Typer's conversion."""
    command.get_params = partial(_taken, command.get_params)
    for subcommand in getattr(command, "commands", {}).values():
        take_plainly(subcommand)


def _taken(listed: Callable[[Any], list[Any]], context: Any) -> list[Any]:
    """The parameters of a command, `--help` included, each with our way of taking a value."""
    parameters = listed(context)
    for parameter in parameters:
        described = getattr(parameter, "type_descriptor", None)
        known = isinstance(parameter.process_value, partial)
        if described is not None and not known and _is_simple(described):
            parameter.process_value = partial(
                _processed, parameter, described.annotation, parameter.process_value
            )
    return parameters


def _is_simple(described: Any) -> bool:
    """Whether nothing but the type says what a value may be."""
    told = described.parameter_info
    checks = ("exists", "resolve_path", "parser", "click_type", "formats", "clamp", "path_type")
    return not any(getattr(told, name, None) for name in checks)


def _processed(
    parameter: Any, annotation: Any, convert: Callable[[Any, Any], Any], context: Any, value: Any
) -> Any:
    """The value that Typer would make of `value`."""
    several = parameter.nargs == -1 or getattr(parameter, "multiple", False)
    if value is None and not parameter.required:
        found: Any = () if several else None
    elif several:
        found = _plain_list(annotation, value)
    else:
        found = _plain(parameter, annotation, value)
    if found is _NO:
        return convert(context, value)
    return found if parameter.callback is None else parameter.callback(context, parameter, found)


def _plain_list(annotation: Any, value: Any) -> Any:
    if get_origin(annotation) is not list or get_args(annotation) != (str,) or not value:
        return _NO
    alike = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    return list(value) if alike else _NO


def _plain(parameter: Any, annotation: Any, value: Any) -> Any:
    if not isinstance(annotation, type) or value == "":
        return _NO
    if annotation is str or isinstance(value, annotation):
        made = value if isinstance(value, annotation) else _NO
    elif not isinstance(value, str):
        made = _NO
    elif issubclass(annotation, Path):
        made = annotation(value)
    elif issubclass(annotation, Enum):
        made = next((one for one in annotation if one.value == value), _NO)
    elif annotation is int and _WHOLE.fullmatch(value):
        made = int(value)
    elif annotation is float and _NUMBER.fullmatch(value):
        made = float(value)
    else:
        made = _NO
    return made if _within(made, parameter.min, parameter.max) else _NO


def _within(value: Any, least: float | None, most: float | None) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return True
    return (least is None or value >= least) and (most is None or value <= most)
