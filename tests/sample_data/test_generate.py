"""The sample data is what its README says, counted again from the files themselves."""

import csv
import io
import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from sample_data import catalogue
from sample_data.generate import files

HERE = Path(__file__).parents[2] / "sample_data"
EXPORTS = HERE / "exports"
RELEASE_42 = datetime.fromisoformat("2026-02-17T00:00:00+02:00")


def _truth():
    return list(csv.DictReader(io.StringIO((HERE / "truth.csv").read_text(encoding="utf-8"))))


def _of(issue):
    return [row for row in _truth() if row["issue"] == issue]


def _share(rows, column):
    known = [row for row in rows if row[column] != ""]
    return sum(row[column] == "1" for row in known), len(known)


def _json(name):
    return json.loads((EXPORTS / name).read_text(encoding="utf-8"))


def _lines(name):
    return (EXPORTS / name).read_text(encoding="utf-8").splitlines()


def _objects(name):
    for line in _lines(name):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def _jira():
    text = (EXPORTS / "jira_bws.csv").read_bytes().decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text))
    return header, rows


def _fix_of(issue_key, text):
    """The key of the fix whose hand-written wording `text` starts with."""
    issue = catalogue.issues()[issue_key]
    return next(
        fix.key
        for fix in (*issue.fixes, *issue.wrong)
        if any(text.startswith(phrase.text) for phrase in fix.texts)
    )


def _tackle_attempts(issue_key):
    """(case, fix key, worked) of every attempt that the export itself tells."""
    refs = {row["ref"] for row in _of(issue_key)}
    for case in _objects("tackle.jsonl"):
        if f"tackle:{case['ref']}" in refs:
            for action in case["actions"]:
                yield case, _fix_of(issue_key, action["did"]), action["result"] == "ok"


def _rate(attempts, fix, holds=lambda case: True):
    outcomes = [worked for case, key, worked in attempts if key == fix and holds(case)]
    return sum(outcomes), len(outcomes)


def test_generating_again_gives_the_committed_bytes():
    for name, content in files().items():
        assert (HERE / name).read_bytes() == content, name


def test_there_are_776_cases_of_51_issues_in_six_systems():
    truth = _truth()
    assert len(truth) == len({row["ref"] for row in truth}) == 776
    assert len({row["issue"] for row in truth} - {""}) == 51
    systems = Counter(row["ref"].split(":")[0] for row in truth)
    assert systems == {
        "zendesk": 319, "tackle": 155, "servicenow": 106, "jira": 91, "freshdesk": 76, "github": 29,
    }  # fmt: skip


def test_everything_stays_under_four_megabytes():
    assert sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file()) < 4_000_000


def test_every_case_of_the_truth_lies_in_its_export():
    _, jira = _jira()
    with (EXPORTS / "servicenow_2024_2025.csv").open(encoding="cp1252", newline="") as file:
        listed = [row["number"] for row in csv.DictReader(file)]
    table = [row["number"]["display_value"] for row in _json("servicenow_2026.json")["result"]]
    freshdesk = [row["id"] for row in _json("freshdesk_tickets.json") if isinstance(row, dict)]
    found = {
        "zendesk": [row["id"] for row in _json("zendesk_tickets.json")["tickets"]],
        "freshdesk": freshdesk,
        "jira": [row[1] for row in jira],
        "servicenow": listed + table,
        "github": [
            f"kelpfield/binwright-link#{row['number']}" for row in _json("github_issues.json")
        ],
        "tackle": [row["ref"] for row in _objects("tackle.jsonl")],
    }
    exported = {f"{source}:{each}" for source, ids in found.items() for each in ids}
    assert {row["ref"] for row in _truth()} <= exported


def test_dates_span_two_years():
    opened = sorted(datetime.fromisoformat(row["opened_at"]) for row in _truth())
    assert opened[0].strftime("%Y-%m") == "2024-09"
    assert opened[-1].strftime("%Y-%m") == "2026-10"
    assert all(at <= datetime.fromisoformat("2026-10-17T00:00:00+02:00") for at in opened)


def test_frequencies_are_skewed_with_issues_of_60_and_rare_ones():
    sizes = Counter(row["issue"] for row in _truth() if row["issue"])
    assert sum(size >= 60 for size in sizes.values()) >= 3
    assert sum(size <= 4 for size in sizes.values()) >= 12


def test_rare_issues_return_months_apart():
    seen = defaultdict(list)
    for row in _truth():
        seen[row["issue"]].append(datetime.fromisoformat(row["opened_at"]))
    rare = {key: sorted(at) for key, at in seen.items() if key and len(at) <= 4}
    for at in rare.values():
        assert all(later - earlier > timedelta(days=75) for earlier, later in pairwise(at))


