"""Planted patterns and shuffled labels: false discoveries, recall, decoys; lift rules beside."""

import sys

import numpy as np

from benchmarks.learning.table import Row, mean_interval
from benchmarks.patterns.worlds import World, shuffled, world
from kbagent.core.patterns.contingency import wilson
from kbagent.core.patterns.discovery import discover

Pairs = set[tuple[int, int]]
RULE_LIFT, RULE_COUNT = 1.5, 20
STRONG = 1.5


def planted_rows(sizes: list[int], worlds: int) -> list[Row]:
    """Worlds 0, 1, …: thresholds were settled on worlds from 2000 on."""
    rows = []
    for n in sizes:
        made = [world(n, seed) for seed in range(worlds)]
        ours = [(w, discovered(w)) for w in made]
        rows += _rows(f"planted, N = {n:,}", "stratified, FDR 0.05", ours, judged=n)
        rule = [(w, lift_rule(w)) for w in made]
        rows += _rows(f"planted, N = {n:,}", "rule: lift ≥ 1.5, n ≥ 20", rule)
        few = made[: min(5, worlds)]
        library = [(w, told) for w in few if (told := association_rules(w)) is not None]
        if library:
            name = f"association rules (mlxtend apriori, lift ≥ 1.25), {len(few)} worlds"
            rows += _rows(f"planted, N = {n:,}", name, library)
    return rows


def discovered(w: World) -> Pairs:
    """Every pair claimed, those folded under another one included."""
    table, flags = w.table()
    return {
        (int(name[1:]), int(p.consequent[1:]))
        for p in discover(table, flags).patterns
        for name in (p.antecedent, *p.explains)
    }


def lift_rule(w: World) -> Pairs:
    both = w.cases.T.astype(np.float64) @ w.flags
    lift = both / np.maximum(w.cases.sum(axis=0)[:, None] * w.flags.mean(axis=0), 1e-9)
    return {(int(j), int(k)) for j, k in np.argwhere((lift >= RULE_LIFT) & (both >= RULE_COUNT))}


def association_rules(w: World) -> Pairs | None:
    """What a library of association rules tells at lift ≥ 1.25; None when it is not installed."""
    try:
        import pandas as pd
        from mlxtend.frequent_patterns import apriori
        from mlxtend.frequent_patterns import association_rules as rules_of
    except ImportError:
        print("mlxtend is not installed: no association rules beside", file=sys.stderr)
        return None
    columns = [f"f{j}" for j in range(w.cases.shape[1])] + [
        f"y{k}" for k in range(w.flags.shape[1])
    ]
    frame = pd.DataFrame(np.hstack((w.cases, w.flags)), columns=columns)
    sets = apriori(frame, min_support=RULE_COUNT / len(frame), use_colnames=True, max_len=2)
    rules = rules_of(sets, metric="lift", min_threshold=1.25)
    pairs = zip(rules["antecedents"], rules["consequents"], strict=True)
    named = [(next(iter(a)), next(iter(c))) for a, c in pairs]
    return {(int(a[1:]), int(c[1:])) for a, c in named if a[0] == "f" and c[0] == "y"}


def _rows(what: str, policy: str, found: list[tuple[World, Pairs]], judged: int = 0) -> list[Row]:
    false = [len(f - set(w.planted)) / max(len(f), 1) for w, f in found]
    strong = [{p for p, x in w.planted.items() if x >= STRONG} for w, _ in found]
    recall = [len(f & set(w.planted)) / len(w.planted) for w, f in found]
    recall_strong = [len(f & s) / len(s) for (_, f), s in zip(found, strong, strict=True)]
    decoys = sum(len(f & w.decoys) for w, f in found)
    of = sum(len(w.decoys) for w, _ in found)
    at_10k = judged == 10_000
    mean = float(np.mean(recall))
    return [
        Row(
            f"{what}: false discoveries",
            policy,
            "≤ 0.05" if judged else "–",
            mean_interval(false),
            bool(np.mean(false) <= 0.05) if judged else None,
        ),
        Row(
            f"{what}: recall, of lift ≥ 1.5",
            policy,
            "≥ 0.85, ≥ 0.95" if at_10k else "–",
            f"{mean_interval(recall)}, {mean_interval(recall_strong)}",
            mean >= 0.85 and float(np.mean(recall_strong)) >= 0.95 if at_10k else None,
        ),
        Row(
            f"{what}: decoys claimed",
            policy,
            "0" if judged else "–",
            f"{decoys} of {of}",
            decoys == 0 if judged else None,
        ),
    ]


def shuffled_rows(runs: int) -> list[Row]:
    """Labels dealt anew: how often anything at all is claimed."""
    claimed, ruled = 0, 0
    for seed in range(runs):
        dealt = shuffled(world(3000, seed % 50), np.random.default_rng([seed, 77]))
        claimed += bool(discovered(dealt))
        ruled += bool(lift_rule(dealt))
    low, high = wilson(claimed, runs)
    what = f"nothing there, {runs} runs of N = 3,000: any discovery"
    return [
        Row(
            what,
            "stratified, FDR 0.05",
            "≤ 7 %",
            f"{claimed / runs:.1%} [{low:.1%}, {high:.1%}]",
            claimed / runs <= 0.07,
        ),
        Row(what, "rule: lift ≥ 1.5, n ≥ 20", "–", f"{ruled / runs:.1%}"),
    ]
