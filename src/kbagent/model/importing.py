"""What an import did, or would do."""

from dataclasses import dataclass, field

from kbagent.model.case import CaseRecord, Reject


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """The counts of one import. `read` = `new` + `changed` + `unchanged` + `rejected`.

    `redacted` counts replacements by kind, `facets` how many cases have each column, `samples`
    holds the first cases as they were (or would be) stored, `seconds` the wall time and
    `encoding_seconds` the part of it in which the encoder worked.
    """

    source: str
    format: str
    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    attempts: int = 0
    outcomes: int = 0
    passages: int = 0
    encoded: int = 0
    linked: int = 0
    redacted: tuple[tuple[str, int], ...] = ()
    facets: tuple[tuple[str, int], ...] = ()
    samples: tuple[CaseRecord, ...] = ()
    rejects: tuple[Reject, ...] = ()
    rejects_file: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    encoding_seconds: float = 0.0
    dry_run: bool = False


@dataclass(slots=True)
class ImportCounts:
    """The same, while the import runs."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    attempts: int = 0
    outcomes: int = 0
    passages: int = 0
    encoded: int = 0
    encoding_seconds: float = 0.0
    redacted: dict[str, int] = field(default_factory=dict)
    facets: dict[str, int] = field(default_factory=dict)
    samples: list[CaseRecord] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
