"""Counts the planted stories in a plan, so that tests can hold the exports against them."""

from collections import Counter
from collections.abc import Iterable

from sample_data import catalogue
from sample_data.plan import PlannedCase
from sample_data.sketches import RELEASE_42


def _share(cases: Iterable[PlannedCase]) -> list[int]:
    """[escalated, all]."""
    chosen = list(cases)
    return [sum(c.escalated for c in chosen), len(chosen)]


def _rate(cases: list[PlannedCase], fix: str) -> list[int]:
    """[worked, tried] of one fix."""
    tried = [t for c in cases for t in c.tried if t.fix == fix]
    return [sum(t.worked for t in tried), len(tried)]


def _content(cases: list[PlannedCase]) -> list[int]:
    """[satisfied, rated]."""
    rated = [c.satisfied for c in cases if c.satisfied is not None]
    return [sum(rated), len(rated)]


def _is_42(case: PlannedCase) -> bool:
    return case.version.startswith(("4.2", "4.3"))


def _rare(cases: list[PlannedCase]) -> dict[str, list[str]]:
    keys = [issue.key for issue in catalogue.issues().values() if issue.rare]
    return {key: [f"{c.opened:%Y-%m-%d} {c.ref}" for c in cases if c.issue == key] for key in keys}


def told(cases: list[PlannedCase]) -> dict[str, object]:
    """Every story with its exact counts; pairs are [of these, of how many]."""
    of = {key: [c for c in cases if c.issue == key] for key in catalogue.issues()}
    blank, scanner, billing = (
        of["label-blank"],
        of["scanner-pairing"],
        of["billing-unexpected-charge"],
    )
    wave = [(c.opened - RELEASE_42).days for c in of["csv-decimal-42"]]
    signed = [
        c for c in cases if c.issue and catalogue.issues()[c.issue].sign and c.state == "solved"
    ]
    ordinary = [c for c in cases if c.issue and not catalogue.issues()[c.issue].human]
    return {
        "cases": len(cases),
        "issues": len(catalogue.issues()),
        "systems": dict(sorted(Counter(c.system for c in cases).items())),
        "release_4_2": {
            "on": f"{RELEASE_42:%Y-%m-%d}",
            "csv_decimal_before": sum(day < 0 for day in wave),
            "csv_decimal_in_14_days": sum(0 <= day < 14 for day in wave),
            "csv_decimal_later": sum(day >= 14 for day in wave),
        },
        "broken_fix": {
            "reset-spooler-port before 4.2": _rate([c for c in blank if not _is_42(c)], "reset-spooler-port"),
            "reset-spooler-port since 4.2": _rate([c for c in blank if _is_42(c)], "reset-spooler-port"),
            "raster-print-path since 4.2": _rate([c for c in blank if _is_42(c)], "raster-print-path"),
        },
        "industry": {
            "recall-report from Pharmacy": [sum(c.industry == "Pharmacy" for c in of["recall-report"]), len(of["recall-report"])],
            "Pharmacy in all other cases": [sum(c.industry == "Pharmacy" for c in cases if c.issue != "recall-report"), len(cases) - len(of["recall-report"])],
        },
        "evening_shift": {
            "escalated 18-23 h": _share(c for c in ordinary if c.evening),
            "escalated otherwise": _share(c for c in ordinary if not c.evening),
        },
        "phrasing": {
            "phrase": "you will know it worked when",
            "satisfied with it": _content([c for c in signed if c.expects]),
            "satisfied without it": _content([c for c in signed if not c.expects]),
            "issues": sorted({c.issue for c in signed}),
        },
        "billing": {
            "give-discount": _rate(billing, "give-discount"),
            "explain-charges": _rate(billing, "explain-charges"),
        },
        "android": {
            f"{fix} on {os}": _rate([c for c in scanner if c.os == os], fix)
            for fix in ("pair-hid-sheet", "spp-nearby-permission")
            for os in ("Android 13", "Android 14")
        },
        "reopened": dict(sorted(Counter(c.system for c in cases if c.state == "reopened").items())),
        "duplicates": {c.ref: c.duplicate_of for c in cases if c.duplicate_of},
        "hostile": [c.ref for c in cases if c.special.startswith("hostile")],
        "personal_data": [c.ref for c in cases if c.special.startswith("pii")],
        "at_risk": {"edifact-desadv": sorted({c.agent for c in of["edifact-desadv"]})},
        "needs_human": {issue.key: issue.human for issue in catalogue.issues().values() if issue.human},
        "damaged_rows": {"zendesk": 3, "freshdesk": 2, "jira": 3, "servicenow": 2, "tackle": 3},
        "rare": _rare(cases),
    }  # fmt: skip
