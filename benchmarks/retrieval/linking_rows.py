"""Rows about linking: every instance by way of the issue, with all, some or no links known."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import HDBSCAN

from benchmarks.retrieval.engine import Engine, Vectors
from benchmarks.retrieval.measures import b_cubed, interval, pairwise
from benchmarks.retrieval.table import Row
from kbagent.core.linking import clustering
from kbagent.core.linking.assignment import GROUP_THRESHOLD, NEIGHBOURS, assign, place
from kbagent.core.linking.discriminant import fit_discriminant
from kbagent.core.linking.neighbours import BLOCK, Neighbours, density, nearest_neighbours
from kbagent.core.linking.threshold import choose_threshold
from kbagent.core.retrieval.fusion import normalised_bm25

Ints = NDArray[np.int64]
VOTERS = 10  # of the plain vote, the baseline of the design
AGREEING = 400  # cases whose lexical agreement with a new one is computed
NEW = 1_000_000  # numbers of the issues that assignment founds


def stored_rows(
    engine: Engine, share: float, seeds: int, targets: tuple[float, float], precision: float = 0.9
) -> Iterable[Row]:
    """All cases stored, a share of the links known: each case's instances by its issue."""
    vectors, truth = engine.case_vectors, engine.corpus.issues
    near = nearest_neighbours(vectors, NEIGHBOURS)
    figures: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        known = _known(truth, share, seed)
        chosen = choose_threshold(vectors, known, precision=precision, neighbours=near)
        found = assign(vectors, known, threshold=chosen.confidence, neighbours=near)
        ours = np.where(found.issues >= 0, found.issues, NEW + found.groups)
        plain = _plain_vote(vectors, known)
        unlinked = known < 0
        for system, groups in (("kbagent", ours), ("plain vote of ten", plain)):
            recall, right = _by_issue(groups, truth)
            for who, rows in (("all cases", np.ones_like(unlinked)), ("unlinked cases", unlinked)):
                figures.setdefault(f"{system}, {who}", []).append(
                    (float(recall[rows].mean()), float(np.nanmean(right[rows])))
                )
    protocol = f"{share:.0%} of the links known, {seeds} draws, precision asked for {precision:g}"
    yield from _two_rows(engine.corpus.name, protocol, figures, "kbagent, all cases", targets)


def queried_rows(
    stored: Engine,
    asked: Engine,
    near: Neighbours,
    share: float,
    seeds: int,
    targets: tuple[float, float],
    precision: float = 0.9,
) -> Iterable[Row]:
    """One part stored with a share of the links, the other asked case by case."""
    vectors, truth = stored.case_vectors, stored.corpus.issues
    figures: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        known = _known(truth, share, seed)
        chosen = choose_threshold(vectors, known, precision=precision, neighbours=near)
        found = assign(vectors, known, threshold=chosen.confidence, neighbours=near)
        ours = np.where(found.issues >= 0, found.issues, NEW + found.groups)
        placed = _placed(stored, ours, known, asked)
        plain = _plain_vote(vectors, known)
        voted = _plain_vote(
            np.vstack([vectors, asked.case_vectors]),
            np.concatenate([known, np.full(len(asked.corpus), -1)]),
        )[len(truth) :]
        for system, groups, answers in (
            ("kbagent", ours, placed),
            ("plain vote of ten", plain, voted),
        ):
            figures.setdefault(system, []).append(
                _of_queries(groups, truth, answers, asked.corpus.issues)
            )
    protocol = (
        f"{stored.corpus.name} stored, {share:.0%} of the links known ({seeds} draws), "
        f"{len(asked.corpus)} asked, precision asked for {precision:g}"
    )
    yield from _two_rows(asked.corpus.name, protocol, figures, "kbagent", targets)


def unlinked_rows(engine: Engine, most: int | None = None) -> Iterable[Row]:
    """Nothing linked: thresholds chosen on half of the issues, figures from the other half."""
    truth = engine.corpus.issues
    rng = np.random.default_rng(0)
    order = rng.permutation(int(truth.max()) + 1)
    halves = [np.flatnonzero(np.isin(truth, order[i::2])) for i in (0, 1)]
    halves = [np.sort(rng.permutation(half)[: most or len(half)]) for half in halves]
    tune, report = ((engine.case_vectors[half], truth[half]) for half in halves)
    protocol = f"nothing linked; tuned on {len(tune[1])} cases, reported on {len(report[1])} others"
    methods = {
        "kbagent, tuned": (_grouped, np.arange(0.15, 0.46, 0.025)),
        f"kbagent, default {GROUP_THRESHOLD}": (_grouped, np.array([GROUP_THRESHOLD])),
        "connected components": (_components, np.arange(0.5, 0.96, 0.025)),
        "HDBSCAN": (_hdbscan, np.array([2, 3, 5, 8])),
    }
    for system, (method, settings) in methods.items():
        found = {float(one): method(tune[0], one) for one in settings}
        for measure, number in (("pairwise F1", 0), ("B-cubed F", 1)):
            best = max(found, key=lambda one, by=found, at=number: _quality(by[one], tune[1])[at])
            groups = method(report[0], best)
            precision = pairwise(groups, report[1])[0]
            yield Row(
                engine.corpus.name,
                protocol,
                f"{system} ({best:.3g}; pair precision {precision:.2f})",
                measure,
                interval([_quality(groups, report[1])[number]]),
            )


