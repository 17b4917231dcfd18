"""What is rising, in words; and the releases that are known."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from kbagent.cli.output import one_line, to_csv, to_markdown
from kbagent.cli.page import Group, Padding, RenderableType, Text, cell_len
from kbagent.cli.screens import figures
from kbagent.core.patterns.rises import Behind, Doubling
from kbagent.store.releases import Release
from kbagent.usecases.mine.emerging import FEWEST_DAYS, Emerging, Rising
from kbagent.usecases.mine.newcomers import Newcomer, Resembled
from kbagent.usecases.mine.scene import Worked

HEADER = (
    "what",
    "name",
    "began",
    "told",
    "ended",
    "cases",
    "expected",
    "release",
    "days after",
    "doubling days",
    "features",
    "worked before",
)


NONE_EXPECTED = 0.05  # cases; fewer are printed as 0.0


def format_emerging(found: Emerging) -> RenderableType:
    """The screen."""
    if found.now is None:
        return Text(figures.nothing_there(found.there))
    if found.days < FEWEST_DAYS:
        days = "1 day" if found.days == 1 else f"{found.days} days"
        return Text(f"{days} of history: {FEWEST_DAYS} are needed to tell a rise from chance.")
    until = figures.day(found.now)
    lines: list[RenderableType] = []
    risen = [one for one in found.rising if one.kind != "version"]
    if not risen:
        lines.append(Text(f"Nothing is rising as of {until}, {_newest(found)}.", "bold"))
    else:
        head = Text(f"Rising as of {until}", "bold")
        head.append(f", {_newest(found)}: more than history, weekday and volume explain")
        lines.append(head)
    for one in risen:
        lines += [Text(""), *_rising(one)]
    lines += _newcomers(found.newcomers)
    lines += _versions([one for one in found.rising if one.kind == "version"])
    lines.append(Text(_compared(found), "dim"))
    return Group(*lines)


def _newest(found: Emerging) -> str:
    """What the day is that is looked at: that of the newest case, or one that was asked for."""
    last = figures.day(found.newest)
    if last == figures.day(found.now):
        return "the day of the newest case"
    return f"by the cases until {last}"


def _newcomers(found: Sequence[Newcomer]) -> list[RenderableType]:
    """The new problems that nobody has made an issue of."""
    if not found:
        return []
    head = Text("New problems without an issue", "bold")
    head.append(": recent cases that are alike, and unlike what came before")
    lines: list[RenderableType] = [Text(""), head]
    for one in found:
        lines += [Text(""), *_newcomer(one)]
    return lines


def _newcomer(one: Newcomer) -> list[RenderableType]:
    named = f": {', '.join(one_line(word, 30) for word in one.words)}" if one.words else ""
    since = f"{figures.day(one.first)} to {figures.day(one.last)}"
    lines: list[RenderableType] = [
        Text(f"‘{one_line(one.title, 60)}’{one_line(named, 90)}", "bold"),
        _indented(f"{_cases(one.size)}, {since}; {one.alone} of them stand alone"),
    ]
    if one.release:
        lines.append(_indented(_begins(one.release, one.days_after)))
    if one.doubling is not None:
        lines.append(_indented(_doubled(one.doubling)))
    if one.behind:
        lines.append(_indented(_behind(one.behind)))
    lines += _resembles(one.resembles)
    refs = ", ".join(one_line(ref, 24) for ref in one.cases[:4])
    lines.append(_indented(f"latest {refs}; make them one: kbagent issue merge", "dim"))
    return lines


def _resembles(one: Resembled | None) -> list[RenderableType]:
    """The earlier issue, and what worked on it."""
    if one is None:
        return []
    told = f"most like i{one.issue_id} {one_line(one.title, 44)} (similarity {one.similarity:.2f})"
    worked = [
        _indented(f"worked then on {count}: r{key} {one_line(text, 52)}")
        for key, text, count in one.worked
    ]
    return [_indented(told), *worked]


def _versions(found: Sequence[Rising]) -> list[RenderableType]:
    """Versions that people name now: true, and of use only beside a problem."""
    if not found:
        return []
    firsts = dict.fromkeys(one.name.split(", ")[0] for one in found)  # one may rise twice
    names = ", ".join(one_line(name, 34) for name in firsts)
    return [Text(""), Text(f"Versions named more and more: {names}", "dim")]


def _behind(found: Sequence[Behind]) -> str:
    """What the cases share more often than others do; the first says of what it is a multiple."""
    told = [f"{_feature(b.feature)} in {b.inside} ({b.lift:.1f} times" for b in found]
    told[0] += " as often as in others"
    return f"they share {', '.join(f'{one})' for one in told)}"


def _feature(name: str) -> str:
    """A feature as one says it: version 4.2, the first week of a release."""
    facet, _, value = name.partition("=")
    if facet == "since release":
        return f"the {one_line(value, 30)} of a release"
    return one_line(f"{facet} {value}", 36)


def _doubled(days: Doubling) -> str:
    """How fast it grew at first, and how sure that is."""
    if days.high == float("inf"):
        return f"at first doubled about every {_days(days.days)}; too few cases to be sure"
    return (
        f"at first doubled about every {_days(days.days)}"
        f" (probably {days.low:.0f} to {days.high:.0f})"
    )


def _days(days: float) -> str:
    number = max(1, round(days))
    return "day" if number == 1 else f"{number} days"


def emerging_json(found: Emerging) -> dict[str, Any]:
    """The same for a script."""
    return {
        "cases": found.cases,
        "days": found.days,
        "now": found.now,
        "rising": [_row(one) for one in found.rising],
        "new_problems": [_newcomer_row(one) for one in found.newcomers],
        "releases": [
            {"version": one.version, "at": one.at, "told": one.told} for one in found.releases
        ],
    }


def emerging_csv(found: Emerging) -> str:
    """A table for a spreadsheet."""
    return to_csv(HEADER, _table(found))


def emerging_markdown(found: Emerging) -> str:
    """A table for a page."""
    return to_markdown(HEADER, _table(found))


def format_releases(found: list[Release], now: datetime) -> RenderableType:
    """The releases, which are planned, and which only their cases tell of."""
    if not found:
        return Text("No release is known. Tell of one: kbagent release add VERSION --at DATE")
    names = [one_line(one.version, 40) for one in found]
    room = max(map(cell_len, names))
    lines = []
    for name, one in zip(names, found, strict=True):
        note = "planned" if one.at > now else "" if one.told else "inferred from its first case"
        line = Text(f"{figures.day(one.at)}  {name}{' ' * (room - cell_len(name))}")
        lines.append(line.append(f"  {note}", "dim") if note else line)
    if not all(one.told for one in found):
        note = "Tell when one came out: kbagent release add VERSION --at DATE"
        lines.append(Text(note, "dim"))
    return Group(*lines)


def releases_json(found: list[Release], now: datetime) -> list[dict[str, Any]]:
    """The same for a script."""
    return [
        {
            "version": one.version,
            "at": one.at,
            "by": one.by,
            "told": one.told,
            "planned": one.at > now,
        }
        for one in found
    ]


def _compared(found: Emerging) -> str:
    if not found.releases:
        return "No release is known to compare with: kbagent release add VERSION --at DATE"
    told = sum(one.told for one in found.releases)
    shown = len(found.releases) - told
    if told and shown:
        basis = f"{told} as people told, {shown} taken from the cases' versions"
    else:
        basis = "as people told" if told else "taken from the cases' versions"
    number = len(found.releases)
    return f"compared with {number} release{'s' if number > 1 else ''}, {basis}"


def _rising(one: Rising) -> list[RenderableType]:
    state = f"; calm since {figures.day(one.ended)}" if one.ended else ""
    new = "new: " if one.is_new else ""
    lines: list[RenderableType] = [
        Text(f"{new}{one_line(one.name, 70)}", "bold"),
        _indented(f"{_cases(one.observed)} {_span(one)}, {_expected(one)}{state}"),
    ]
    if one.release:
        lines.append(_indented(_begins(one.release, one.days_after)))
    if one.doubling is not None:
        lines.append(_indented(_doubled(one.doubling)))
    if one.behind:
        lines.append(_indented(_behind(one.behind)))
    lines += [
        _indented(f"worked on {count}: r{key} {one_line(text, 58)}")
        for key, text, count in one.worked
    ]
    if one.kind == "issue" and not one.worked:
        lines.append(_indented("nothing is known yet to work on it"))
    lines += _resembles(one.resembles)
    if one.cases:
        refs = ", ".join(one_line(ref, 24) for ref in one.cases[:3])
        lines.append(_indented(f"first {figures.day(one.first)}; latest {refs}", "dim"))
    return lines


def _expected(one: Rising) -> str:
    """What history leads one to expect, and of one case or more how many times as many came."""
    if one.ratio is not None:
        return f"{one.expected:.1f} expected: {_times(one.ratio)} as many"
    told = f"{one.expected:.1f}" if one.expected >= NONE_EXPECTED else "none"
    return f"where {told} were to be expected"


def _times(ratio: float) -> str:
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def _cases(count: int) -> str:
    return f"{count:,} case{'s' * (count != 1)}"


def _span(one: Rising) -> str:
    """The days whose cases are counted: those of the rise, also when it is over."""
    if one.ended is None:
        return f"since {figures.day(one.began)}"
    return f"from {figures.day(one.began)} to {figures.day(one.ended - timedelta(days=1))}"


def _indented(text: str, style: str = "") -> Padding:
    return Padding(Text(text, style), (0, 0, 0, 2))


def _begins(release: str, days: int) -> str:
    """When it began, seen from the release that it follows."""
    count = f"{abs(days)} day{'s' * (abs(days) != 1)}"
    if days < 0:
        return f"begins {count} before the day told of release {one_line(release)}"
    return f"begins {f'{count} after' if days else 'with'} release {one_line(release)}"


def _row(one: Rising) -> dict[str, Any]:
    return {
        "what": one.kind,
        "name": one.name,
        "issue": one.issue_id and f"i{one.issue_id}",
        "new": one.is_new,
        "began": one.began,
        "told": one.told,
        "ended": one.ended,
        "cases": one.observed,
        "expected": round(one.expected, 2),
        "ratio": None if one.ratio is None else round(one.ratio, 2),
        "first": one.first,
        "doubling_days": _doubling_row(one.doubling),
        "release": one.release or None,
        "days_after_release": one.days_after if one.release else None,
        "behind": _behind_rows(one.behind),
        "worked_before": _worked_rows(one.worked),
        "resembles": _resembled_row(one.resembles),
        "examples": list(one.cases),
    }


def _newcomer_row(one: Newcomer) -> dict[str, Any]:
    return {
        "what": "new problem",
        "name": one.title,
        "words": list(one.words),
        "cases": one.size,
        "alone": one.alone,
        "p": one.p,
        "similarity": round(one.similarity, 4),
        "first": one.first,
        "last": one.last,
        "doubling_days": _doubling_row(one.doubling),
        "release": one.release or None,
        "days_after_release": one.days_after if one.release else None,
        "behind": _behind_rows(one.behind),
        "resembles": _resembled_row(one.resembles),
        "examples": list(one.cases),
    }


def _doubling_row(days: Doubling | None) -> dict[str, Any] | None:
    if days is None:
        return None
    return {
        "days": round(days.days, 2),
        "low": round(days.low, 2),
        "high": None if days.high == float("inf") else round(days.high, 2),
    }


def _behind_rows(found: Sequence[Behind]) -> list[dict[str, Any]]:
    return [
        {"feature": b.feature, "inside": b.inside, "outside": b.outside, "lift": round(b.lift, 2)}
        for b in found
    ]


def _worked_rows(found: Worked) -> list[dict[str, Any]]:
    return [{"resolution": f"r{key}", "text": text, "cases": count} for key, text, count in found]


def _resembled_row(one: Resembled | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "issue": f"i{one.issue_id}",
        "title": one.title,
        "similarity": round(one.similarity, 4),
        "worked": _worked_rows(one.worked),
    }


def _cells(one: Rising) -> list[object]:
    return [
        one.kind,
        one.name,
        figures.day(one.began),
        figures.day(one.told),
        figures.day(one.ended) if one.ended else None,
        one.observed,
        round(one.expected, 2),
        one.release or None,
        one.days_after if one.release else None,
        round(one.doubling.days, 1) if one.doubling else None,
        ", ".join(b.feature for b in one.behind),
        ", ".join(f"r{key}" for key, _, _ in one.worked),
    ]


def _table(found: Emerging) -> list[list[object]]:
    return [
        *(_cells(one) for one in found.rising),
        *(_newcomer_cells(one) for one in found.newcomers),
    ]


def _newcomer_cells(one: Newcomer) -> list[object]:
    return [
        "new problem",
        one.title,
        figures.day(one.first),
        figures.day(one.last),
        None,
        one.size,
        None,
        one.release or None,
        one.days_after if one.release else None,
        round(one.doubling.days, 1) if one.doubling else None,
        ", ".join(b.feature for b in one.behind),
        ", ".join(f"r{key}" for key, _, _ in one.resembles.worked) if one.resembles else "",
    ]
