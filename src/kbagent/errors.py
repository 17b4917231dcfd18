"""All errors that kbagent raises on purpose, each with its exit code.

The docstring of a class is its message: it says what happened, with which value, and what to do
next. Values are passed by name: ``raise NoKnowledgeBase(path=path)``.

KbagentError                      1  something went wrong
├── UsageError                    2  the command was called wrongly
│   ├── BadFilter
│   ├── BadMapping
│   ├── BadValue
│   ├── NoKnowledgeBase
│   ├── UnknownHandle
│   └── UnknownFormat
├── UnreadableFile                1  a file given by the user cannot be read
├── UnwritableFile               1  a file that the user named cannot be written
├── ModelError                    1  an encoder cannot be found, checked or loaded
├── PolicyRefused                 1  a change was refused because it is not shown to be better
├── Locked                        5  another process is writing
└── Damaged                       6  the knowledge base is damaged

Exit codes 3 (no confident answer) and 4 (done in part) are results, not errors: see `ExitCode`.
"""

import inspect
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit says to a script."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NO_CONFIDENT_ANSWER = 3
    PARTLY_DONE = 4
    LOCKED = 5
    DAMAGED = 6


class KbagentError(Exception):
    """{what}"""

    exit_code = ExitCode.ERROR

    def __init__(self, **values: object) -> None:
        template = inspect.cleandoc(type(self).__doc__ or "")
        super().__init__(" ".join(template.format(**values).split()))
        self.values = values


class UsageError(KbagentError):
    """{what}"""

    exit_code = ExitCode.USAGE


class BadFilter(UsageError):
    """The filter '{text}' cannot be used: {reason}. Write NAME=VALUE, NAME!=VALUE, NAME<VALUE,
    NAME>=VALUE or NAME~TEXT, for example --where 'version>=115'."""


class BadMapping(UsageError):
    """The mapping {place} cannot be used: {reason}. `kbagent import --show-mapping FILE` prints
    one to start from."""


class BadValue(UsageError):
    """{name} cannot be '{value}': {reason}."""


class NoKnowledgeBase(UsageError):
    """There is no knowledge base at {path}. Make one with `kbagent import FILE`, try
    `kbagent demo`, or point to one with --kb DIR or KBAGENT_KB."""


class UnknownHandle(UsageError):
    """Nothing here is called '{handle}'. {hint}"""


class UnknownFormat(UsageError):
    """{path}: the format is not recognised ({reason}). Name it with --format, or describe it
    with --map MAPPING.toml (`kbagent import --show-mapping {path}` prints a start)."""


class UnreadableFile(KbagentError):
    """{path} cannot be read: {reason}. {hint}"""


class UnwritableFile(KbagentError):
    """{path} cannot be written: {reason}. {hint}"""


class ModelError(KbagentError):
    """The encoder {model} cannot be used: {reason}. {hint}"""


class PolicyRefused(KbagentError):
    """Refused: {reason}. {hint}"""


class Locked(KbagentError):
    """Another kbagent process has been writing to {path} for more than {seconds} seconds. Try
    again when it is done."""

    exit_code = ExitCode.LOCKED


class Damaged(KbagentError):
    """The knowledge base is damaged: {what}. {hint}"""

    exit_code = ExitCode.DAMAGED