def _quality(groups: Ints, truth: Ints) -> tuple[float, float]:
    return pairwise(groups, truth)[2], b_cubed(groups, truth)


def _grouped(vectors: Vectors, threshold: float) -> Ints:
    near = nearest_neighbours(vectors, NEIGHBOURS)
    return clustering.cluster(vectors, near, density(near), threshold=float(threshold))


def _components(vectors: Vectors, threshold: float) -> Ints:
    rows, columns = np.nonzero(np.triu(vectors @ vectors.T >= threshold, k=1))
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(vectors),) * 2)
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _hdbscan(vectors: Vectors, least: float) -> Ints:
    labels = HDBSCAN(min_cluster_size=int(least), copy=True).fit_predict(vectors)
    return np.where(labels < 0, NEW + np.arange(len(labels)), labels)


def _known(truth: Ints, share: float, seed: int) -> Ints:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(truth)) < share, truth, -1)


def neighbours_of(engine: Engine) -> Neighbours:
    """The fifty nearest of each stored case."""
    return nearest_neighbours(engine.case_vectors, NEIGHBOURS)


def _placed(stored: Engine, issues: Ints, known: Ints, asked: Engine) -> Ints:
    """What `add` does for each case: its issue by its fifty nearest."""
    vectors, linked = stored.case_vectors, known >= 0
    learned = fit_discriminant(vectors[linked], known[linked])
    own = learned.transform(vectors) if learned else None
    theirs = learned.transform(asked.case_vectors) if learned else None
    members = own if own is not None else vectors
    names, codes = np.unique(issues, return_inverse=True)
    centres = np.zeros((len(names), members.shape[1]))
    np.add.at(centres, codes, members)
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    answers = np.full(len(asked.corpus), -1)
    for row, vector in enumerate(asked.case_vectors):
        cosines = vectors @ vector
        near = np.argpartition(-cosines, NEIGHBOURS)[:NEIGHBOURS]
        near = near[np.argsort(-cosines[near], kind="stable")]
        sharp = (
            (own[near] @ theirs[row]).astype(np.float64)
            if own is not None and theirs is not None
            else None
        )
        found = place(
            cosines[near].astype(np.float64),
            issues[near],
            learned=sharp,
            lexical=_agreement(stored, asked.tokens[row], near),
            central=centres[codes[near]] @ (theirs[row] if theirs is not None else vector),
        )
        answers[row] = found.issue if found else -1
    return answers


def _agreement(stored: Engine, asked: list[str], near: Ints) -> NDArray[np.float64]:
    """Normalised BM25 of the asked case's tokens with each neighbour; 0 beyond the best 400."""
    words = list(dict.fromkeys(asked))
    ids, scores = stored.lexical.search(words, AGREEING)
    found = dict(zip((ids - 1).tolist(), scores.tolist(), strict=True))
    return normalised_bm25(
        [found.get(int(row), 0.0) for row in near], stored.lexical.maximum(words)
    )


def _plain_vote(vectors: Vectors, known: Ints) -> Ints:
    """The baseline: the most frequent issue of the ten nearest linked cases, ties to the nearer."""
    linked = np.flatnonzero(known >= 0)
    answers = known.copy()
    waiting = np.flatnonzero(known < 0)
    for start in range(0, len(waiting), BLOCK):
        rows = waiting[start : start + BLOCK]
        cosines = vectors[rows] @ vectors[linked].T
        near = np.argpartition(-cosines, VOTERS, axis=1)[:, :VOTERS]
        order = np.argsort(-np.take_along_axis(cosines, near, axis=1), axis=1, kind="stable")
        votes = known[linked[np.take_along_axis(near, order, axis=1)]]
        for row, given in zip(rows, votes, strict=True):
            names, first, counts = np.unique(given, return_index=True, return_counts=True)
            answers[row] = names[np.lexsort((first, -counts))[0]]
    return answers


def _by_issue(groups: Ints, truth: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall and precision of each case's other instances by its group; nan without any shown."""
    recall, right = np.zeros(len(truth)), np.full(len(truth), np.nan)
    for row in range(len(truth)):
        shown, same = groups == groups[row], truth == truth[row]
        hits = float((shown & same).sum() - 1)
        recall[row] = hits / max(same.sum() - 1, 1)
        if shown.sum() > 1:
            right[row] = hits / (shown.sum() - 1)
    return recall, right


def _of_queries(groups: Ints, truth: Ints, answers: Ints, asked: Ints) -> tuple[float, float]:
    members = {int(group): truth[groups == group] for group in np.unique(groups)}
    sizes = np.bincount(truth)
    recalls, precisions = [], []
    for answer, issue in zip(answers.tolist(), asked.tolist(), strict=True):
        hits = (members[answer] == issue).sum()
        recalls.append(hits / sizes[issue])
        precisions.append(hits / len(members[answer]))
    return float(np.mean(recalls)), float(np.mean(precisions))


def _two_rows(
    name: str,
    protocol: str,
    figures: dict[str, list[tuple[float, float]]],
    aimed: str,
    targets: tuple[float, float],
) -> Iterable[Row]:
    for system, pairs in figures.items():
        for number, measure in enumerate(("recall of all instances", "precision")):
            aim = targets[number] if system == aimed else None
            values = [pair[number] for pair in pairs]
            yield Row(name, protocol, system, measure, interval(values), aim)