def test_the_rarest_issue_returns_after_eighteen_months_in_other_words():
    first, second = _of("scale-tenfold-weight")
    assert first["opened_at"].startswith("2025-01")
    assert second["opened_at"].startswith("2026-09")
    one, two = (set(p.text.lower().split()) for p in catalogue.issues()[first["issue"]].bodies)
    assert len(one & two) / len(one | two) < 0.15
    assert first["ref"].split(":")[0] != second["ref"].split(":")[0]


def test_csv_import_breaks_with_release_42():
    days = [
        (datetime.fromisoformat(row["opened_at"]) - RELEASE_42).days
        for row in _of("csv-decimal-42")
    ]
    before, wave = sum(d < 0 for d in days), sum(0 <= d < 14 for d in days)
    assert (before, wave, len(days)) == (0, 34, 46)


def test_resetting_the_port_stops_working_with_release_42():
    attempts = list(_tackle_attempts("label-blank"))

    def since(case):
        return datetime.fromisoformat(case["logged"]) >= RELEASE_42

    def before(case):
        return not since(case)

    assert _rate(attempts, "reset-spooler-port", before) == (31, 33)
    assert _rate(attempts, "reset-spooler-port", since) == (1, 7)
    assert _rate(attempts, "raster-print-path", since) == (21, 22)
    assert _rate(attempts, "raster-print-path", before) == (0, 0)


def test_the_version_tells_the_same_break_as_the_date():
    for row in _of("label-blank"):
        late = datetime.fromisoformat(row["opened_at"]) >= RELEASE_42
        assert (row["version"] >= "4.2") == late


def test_explanation_and_discount():
    attempts = list(_tackle_attempts("billing-unexpected-charge"))
    assert _rate(attempts, "give-discount") == (24, 30)
    assert _rate(attempts, "explain-charges") == (36, 40)


@pytest.mark.parametrize(
    ("fix", "system", "expected"),
    [
        ("pair-hid-sheet", "Android 13", (14, 15)),
        ("pair-hid-sheet", "Android 14", (1, 9)),
        ("spp-nearby-permission", "Android 13", (1, 4)),
        ("spp-nearby-permission", "Android 14", (13, 14)),
    ],
)
def test_what_works_on_one_android_fails_on_the_other(fix, system, expected):
    os_of = {row["ref"]: row["os"] for row in _truth()}
    attempts = list(_tackle_attempts("scanner-pairing"))
    assert _rate(attempts, fix, lambda case: os_of[f"tackle:{case['ref']}"] == system) == expected


def test_pharmacies_ask_about_recalls():
    recall = _of("recall-report")
    rest = [row for row in _truth() if row["issue"] != "recall-report"]
    assert (sum(r["industry"] == "Pharmacy" for r in recall), len(recall)) == (24, 36)
    assert (sum(r["industry"] == "Pharmacy" for r in rest), len(rest)) == (33, 740)


def test_the_late_shift_escalates_whatever_the_issue():
    humans = {key for key, issue in catalogue.issues().items() if issue.human}
    rows = [row for row in _truth() if row["issue"] not in {"", *humans}]
    late = [row for row in rows if 18 <= int(row["local_hour"]) < 23]
    day = [row for row in rows if not 18 <= int(row["local_hour"]) < 23]
    assert _share(late, "escalated") == (54, 156)
    assert _share(day, "escalated") == (50, 594)
    assert _excess_within_issues(late, day) > 30


def _excess_within_issues(late, day):
    """Escalations of the late shift beyond what the same issues show by day."""
    by_day = defaultdict(list)
    for row in day:
        by_day[row["issue"]].append(int(row["escalated"]))
    return sum(
        int(row["escalated"]) - sum(by_day[row["issue"]]) / len(by_day[row["issue"]])
        for row in late
        if by_day[row["issue"]]
    )


def test_the_exports_show_the_escalations():
    escalated = {row["ref"] for row in _truth() if row["escalated"] == "1"}
    tickets = _json("zendesk_tickets.json")["tickets"]
    told = {f"zendesk:{t['id']}" for t in tickets if t["id"] and "escalated" in t["tags"]}
    header, rows = _jira()
    labels = [at for at, name in enumerate(header) if name == "Labels"]
    told |= {f"jira:{r[1]}" for r in rows if len(r) > 9 and "escalated" in [r[at] for at in labels]}
    told |= {f"tackle:{c['ref']}" for c in _objects("tackle.jsonl") if c["escalated"]}
    systems = ("zendesk", "jira", "tackle")
    expected = {ref for ref in escalated if ref.split(":")[0] in systems}
    assert expected <= told
    assert len(told - expected) <= 6  # damaged copies of sound rows


