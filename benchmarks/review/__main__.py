"""Run `python -m benchmarks.review [--data FOLDER] [--quick]`.

Imports labelled cases through the product, asks for the queue of a review, and lets the labels
answer every card, as a person who knows would. Says how many cards deserve a yes, beside as many
pairs picked by their nearest cases alone, and what the answers make of the issues (pairs of cases
in one issue: precision and recall, before and after). `sample_data` is always measured; the
folder may hold stackfaq.xml.gz and banking77-test.csv.gz.
"""

import argparse
import csv
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.retrieval import sets
from benchmarks.retrieval.measures import Interval
from benchmarks.retrieval.table import Row, as_markdown, write
from kbagent.core.verification.bounds import lower_bound, upper_bound
from kbagent.store import cases, issues
from kbagent.store.encoder.session import Encoder, load_encoder
from kbagent.store.knowledge_base import KnowledgeBase, create_knowledge_base
from kbagent.store.readers import open_export
from kbagent.usecases.demonstration import import_samples, sample_folder
from kbagent.usecases.retain.importing import ImportOptions, import_cases
from kbagent.usecases.review.deciding import decide
from kbagent.usecases.review.ground import Ground
from kbagent.usecases.review.items import Item, JoinCases, JoinFixes, KeepPlace, Kind
from kbagent.usecases.review.kinds import links
from kbagent.usecases.review.queue import assemble

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results"
QUICK = 600  # cases of each set
LINKED = 0.1  # share of the cases whose issue an export tells, in the second protocol
SEED = 7

Truth = Mapping[str, str]
"""The issue of each case, by its reference."""


@dataclass(frozen=True, slots=True)
class World:
    """A filled knowledge base with what is true of it; `fixes` is empty where nobody knows."""

    name: str
    protocol: str
    kb: KnowledgeBase
    truth: Truth
    fixes: Mapping[int, frozenset[str]]


def main() -> int:
    """Measure every set there is."""
    parser = argparse.ArgumentParser(prog="benchmarks.review", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder of the public sets")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} cases of each set")
    options = parser.parse_args()
    encoder = load_encoder(notify=_tell)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for world in _worlds(encoder, Path(scratch), options.data, quick=options.quick):
            rows += _rows(world)
            world.kb.close()
    title = "Review" + (" (quick)" if options.quick else "")
    notes = [
        "A card deserves a yes when the labels say so; 95 % intervals are Clopper and Pearson's."
        " The bars were chosen on sample_data as a whole; StackFAQ and banking77 were not looked"
        " at. Pairs are those of cases in one issue; after: every card of the first queue"
        f" answered by the labels. A tenth linked: seed {SEED}.",
    ]
    sys.stdout.write(as_markdown(title, notes, rows))
    write(RESULTS, "review-quick" if options.quick else "review", title, notes, rows)
    return 0


def _worlds(encoder: Encoder, scratch: Path, data: Path | None, *, quick: bool) -> Iterator[World]:
    yield _sample(encoder, scratch / "sample")
    found = [] if data is None else [sets.stackfaq(data), sets.banking(data, "test")]
    if not any(found):
        _tell("no public sets were given or found (--data): sample_data alone is measured")
    for corpus in found:
        if corpus is not None:
            for share in (0.0, LINKED):
                folder = scratch / f"{corpus.name} {share}"
                yield _of_corpus(encoder, folder, corpus, share, QUICK if quick else len(corpus))


def _sample(encoder: Encoder, folder: Path) -> World:
    kb = create_knowledge_base(folder)
    import_samples(kb, encoder, sample_folder(), lambda *_: None, lambda _: None)
    with (ROOT / "sample_data/truth.csv").open(encoding="utf-8") as file:
        told = {row["ref"]: row for row in csv.DictReader(file)}
    fixes: defaultdict[int, set[str]] = defaultdict(set)
    for fix, ref, verdict in kb.connection.execute(
        """SELECT canonical_id, source || ':' || cases.external_id, verdict FROM attempts
        JOIN resolutions ON resolutions.id = resolution_id JOIN cases ON cases.id = case_id
        WHERE verdict != 'unknown'"""
    ):
        if ref in told:
            one = told[ref]["failed" if verdict == "failed" else "resolution"]
            fixes[fix].add(f"{told[ref]['issue']} {one}")
    truth = {ref: row["issue"] for ref, row in told.items()}
    whole = {fix: frozenset(some) for fix, some in fixes.items()}
    return World("sample_data", "its exports", kb, truth, whole)


