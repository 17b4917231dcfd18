"""The planted stories of the sample data, told in words once its fixes are joined as they are.

Issues and wordings are those of `truth.csv`: how well they are linked is tested elsewhere.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from kbagent.cli.page import draw
from kbagent.cli.screens.report_words import gone, sentences
from kbagent.cli.screens.reports import format_report
from kbagent.core.patterns.casetable import Kind
from kbagent.core.patterns.discovery import Pattern
from kbagent.store.encoder.session import load_encoder
from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.usecases.demonstration import import_samples
from kbagent.usecases.mine.columns import load_columns
from kbagent.usecases.mine.patterns import Asked, patterns
from kbagent.usecases.report.compounding import Report, report
from kbagent.usecases.report.hazards import FEWEST_SOLVED, stopped

pytestmark = pytest.mark.model

SAMPLES = Path(__file__).parents[3] / "sample_data"
RELEASE_42 = datetime(2026, 2, 17, tzinfo=UTC)
PLANTED = json.loads((SAMPLES / "stories.json").read_text(encoding="utf-8"))


def truth() -> list[dict[str, str]]:
    with (SAMPLES / "truth.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def put_right(kb: KnowledgeBase) -> dict[str, int]:
    """Every case in its true issue, every wording under its true fix; issue ids by name."""
    numbers: dict[str, int] = {}
    heads: dict[str, int] = {}
    with kb.database.write() as connection:
        ids = {
            f"{source}:{external}": number
            for number, source, external in connection.execute(
                "SELECT id, source, external_id FROM cases"
            )
        }
        connection.execute("DELETE FROM memberships")
        for row in truth():
            if row["ref"] not in ids or not row["issue"]:
                continue
            number = numbers.setdefault(row["issue"], len(numbers) + 1)
            connection.execute(
                "INSERT OR REPLACE INTO issues (id, title, recorded_at) VALUES (?, ?, '')",
                (number, row["issue"]),
            )
            connection.execute(
                "INSERT INTO memberships VALUES (?, ?, 'linked', 1.0, 'truth')",
                (ids[row["ref"]], number),
            )
            named = {"worked": row["resolution"].split(), "failed": row["failed"].split()}
            told = defaultdict(list)
            for resolution, verdict in connection.execute(
                "SELECT resolution_id, verdict FROM outcomes WHERE case_id = ? ORDER BY id",
                (ids[row["ref"]],),
            ).fetchall():
                told[verdict].append(resolution)
            for verdict, fixes in named.items():
                for fix, resolution in zip(fixes, told[verdict], strict=False):
                    head = heads.setdefault(fix, resolution)
                    connection.execute(
                        "UPDATE resolutions SET canonical_id = ? WHERE id = ?", (head, resolution)
                    )
    return numbers


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Report, dict[str, int]]:
    folder = tmp_path_factory.mktemp("report") / "kb"
    with create_knowledge_base(folder) as kb:
        exports = SAMPLES / "exports"
        import_samples(kb, load_encoder(), exports, lambda *_: None, lambda _: None)
        numbers = put_right(kb)
        return report(kb, lambda *_: None, most=0), numbers


def test_the_fix_that_stopped_with_the_release_is_told_with_its_counts(made):
    found, numbers = made
    (told,) = [g for g in found.stopped if g.stopped.issue_id == numbers["label-blank"]]
    broke = told.stopped.broke
    planted = PLANTED["broken_fix"]
    before, since = (planted[f"reset-spooler-port {when} 4.2"] for when in ("before", "since"))
    assert broke.tried_before + broke.tried_since == before[1] + since[1]
    assert broke.worked_before + broke.worked_since == before[0] + since[0]
    assert broke.worked_before / broke.tried_before > 0.9
    assert broke.worked_since / broke.tried_since < 0.35
    assert broke.noticed_at is not None and broke.noticed_at > RELEASE_42
    assert "raster" in told.instead.lower()
    assert told.worked >= planted["raster-print-path since 4.2"][0]
    assert f"instead r{told.instead_id} worked" in gone(told)


def test_the_person_on_whom_an_issue_depends_is_named(made):
    found, numbers = made
    (risk,) = [one for one in found.at_risk if one.issue_id == numbers["edifact-desadv"]]
    solved = [row for row in truth() if row["issue"] == "edifact-desadv" and row["resolution"]]
    assert risk.solved == len(solved) > FEWEST_SOLVED


def test_rare_problems_months_apart_are_told(made):
    found, numbers = made
    rare = {numbers[name]: name for name in PLANTED["rare"]}
    told = {rare[one.issue_id] for one in found.stories if one.issue_id in rare}
    assert len(told) >= 7, told
    of_case = {row["ref"]: row["issue"] for row in truth()}
    assert all(of_case[one.case] == of_case[one.earlier] for one in found.stories)


def test_nothing_is_claimed_that_the_data_do_not_hold(made):
    found, _ = made
    assert found.helped is None and found.shortened is None  # nobody looked anything up
    assert found.cases == PLANTED["cases"]
    gain = found.success.uplift if found.success else None
    assert gain is not None
    claimed = any(one.startswith("Better than without feedback") for one in sentences(found))
    assert claimed == (gain.low > 0)
    screen = draw(format_report(found, 80), 80)
    assert "raster" in screen.lower()
    assert "Fixes that stopped working" in screen


@pytest.fixture(scope="module")
def as_imported(tmp_path_factory) -> Iterator[KnowledgeBase]:
    """Before anybody joined issues or wordings."""
    with create_knowledge_base(tmp_path_factory.mktemp("imported") / "kb") as kb:
        import_samples(kb, load_encoder(), SAMPLES / "exports", lambda *_: None, lambda _: None)
        yield kb


def test_the_fix_that_stopped_is_told_though_its_problem_fell_into_several_issues(as_imported):
    """Five failures in a row."""
    (told,) = stopped(as_imported, load_columns(as_imported.connection))
    assert "pooler" in told.text
    assert told.broke.at > RELEASE_42
    assert (told.broke.worked_since, told.broke.tried_since) == (0.0, 5.0)
    assert told.broke.worked_before / told.broke.tried_before > 0.9
    assert len(told.issues) > 1


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2))])
def test_as_imported_the_planted_stories_are_told_and_nothing_else(as_imported, zone):
    """The release, the industry, the evening shift and the phrasing; beside them only words."""
    found = patterns(as_imported, Asked(zone=zone))
    told = {
        (one.pattern.antecedent, one.pattern.consequent, found.names.get(one.pattern.level, ""))
        if isinstance(one.pattern, Pattern)
        else (one.pattern.phrase, one.pattern.consequent, "")
        for one in found.told
        if one.kind not in (Kind.KEYWORD, Kind.PHRASING) or not isinstance(one.pattern, Pattern)
    }
    assert told == {
        ("version=4.2", "issue", "CSV import broken since update"),
        ("industry=Pharmacy", "issue", "how to find everyone who received a lot"),
        ("hour=18-24", "escalated", ""),
        ("“you will know it worked when …”", "satisfaction", ""),
    }


def test_as_imported_success_is_not_below_the_very_fix_nor_above_what_was_possible(as_imported):
    success = report(as_imported, lambda *_: None, most=0).success
    assert success is not None
    assert success.exactly_at_1 is not None and success.at_1 is not None
    assert success.at_3 is not None
    assert success.exactly_at_1 + 0.05 < success.at_1 < success.at_3
    assert success.at_3 <= success.possible / success.known