def test_saying_what_to_expect_satisfies_within_the_same_issues():
    signed = {key for key, issue in catalogue.issues().items() if issue.sign}
    rows = [r for r in _truth() if r["issue"] in signed and r["state"] == "solved"]
    with_it = [r for r in rows if r["says_what_to_expect"] == "1"]
    without = [r for r in rows if r["says_what_to_expect"] == "0"]
    assert _share(with_it, "satisfied") == (66, 77)
    assert _share(without, "satisfied") == (60, 98)


def test_the_phrase_stands_in_the_exported_comments():
    said = {
        f"zendesk:{row['ticket_id']}"
        for row in _objects("zendesk_comments.jsonl")
        if "you will know it worked when" in row["body"].lower()
    }
    expected = {r["ref"] for r in _truth() if r["says_what_to_expect"] == "1"}
    assert said == {ref for ref in expected if ref.startswith("zendesk:")}


def test_reopened_cases_have_no_attempt_that_worked():
    reopened = [row for row in _truth() if row["state"] == "reopened"]
    assert len(reopened) == 21
    assert all(not row["resolution"] and row["failed"] for row in reopened)


def test_nineteen_links_point_to_an_earlier_case_of_the_same_issue():
    rows = {row["ref"]: row for row in _truth()}
    links = {ref: row["duplicate_of"] for ref, row in rows.items() if row["duplicate_of"]}
    assert len(links) == 19
    for ref, other in links.items():
        place = ref[: ref.index("#") + 1] if "#" in ref else f"{ref.split(':')[0]}:"
        first = rows[place + other]
        assert first["issue"] == rows[ref]["issue"]
        assert first["opened_at"] < rows[ref]["opened_at"]


def test_jira_duplicates_are_linked_in_both_directions():
    header, rows = _jira()
    inward = header.index("Inward issue link (Duplicate)")
    outward = header.index("Outward issue link (Duplicate)")
    whole = [row for row in rows if len(row) == len(header)]
    there = {(row[1], row[outward]) for row in whole if row[outward]}
    back = {(row[inward], row[1]) for row in whole if row[inward]}
    assert len(there) == 9
    assert back <= there


def test_one_person_alone_knows_edi():
    header, rows = _jira()
    refs = {row["ref"].removeprefix("jira:") for row in _of("edifact-desadv")}
    column = header.index("Assignee")
    assert {row[column] for row in rows if row[1] in refs} == {"Imbali Khoza"}
    assert len(refs) == 7


def test_human_issues_speak_of_security_and_law():
    for key, words in {
        "suspicious-login": ("security", "hacked", "password", "einbruch", "revoke", "breach"),
        "gdpr-erasure": ("lawyer", "legal", "gdpr", "dsgvo", "data protection", "attorney"),
    }.items():
        issue = catalogue.issues()[key]
        assert issue.human
        assert len(_of(key)) == 8
        assert all(any(w in body.text.lower() for w in words) for body in issue.bodies)


def test_personal_data_and_hostile_text_lie_in_the_exports():
    everything = "".join(
        path.read_bytes().decode("utf-8", "replace") for path in sorted(EXPORTS.iterdir())
    )
    for piece in catalogue.company()["pii"]:
        assert json.dumps(piece["text"], ensure_ascii=False)[1:-1] in everything
    assert '=HYPERLINK(\\"http://evil.example' in everything
    assert "[red]Sync[/red]" in everything
    assert "\x1b[31mBW-2107" in everything
    assert "DROP TABLE cases" in everything


def test_queries_name_issues_that_exist():
    text = (HERE / "queries.tsv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t"))
    kinds = Counter(row["kind"] for row in rows)
    assert kinds == {"known": 65, "vague": 10, "new": 10}
    named = {key for row in rows for key in row["issue"].split("|") if key}
    assert named == set(catalogue.issues())
    assert all(row["issue"] for row in rows if row["kind"] == "known")
    assert not any(row["issue"] for row in rows if row["kind"] == "new")


def test_no_query_repeats_a_title_of_its_issue():
    text = (HERE / "queries.tsv").read_text(encoding="utf-8")
    for row in csv.DictReader(io.StringIO(text), delimiter="\t"):
        if row["kind"] == "known":
            titles = [phrase.text.lower() for phrase in catalogue.issues()[row["issue"]].titles]
            assert row["query"].lower() not in titles


def test_every_frequent_issue_is_told_in_at_least_five_ways():
    for issue in catalogue.issues().values():
        assert len(issue.bodies) >= (issue.count if issue.rare else 5), issue.key
        assert all(len(fix.texts) >= 2 for fix in issue.fixes), issue.key


def test_hardly_any_first_message_is_used_twice():
    bodies = [row["description"] for row in _json("zendesk_tickets.json")["tickets"]]
    repeated = sum(count - 1 for body, count in Counter(bodies).items() if body)
    assert repeated / len(bodies) < 0.02
