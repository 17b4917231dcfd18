"""Learning from the shell: outcomes change what comes first, and policies can be handled."""

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import invoke

pytestmark = pytest.mark.model

FIRST, SECOND = "Restart the print spooler", "Switch the station to the raster path"
QUERY = ("search", "labels", "blank", "printer")


def _outcomes(path: Path, rows: list[tuple[str, str, str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "outcome", "case", "resolution", "at"))
        writer.writerows((one, verdict, "S-1", text, at) for one, verdict, text, at in rows)
    return path


def _hundred(prefix: str, text: str, every: int) -> list[tuple[str, str, str, str]]:
    """A hundred outcomes over a month, each `every`th a failure."""
    return [
        (
            f"{prefix}{n}",
            "failed" if n % every == 0 else "worked",
            text,
            f"2026-01-{1 + n // 4:02d}T{n % 4:02d}:00:00Z",
        )
        for n in range(100)
    ]


def test_the_better_fix_rises_and_falls_when_it_stops_working(tmp_path: Path) -> None:
    kb = tmp_path / "kb"

    def kbagent(*arguments: str):
        return invoke(*arguments, kb=kb)

    title = "Labels come out blank on the bench printer"
    kbagent("add", title, "--id", "S-1", "--tried", FIRST, "--resolution", SECOND)
    given = _hundred("a", FIRST, 5) + _hundred("b", SECOND, 10)
    assert kbagent("feedback", "import", str(_outcomes(tmp_path / "1.csv", given))).code == 0
    best, other = kbagent(*QUERY, "-f", "json").json["issues"][0]["resolutions"]
    # the case itself counts too: the first failed on it, the second worked
    assert (best["text"], best["worked"], best["tried"]) == (SECOND, 91, 101)
    assert (other["text"], other["worked"], other["tried"]) == (FIRST, 80, 101)
    assert best["interval"][0] < 0.9 < best["interval"][1]
    assert other["interval"][0] < 0.8 < other["interval"][1]
    assert "91 of 101 worked, 90 %" in kbagent(*QUERY).out

    later = [(f"c{n}", "failed", SECOND, f"2027-02-{1 + n // 2:02d}T09:00:00Z") for n in range(40)]
    assert kbagent("feedback", "import", str(_outcomes(tmp_path / "2.csv", later))).code == 0
    best, other = kbagent(*QUERY, "-f", "json").json["issues"][0]["resolutions"]
    assert (best["text"], other["text"]) == (FIRST, SECOND)
    assert other["broke"]["at"].startswith("2027-02-01")
    assert other["broke"]["noticed_at"].startswith("2027-02-0")
    screen = kbagent(*QUERY).out
    assert "worked 91/101 until 2027-02-01, then 0/40 (noticed 2027-02-0" in " ".join(
        screen.split()
    )
    said = kbagent("failed", "2").out
    assert "worked 91/101 until" in said


def test_policies_are_handled_from_the_shell(kbagent) -> None:
    assert "live" in kbagent("policy", "list").out
    assert "policy 2 is live" in kbagent("policy", "set", "exploration=on").out
    assert kbagent("policy", "show", "-f", "json").json["parameters"]["exploration"] is True
    assert "policy 3 is a candidate" in kbagent("policy", "set", "dense_weight=0.9").out
    assert "dense_weight" in kbagent("policy", "diff", "3").out
    refused = kbagent("policy", "promote", "3")
    assert refused.code == 1
    assert "success@1" in refused.out  # the table
    assert "not shown to be better" in refused.err
    assert "policy 1 is live again" in kbagent("policy", "rollback").out
    assert kbagent("policy", "trust", "mallory", "0.2").code == 0
    assert kbagent("policy", "freeze").code == 0
    assert "frozen" in kbagent("policy", "promote", "3").err
    assert kbagent("policy", "set", "nonsense=1").code == 2


def test_the_past_is_evaluated_and_exported_from_the_shell(kbagent, tmp_path: Path) -> None:
    found = kbagent("evaluate", "-f", "json").json
    assert found["questions"] >= 3
    assert set(found["standings"]) == {"policy 1", "no feedback", "BM25 only"}
    assert found["off_policy"][0]["reason"] == "too little data"
    assert kbagent("learn").code == 0
    kbagent("search", "printer", "hangs")
    kbagent("worked", "1", "--by", "ana")
    done = kbagent("export", "training", "-f", "kto", "-o", str(tmp_path / "out"))
    assert done.code == 0
    assert (tmp_path / "out" / "manifest.json").exists()
