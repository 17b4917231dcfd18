"""The report's page in a real browser, where one is on the machine: it loads without a complaint.

Reads what Chromium itself made of the page (its DOM after loading) and its log.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kbagent.cli.screens.report_page import report_page
from tests.cli.test_report import TRICKS, hostile, reports, stocked  # noqa: F401 -- a fixture

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = os.environ.get("KBAGENT_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), "")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--enable-logging=stderr",
    "--virtual-time-budget=2000",
)

pytestmark = pytest.mark.skipif(
    not BROWSER, reason=f"none of {', '.join(NAMES)} is on this machine"
)


def seen(page: Path, *flags: str) -> tuple[str, list[str]]:
    """(the page as the browser holds it, what its console says)."""
    profile = page.parent / "profile"
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    log = done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8"), re.findall(r".*CONSOLE.*", log)


@pytest.fixture(scope="module")
def page(stocked, tmp_path_factory) -> Path:  # noqa: F811
    """The page of a report in which every text is hostile."""
    file = tmp_path_factory.mktemp("browser") / "report.html"
    found = reports(stocked)
    for trick in TRICKS:
        found = hostile(found, trick)
    file.write_text(report_page(found), encoding="utf-8")
    return file


def test_it_loads_without_a_complaint_and_hostile_titles_stay_text(page: Path):
    dom, console = seen(page, "--dump-dom")
    assert console == []
    assert re.findall(r"<title>([^<]*)</title>", dom)[0] == "What the knowledge base learned"
    assert "owned" not in re.findall(r"<title>([^<]*)</title>", dom)[0]
    assert not re.search(r"<(script|img|b|iframe|link)\b", dom)
    assert "&lt;script&gt;" in dom
    assert dom.count('<svg viewBox="0 0 640 ') == 4
    assert dom.count("<polyline ") >= 4


def test_the_browser_would_have_complained(page: Path, tmp_path: Path):
    """The same page with a script in it: the policy of the page refuses it, and says so."""
    broken = tmp_path / "broken.html"
    text = page.read_text(encoding="utf-8")
    script = "<script>document.title='owned'</script><img src='http://127.0.0.1:9/x.png'>"
    broken.write_text(text.replace("<main>", f"<main>{script}"), encoding="utf-8")
    dom, console = seen(broken, "--dump-dom")
    assert len(console) >= 2
    assert "<title>What the knowledge base learned</title>" in dom


@pytest.mark.parametrize("width", [390, 1280])
def test_light_and_dark_are_two_pictures(page: Path, tmp_path: Path, width: int):
    shots = []
    for scheme in (0, 1):  # dark and light
        file = tmp_path / f"{scheme}.png"
        seen(
            page,
            f"--screenshot={file}",
            f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={scheme}",
        )
        shots.append(file.read_bytes())
    assert all(shot.startswith(b"\x89PNG") and len(shot) > 10_000 for shot in shots)
    assert shots[0] != shots[1]
