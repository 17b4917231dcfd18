"""Fills the tables of the README from the files that benchmarks wrote, or checks that they are.

`python -m scripts.tables` puts the tables of `benchmarks/results/NAME.md` between the markers
`<!-- table:NAME -->` and `<!-- /table -->`; with `--check` it fails when the README differs. A
result that is not there leaves its place as it is.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results"
WIDEST = 200  # characters of a row; wider ones stay in the results file
_PLACE = re.compile(r"(<!-- table:([\w-]+) -->\n).*?(<!-- /table -->)", flags=re.DOTALL)


def table_of(text: str) -> str:
    """The first table of a Markdown text, '' where there is none.

    >>> table_of("# a\\n\\n| x |\\n|---|\\n| 1 |\\n\\nmore")
    '| x |\\n|---|\\n| 1 |\\n'
    """
    found = re.search(r"(?:^\|.*\n?)+", text, flags=re.MULTILINE)
    rows = [row for row in found[0].splitlines() if len(row) <= WIDEST] if found else []
    return "\n".join(rows) + "\n" if rows else ""


def filled(page: str, results: Path) -> str:
    """The page with each table in its place."""

    def replace(place: re.Match[str]) -> str:
        file = results / f"{place[2]}.md"
        if not file.exists():
            return place[0]
        return f"{place[1]}{table_of(file.read_text('utf-8'))}{place[3]}"

    return _PLACE.sub(replace, page)


def main() -> int:
    """0 when the README is right now."""
    readme = ROOT / "README.md"
    before = readme.read_text("utf-8")
    after = filled(before, RESULTS)
    if "--check" in sys.argv[1:]:
        if before != after:
            print("README.md: tables are stale; run python -m scripts.tables", file=sys.stderr)
        return int(before != after)
    readme.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
