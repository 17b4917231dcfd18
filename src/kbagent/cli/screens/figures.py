"""How numbers, dates and bars are written, so that every screen writes them the same way."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from kbagent.model.evidence import Break, Evidence

if TYPE_CHECKING:
    from kbagent.usecases.mine.columns import There

BAR_CELLS = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, cells: int = BAR_CELLS) -> str:
    """A bar of `cells` characters for a share in [0, 1].

    >>> bar(0.5, 4)
    '██··'
    """
    eighths = round(max(0.0, min(1.0, share)) * cells * 8)
    full, part = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[part] if part else "")
    return drawn + "·" * (cells - len(drawn))


def percent(share: float) -> str:
    """A share as a whole percentage; never 0 % or 100 % for what is not quite that.

    >>> percent(0.5), percent(0.999), percent(0.001), percent(1.0)
    ('50 %', '99 %', '1 %', '100 %')
    """
    whole = round(share * 100)
    if whole == 100 and share < 1.0:
        whole = 99
    if whole == 0 and share > 0.0:
        whole = 1
    return f"{whole} %"


def number(value: float) -> str:
    """A count without a needless fraction: 3, 2.5.

    >>> number(3.0), number(2.5)
    ('3', '2.5')
    """
    return f"{value:g}"


def cases(count: int) -> str:
    """So many cases.

    >>> cases(1), cases(0), cases(1200)
    ('1 case', '0 cases', '1,200 cases')
    """
    return "1 case" if count == 1 else f"{count:,} cases"


def day(moment: datetime | None) -> str:
    """The date of a moment, `unknown` when there is none."""
    return f"{moment:%Y-%m-%d}" if moment else "unknown"


def period(first: datetime | None, last: datetime | None) -> str:
    """One date, or two with the span between them."""
    if first is None or last is None:
        return "no date known"
    if first.date() == last.date():
        return day(first)
    return f"{day(first)} to {day(last)}"


def nothing_there(there: "There", asked: str = "the time asked for") -> str:
    """Why no case can be told of: there is none, none is dated, or none lies in what was asked."""
    if not there.cases:
        return "There are no cases yet. Bring some in: kbagent import FILE"
    if not there.dated:
        some = f"There are {there.cases:,} cases, and none has a date"
        some = "There is 1 case, and it has no date" if there.cases == 1 else some
        return f"{some}: nothing can be told by time."
    are = "one dated case is" if there.dated == 1 else f"{there.dated:,} dated cases are"
    return f"There is no case in {asked}. The {are} of {period(there.first, there.last)}."


def standing(evidence: Evidence) -> str:
    """What the outcomes say, in one line: `31 of 33 worked, 92 % (83 to 97)`."""
    if evidence.tried == 0:
        return "never reported on" if evidence.unknown == 0 else "suggested, outcome unknown"
    low, high = evidence.interval
    rate = f"{percent(evidence.rate)} ({round(low * 100)} to {round(high * 100)})"
    return f"{number(evidence.worked)} of {number(evidence.tried)} worked, {rate}"


def stopped(broke: Break) -> str:
    """That a fix stopped working, and when that was noticed: `worked 31/33 until …`."""
    before = f"{number(broke.worked_before)}/{number(broke.tried_before)}"
    since = f"{number(broke.worked_since)}/{number(broke.tried_since)}"
    told = f"worked {before} until {day(broke.at)}, then {since}"
    return told + (f" (noticed {day(broke.noticed_at)})" if broke.noticed_at else "")


def broke_json(broke: Break | None) -> dict[str, Any] | None:
    """The same for a script; None where nothing broke."""
    if broke is None:
        return None
    return {
        "at": broke.at,
        "noticed_at": broke.noticed_at,
        "worked_before": broke.worked_before,
        "tried_before": broke.tried_before,
        "worked_since": broke.worked_since,
        "tried_since": broke.tried_since,
    }


def versions(names: tuple[str, ...]) -> str:
    """Up to two versions by name, else the first and the last."""
    if not names:
        return ""
    if len(names) == 1:
        return f"version {names[0]}"
    if len(names) == 2:
        return f"versions {names[0]}, {names[1]}"
    return f"versions {names[0]} … {names[-1]}"
