"""What doctor found, in one line a check and the whole story where something is wrong."""

from typing import Any

from kbagent.cli.output import one_line, visible
from kbagent.cli.page import Group, Padding, RenderableType, Text
from kbagent.model.health import Checked, Health, State

_STYLES = {
    State.SOUND: "green",
    State.NOTE: "yellow",
    State.MENDED: "cyan",
    State.DAMAGED: "bold red",
}
_NAME, _STATE = 22, 8


def format_health(health: Health, *, width: int = 80, repaired: bool = False) -> RenderableType:
    """The screen of `kbagent doctor`."""
    lines: list[RenderableType] = [Text(one_line(health.folder, width), style="bold")]
    for one in health.checked:
        lines += _check(one, width)
    count = sum(one.finding.state is State.DAMAGED for one in health.checked)
    if not count:
        lines.append(Text("Everything is whole.", style="bold green"))
    else:
        text = f"{count} of {len(health.checked)} checks found damage."
        lines.append(Text(text, style="bold red"))
        if not repaired:
            lines.append(Text("next: kbagent doctor --repair", style="dim"))
    return Group(*lines)


def health_json(health: Health) -> dict[str, Any]:
    """The same for a script."""
    return {
        "folder": health.folder,
        "damaged": health.damaged,
        "checks": [
            {
                "name": one.name,
                "state": str(one.finding.state),
                "what": one.finding.what,
                "hint": one.finding.hint,
                "items": list(one.finding.items),
                "mended": one.mended,
                "seconds": round(one.seconds, 3),
            }
            for one in health.checked
        ],
    }


def _check(one: Checked, width: int) -> list[RenderableType]:
    finding = one.finding
    head = Text(f"  {one.name:<{_NAME}} ")
    head.append(f"{finding.state:<{_STATE}}", style=_STYLES[finding.state])
    indent = head.cell_len + 1
    what = visible(finding.what)
    if len(what) <= width - indent:
        return [Text.assemble(head, " ", what), *_more(one)]
    return [head, _paragraph(what), *_more(one)]


def _more(one: Checked) -> list[RenderableType]:
    told = [*one.finding.items]
    if one.mended:
        told.append(one.mended)
    if one.finding.hint:
        told.append(one.finding.hint)
    return [_paragraph(visible(text)) for text in told]


def _paragraph(text: str) -> RenderableType:
    return Padding(Text(text, style="dim"), (0, 0, 0, 6))