def _of_corpus(
    encoder: Encoder, folder: Path, corpus: sets.Corpus, share: float, most: int
) -> World:
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.permutation(len(corpus))[:most])
    linked = set(rng.permutation(chosen)[: int(share * len(chosen))].tolist())
    first: dict[int, int] = {}
    lines = []
    for row in chosen.tolist():
        issue = int(corpus.issues[row])
        told = [str(first[issue])] if row in linked and issue in first else []
        if row in linked:
            first.setdefault(issue, row)
        day = f"2025-{1 + row % 12:02d}-{1 + row // 12 % 28:02d}T08:00:00Z"
        lines.append(
            {
                "source": "set",
                "external_id": str(row),
                "title": corpus.titles[row],
                "body": corpus.bodies[row],
                "opened_at": day,
                "links": [{"kind": "duplicate", "external_id": one} for one in told],
            }
        )
    kb = create_knowledge_base(folder)
    file = folder / "cases.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    export = open_export([file], format="kbagent")
    import_cases(kb, encoder, export, ImportOptions((file.name,), None), lambda _: None)
    truth = {f"set:{row}": str(corpus.issues[row]) for row in chosen.tolist()}
    protocol = f"{share:.0%} linked, {len(chosen)} cases"
    return World(corpus.name, protocol, kb, truth, {})


def _rows(world: World) -> Iterator[Row]:
    items = assemble(world.kb).items
    joins = [one for one in items if isinstance(one.accept.deed, JoinCases)]
    _tell(f"{world.name}, {world.protocol}: {len(items)} cards")
    yield _share(world, "near joins", joins)
    yield _row(world, "nearest cases alone", "yes, of as many pairs", *_baseline(world, len(joins)))
    placed = [one for one in items if isinstance(one.accept.deed, KeepPlace)]
    yield _share(world, "only just in their issue", placed)
    if world.fixes:
        yield _share(world, "duplicates", [i for i in items if i.kind is Kind.DUPLICATE])
    before = _pairs(world)
    for item in items:
        if item.kind in (Kind.LINK, Kind.DUPLICATE):
            decide(world.kb, item, "accept" if _deserves(world, item) else "reject", by="labels")
    after = _pairs(world)
    for when, (right, joined, alike) in (("before", before), ("after", after)):
        yield _row(world, f"issues {when}", "pair precision", right, joined)
        yield _row(world, f"issues {when}", "pair recall", right, alike)


def _share(world: World, what: str, items: list[Item]) -> Row:
    return _row(world, what, "yes", sum(_deserves(world, one) for one in items), len(items))


def _row(world: World, system: str, measure: str, right: int, total: int) -> Row:
    if not total:
        return Row(world.name, world.protocol, system, f"{measure} (none)", Interval(0.0, 0.0, 1.0))
    low = lower_bound(right, total, doubt=0.025)
    high = upper_bound(right, total, doubt=0.025)
    told = f"{measure} ({right} of {total})"
    return Row(world.name, world.protocol, system, told, Interval(right / total, low, high))


def _deserves(world: World, item: Item) -> bool:
    """Whether the labels say yes."""
    match item.accept.deed:
        case JoinCases():
            one, other = (_kind_of(world, issue) for issue in item.issues)
            return one == other
        case KeepPlace(case, issue):
            ref = cases.by_ids(world.kb.connection, [case])[case].ref
            return world.truth.get(ref) == _kind_of(world, issue)
        case JoinFixes(kept, absorbed):
            return bool(world.fixes.get(kept, frozenset()) & world.fixes.get(absorbed, frozenset()))
    return False


def _kind_of(world: World, issue: int) -> str:
    """What most cases of an issue are labelled."""
    members = cases.by_ids(world.kb.connection, issues.members(world.kb.connection, issue))
    counts = Counter(world.truth.get(one.ref, "") for one in members.values())
    return min(counts, key=lambda one: (-counts[one], one)) if counts else f"gone {issue}"


def _baseline(world: World, count: int) -> tuple[int, int]:
    """(right, pairs) of as many pairs of issues, those whose nearest cases are most alike."""
    rows = links.rows_of(Ground(world.kb))
    assert rows is not None
    similar = rows.vectors @ rows.vectors.T
    similar[rows.issues[:, None] == rows.issues[None, :]] = -1.0
    seen: dict[frozenset[int], None] = {}
    for place in np.argsort(-similar, axis=None, kind="stable")[: 200 * max(count, 1)]:
        one, other = divmod(int(place), len(rows.ids))
        seen.setdefault(frozenset((int(rows.issues[one]), int(rows.issues[other]))))
        if len(seen) == count:
            break
    right = sum(len({_kind_of(world, issue) for issue in pair}) == 1 for pair in seen)
    return right, len(seen)


def _pairs(world: World) -> tuple[int, int, int]:
    """(pairs joined rightly, pairs joined, pairs that are one issue by the labels)."""
    placed = world.kb.connection.execute(
        """SELECT issue_id, source || ':' || external_id FROM memberships
        JOIN cases ON cases.id = case_id"""
    ).fetchall()
    known = [(issue, world.truth[ref]) for issue, ref in placed if ref in world.truth]

    def count(keys: list[object]) -> int:
        return sum(n * (n - 1) // 2 for n in Counter(keys).values())

    return (
        count(list(known)),
        count([issue for issue, _ in known]),
        count([label for _, label in known]),
    )


def _tell(message: str) -> None:
    sys.stderr.write(message + "\n")


if __name__ == "__main__":
    sys.exit(main())
