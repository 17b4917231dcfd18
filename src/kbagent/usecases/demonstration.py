"""`kbagent demo`: the whole loop on the sample data, in a knowledge base of its own.

It runs the very use cases that the commands run; what it shows is what they return.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from kbagent.core.text.redaction import Redactor
from kbagent.errors import UnreadableFile
from kbagent.model.case import Verdict
from kbagent.model.feedback import Given, Remark
from kbagent.model.importing import ImportCounts, ImportSummary
from kbagent.model.lookup import LookupResult, Request
from kbagent.store.encoder.session import Encoder
from kbagent.store.knowledge_base import KnowledgeBase
from kbagent.store.readers import open_export
from kbagent.usecases.retain.importing import ImportOptions, import_cases
from kbagent.usecases.retrieve.search import search
from kbagent.usecases.revise.outcomes import give

QUERY = "orders between Christmas and New Year vanish from the replenishment plan"
EXPORTS: tuple[tuple[str, ...], ...] = (
    ("freshdesk_tickets.json", "freshdesk_ratings.json"),
    ("zendesk_tickets.json", "zendesk_comments.jsonl", "zendesk_ratings.json"),
    ("jira_bws.csv",),
    ("servicenow_2024_2025.csv",),
    ("servicenow_2026.json",),
    ("github_issues.json", "github_comments.json"),
    ("tackle.jsonl",),
)
_MAPPINGS = {
    "freshdesk_tickets.json": "freshdesk.toml",
    "zendesk_tickets.json": "zendesk.toml",
    "jira_bws.csv": "jira.toml",
    "servicenow_2024_2025.csv": "servicenow.toml",
    "servicenow_2026.json": "servicenow.toml",
    "tackle.jsonl": "tackle.toml",
}


@dataclass(frozen=True, slots=True)
class Voice:
    """One outcome that the demo gives: the verdict on the resolution at `rank`, and who says so."""

    verdict: Verdict
    rank: int
    case: str
    by: str


VOICES = (
    Voice(Verdict.FAILED, 1, "DEMO-1", "ana"),
    Voice(Verdict.WORKED, 2, "DEMO-2", "ben"),
    Voice(Verdict.WORKED, 2, "DEMO-3", "chi"),
)


def sample_folder() -> Path:
    """Where the sample exports lie: in the installed package, else in the source tree.

    Raises:
        UnreadableFile: they are in neither.
    """
    installed = Path(str(files("kbagent"))) / "sample_data" / "exports"
    source_tree = Path(__file__).resolve().parents[3] / "sample_data" / "exports"
    for folder in (installed, source_tree):
        if folder.is_dir():
            return folder
    raise UnreadableFile(
        path=installed, reason="the sample data are missing", hint="Install kbagent again."
    )


def import_samples(
    kb: KnowledgeBase,
    encoder: Encoder,
    folder: Path,
    told: Callable[[Sequence[str], ImportSummary], None],
    progress: Callable[[ImportCounts], None],
) -> None:
    """Import every sample export; `told` gets the files and the summary of each."""
    for names in EXPORTS:
        mapping = _MAPPINGS.get(names[0])
        export = open_export(
            [folder / name for name in names], mapping=folder / mapping if mapping else None
        )
        options = ImportOptions(names, Redactor())
        told(names, import_cases(kb, encoder, export, options, progress))


def look_up(kb: KnowledgeBase, encoder: Encoder) -> LookupResult:
    """Ask for the rare issue of the sample data."""
    return search(kb, encoder, Request(query=QUERY, limit=1))


def report_outcomes(kb: KnowledgeBase, lookup: LookupResult) -> list[Given]:
    """Three engineers say what became of the resolutions of a lookup."""
    return [
        give(
            kb,
            voice.verdict,
            [lookup.handle, str(voice.rank)],
            Remark(by=voice.by),
            case_ref=voice.case,
        )
        for voice in VOICES
    ]
