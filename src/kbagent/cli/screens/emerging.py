"""What is rising, in words; and the releases that are known."""

from typing import Any

from kbagent.cli.output import one_line, to_csv, to_markdown
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.cli.screens import figures
from kbagent.store.releases import Release
from kbagent.usecases.mine.emerging import FEWEST_DAYS, Emerging, Rising

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


def format_emerging(found: Emerging) -> RenderableType:
    """The screen."""
    if found.now is None:
        return Text("There are no cases yet. Bring some in: kbagent import FILE")
    if found.days < FEWEST_DAYS:
        days = "1 day" if found.days == 1 else f"{found.days} days"
        return Text(f"{days} of history: {FEWEST_DAYS} are needed to tell a rise from chance.")
    until = figures.day(found.now)
    lines: list[RenderableType] = []
    if not found.rising:
        lines.append(Text(f"Nothing is rising as of {until}, the day of the newest case.", "bold"))
    else:
        head = Text(f"Rising as of {until}", "bold")
        head.append(", the day of the newest case: more than history, weekday and volume explain")
        lines.append(head)
    for one in found.rising:
        lines += [Text(""), *_rising(one)]
    lines.append(Text(_compared(found), "dim"))
    return Group(*lines)


def emerging_json(found: Emerging) -> dict[str, Any]:
    """The same for a script."""
    return {
        "cases": found.cases,
        "days": found.days,
        "now": found.now,
        "rising": [_row(one) for one in found.rising],
        "releases": [
            {"version": one.version, "at": one.at, "told": found.releases_told}
            for one in found.releases
        ],
    }


def emerging_csv(found: Emerging) -> str:
    """A table for a spreadsheet."""
    return to_csv(HEADER, [_cells(one) for one in found.rising])


def emerging_markdown(found: Emerging) -> str:
    """A table for a page."""
    return to_markdown(HEADER, [_cells(one) for one in found.rising])


def format_releases(found: list[Release], *, told: bool) -> RenderableType:
    """The releases, and where they are known from."""
    if not found:
        return Text("No release is known. Tell of one: kbagent release add VERSION --at DATE")
    lines = [Text(f"{figures.day(one.at)}  {one_line(one.version, 40)}") for one in found]
    if not told:
        note = "first case of each version; nobody told of a release: kbagent release add"
        lines.append(Text(note, "dim"))
    return Group(*lines)


def releases_json(found: list[Release], *, told: bool) -> list[dict[str, Any]]:
    """The same for a script."""
    return [{"version": one.version, "at": one.at, "by": one.by, "told": told} for one in found]


def _compared(found: Emerging) -> str:
    if not found.releases:
        return "No release is known to compare with: kbagent release add VERSION --at DATE"
    basis = "as people told" if found.releases_told else "taken from the cases' versions"
    return f"compared with {len(found.releases)} releases, {basis}"


def _rising(one: Rising) -> list[RenderableType]:
    ratio = (one.observed + 0.5) / (one.expected + 0.5)
    state = f", calm since {figures.day(one.ended)}" if one.ended else ""
    new = "new: " if one.is_new else ""
    lines: list[RenderableType] = [
        Text(f"{new}{one_line(one.name, 70)}", "bold"),
        _indented(
            f"{one.observed} cases since {figures.day(one.began)}, {one.expected:.1f} expected:"
            f" {ratio:.0f} times as many{state}"
        ),
    ]
    if one.release:
        lines.append(_indented(f"begins {_after(one.days_after)} release {one_line(one.release)}"))
    if one.doubling is not None:
        days = one.doubling
        high = "?" if days.high == float("inf") else f"{days.high:.0f}"
        lines.append(
            _indented(f"doubled every {days.days:.0f} days at first [{days.low:.0f}, {high}]")
        )
    if one.behind:
        told = ", ".join(f"{one_line(b.feature, 36)} {b.lift:.1f}×" for b in one.behind)
        lines.append(_indented(f"behind it: {told}"))
    lines += [
        _indented(f"worked on {count}: r{key} {one_line(text, 58)}")
        for key, text, count in one.worked
    ]
    if one.kind == "issue" and not one.worked:
        lines.append(_indented("nothing is known yet to work on it"))
    if one.cases:
        refs = ", ".join(one_line(ref, 24) for ref in one.cases[:3])
        lines.append(_indented(f"first {figures.day(one.first)}; latest {refs}", "dim"))
    return lines


def _indented(text: str, style: str = "") -> Padding:
    return Padding(Text(text, style), (0, 0, 0, 2))


def _after(days: int) -> str:
    if days <= 0:
        return "with"
    return f"{days} day{'s' * (days != 1)} after"


def _row(one: Rising) -> dict[str, Any]:
    days = one.doubling
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
        "first": one.first,
        "doubling_days": days
        and {
            "days": round(days.days, 2),
            "low": round(days.low, 2),
            "high": None if days.high == float("inf") else round(days.high, 2),
        },
        "release": one.release or None,
        "days_after_release": one.days_after if one.release else None,
        "behind": [{"feature": b.feature, "lift": round(b.lift, 2)} for b in one.behind],
        "worked_before": [
            {"resolution": f"r{key}", "text": text, "cases": count}
            for key, text, count in one.worked
        ],
        "examples": list(one.cases),
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
