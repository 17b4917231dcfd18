"""What `kbagent doctor` finds."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it stands with what was checked; `NOTE` is worth knowing and no damage."""

    SOUND = "sound"
    NOTE = "note"
    MENDED = "mended"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `items` names up to a few of the things that are wrong."""

    state: State
    what: str
    hint: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """A check by its name with what it found in the end, and what was done about it."""

    name: str
    finding: Finding
    seconds: float
    mended: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """All that was checked, in the order in which it was."""

    folder: str
    checked: tuple[Checked, ...]

    @property
    def damaged(self) -> bool:
        """Whether damage remains."""
        return any(one.finding.state is State.DAMAGED for one in self.checked)


def sound(what: str) -> Finding:
    """Nothing is wrong."""
    return Finding(State.SOUND, what)


def note(what: str, hint: str = "") -> Finding:
    """Nothing is broken, but somebody should know."""
    return Finding(State.NOTE, what, hint)


def damaged(what: str, hint: str = "", items: tuple[str, ...] = ()) -> Finding:
    """Something is not as it must be."""
    return Finding(State.DAMAGED, what, hint, items)
