"""Discovery: what is found, what is seen through, what is folded, what is only apparent."""

import numpy as np
import pytest
from scipy import stats

from kbagent.core.patterns.casetable import CaseTable, Consequent, Factor, Kind, features_from
from kbagent.core.patterns.discovery import (
    Discovery,
    LevelEffect,
    RankEffect,
    Settings,
    discover,
    retested,
)
from kbagent.core.patterns.lifetime import State

RNG = np.random.default_rng


def flags(name: str, hit: np.ndarray) -> Consequent:
    return Consequent.of_flags(name, [bool(h) for h in hit])


def word(name: str, has: np.ndarray) -> tuple[str, Kind, np.ndarray]:
    return name, Kind.KEYWORD, np.flatnonzero(has).astype(np.int32)


def facet(name: str, codes: np.ndarray, *, testable: bool = True) -> Factor:
    return Factor.of(name, [f"{name}{c}" for c in codes], testable=testable)


def found(discovery: Discovery) -> set[str]:
    return {p.antecedent for p in discovery.patterns}


def test_a_real_effect_is_found_with_its_size() -> None:
    rng = RNG(1)
    has = rng.random(5000) < 0.2
    escalated = rng.random(5000) < np.where(has, 0.3, 0.15)
    table = CaseTable.of([], features_from([word("vpn", has)]), np.zeros(5000, dtype=np.int32))
    (pattern,) = discover(table, [flags("escalated", escalated)]).patterns
    assert isinstance(pattern.effect, LevelEffect)
    assert pattern.effect.counts.exposed == has.sum()
    assert pattern.effect.lift == pytest.approx(escalated[has].mean() / escalated.mean())
    assert pattern.effect.difference.low < 0.15 < pattern.effect.difference.high
    assert 1 < pattern.effect.shrunk_lift < pattern.effect.lift
    assert all(has[r] and escalated[r] for r in pattern.examples)


def confounded(n: int) -> tuple[Factor, np.ndarray, np.ndarray]:
    """An industry that likes the word and escalates; the word itself does nothing."""
    rng = RNG(2)
    industry = rng.integers(0, 4, n)
    has = rng.random(n) < np.where(industry == 0, 0.7, 0.05)
    escalated = rng.random(n) < np.where(industry == 0, 0.5, 0.1)
    return facet("industry", industry), has, escalated


def test_a_recorded_confounder_is_seen_through_and_named() -> None:
    industry, has, escalated = confounded(6000)
    table = CaseTable.of([industry], features_from([word("ledger", has)]))
    result = discover(table, [flags("escalated", escalated)])
    assert found(result) == {"industry=industry0"} | {
        p.antecedent for p in result.patterns if p.antecedent.startswith("industry=")
    }
    (apparent,) = [a for a in result.apparent if a.antecedent == "ledger"]
    assert apparent.because == "industry"


def test_a_confounder_of_many_small_levels_is_seen_through() -> None:
    """An issue that has its own word and its own resolution, among 150 that have neither.

    No test over all the levels of the issue notices that it goes with the word.
    """
    rng = np.random.default_rng(5)
    issue = rng.integers(0, 150, 780).astype(np.int32)
    issue[:40] = 150
    says = rng.random(780) < np.where(issue == 150, 0.35, 0.03)
    solved = rng.random(780) < np.where(issue == 150, 0.7, 0.01)
    features = features_from([word("“sent”", says)])
    table = CaseTable.of([facet("issue", issue, testable=False)], features)
    found_here = discover(table, [flags("r4", solved)])
    assert found_here.patterns == ()
    assert [one.because for one in found_here.apparent] == ["issue"]
    alone = discover(CaseTable.of([facet("other", issue % 2)], features), [flags("r4", solved)])
    assert "“sent”" in found(alone)


def test_the_same_association_without_the_record_is_believed() -> None:
    _, has, escalated = confounded(6000)
    nothing = np.zeros(6000, dtype=np.int32)
    table = CaseTable.of([], features_from([word("ledger", has)]), nothing)
    assert found(discover(table, [flags("escalated", escalated)])) == {"ledger"}


def test_two_confounders_together_are_seen_through() -> None:
    rng = RNG(3)
    a, b = rng.integers(0, 3, 20000), rng.integers(0, 3, 20000)
    both = (a == 0).astype(int) + (b == 0)
    has = rng.random(20000) < 0.05 + 0.3 * both
    hit = rng.random(20000) < 0.05 + 0.2 * both
    table = CaseTable.of(
        [facet("a", a, testable=False), facet("b", b, testable=False)],
        features_from([word("w", has)]),
    )
    assert discover(table, [flags("hit", hit)]).patterns == ()


def test_a_reversal_is_named() -> None:
    rng = RNG(4)
    hard = rng.random(20000) < 0.5
    has = rng.random(20000) < np.where(hard, 0.85, 0.15)
    hit = rng.random(20000) < np.where(hard, 0.6 - 0.2 * has, 0.1 - 0.05 * has)
    table = CaseTable.of(
        [facet("difficulty", hard.astype(int), testable=False)], features_from([word("w", has)])
    )
    (pattern,) = discover(table, [flags("hit", hit)], Settings(min_lift=1.05)).patterns
    assert pattern.reversal
    assert isinstance(pattern.effect, LevelEffect)
    assert pattern.effect.difference.estimate > 0 > pattern.effect.adjusted.high


def test_a_twin_of_the_antecedent_is_an_alias_and_no_confounder() -> None:
    rng = RNG(5)
    release = rng.integers(0, 2, 4000)
    crash = rng.random(4000) < np.where(release == 1, 0.3, 0.1)
    table = CaseTable.of([facet("release", release), facet("month", release * 10, testable=False)])
    result = discover(table, [flags("crash", crash)])
    assert "release=release1" in found(result)
    assert all(p.aliases == ("month",) for p in result.patterns)


def test_what_a_stronger_pattern_explains_is_folded_under_it() -> None:
    rng = RNG(6)
    cause = rng.random(8000) < 0.3
    companion = rng.random(8000) < np.where(cause, 0.6, 0.1)
    hit = rng.random(8000) < np.where(cause, 0.4, 0.1)
    columns = [word("cause", cause), word("companion", companion)]
    table = CaseTable.of([], features_from(columns), np.zeros(8000, dtype=np.int32))
    (pattern,) = discover(table, [flags("hit", hit)]).patterns
    assert (pattern.antecedent, pattern.explains) == ("cause", ("companion",))


SHARES = {"00-06": 0.15, "06-12": 0.08, "12-18": 0.18, "18-24": 0.35}


def by_quarter(name: str, kind: Kind) -> Discovery:
    """A factor of four levels, one of them much likelier and one less likely than the rest."""
    rng = RNG(12)
    levels = np.array(sorted(SHARES))[rng.integers(0, 4, 4000)]
    hit = rng.random(4000) < np.array([SHARES[one] for one in levels.tolist()])
    factor = Factor.of(name, levels.tolist(), kind=kind)
    table = CaseTable.of([factor], features_from([]), np.zeros(4000, dtype=np.int32))
    return discover(table, [flags("escalated", hit)])


def test_the_other_side_of_a_story_about_hours_is_folded_under_it() -> None:
    (pattern,) = by_quarter("hour", Kind.TIMING).patterns
    assert pattern.antecedent == "hour=18-24"
    assert pattern.z > 0
    assert "hour=06-12" in pattern.explains


def test_of_other_factors_a_second_level_is_news_of_its_own() -> None:
    assert {"plan=18-24", "plan=06-12"} <= found(by_quarter("plan", Kind.COHORT))


def test_where_the_quiet_hours_are_the_stronger_sign_the_busy_ones_are_told() -> None:
    """Half of the day is quiet, and three smaller parts share what is left."""
    rng = RNG(13)
    levels = rng.choice(["06-12", "12-18", "18-24"], 3000, p=[0.5, 0.25, 0.25])
    share = {"06-12": 0.05, "12-18": 0.19, "18-24": 0.22}
    hit = rng.random(3000) < np.array([share[one] for one in levels.tolist()])
    factor = Factor.of("hour", levels.tolist(), kind=Kind.TIMING)
    table = CaseTable.of([factor], features_from([]), np.zeros(3000, dtype=np.int32))
    result = discover(table, [flags("escalated", hit)]).patterns
    assert result
    assert all(one.z > 0 for one in result)
    assert {"hour=06-12"} <= {name for one in result for name in one.explains}


def test_a_pattern_holds_no_sooner_than_what_it_foretells() -> None:
    """The problem came in month 12; who has it most had other problems before."""
    rng = RNG(14)
    when = rng.integers(0, 24, 4000).astype(np.int32)
    has = rng.random(4000) < 0.3
    hit = (when >= 12) & (rng.random(4000) < np.where(has, 0.5, 0.1))
    table = CaseTable.of([], features_from([word("mac", has)]), when)
    (pattern,) = discover(table, [flags("issue", hit)]).patterns
    assert pattern.lifetime.first >= 12


def test_numbers_are_compared_by_ranks_with_the_mann_whitney_effect() -> None:
    rng = RNG(7)
    has = rng.random(3000) < 0.3
    minutes = np.exp(rng.normal(4, 1, 3000) + 0.5 * has)
    minutes[::7] = np.nan
    table = CaseTable.of([], features_from([word("w", has)]), np.zeros(3000, dtype=np.int32))
    (pattern,) = discover(table, [Consequent("minutes", values=minutes)]).patterns
    known = ~np.isnan(minutes)
    x, y = minutes[known & has], minutes[known & ~has]
    u = stats.mannwhitneyu(x, y, use_continuity=False, method="asymptotic")
    assert isinstance(pattern.effect, RankEffect)
    assert pattern.effect.superiority == pytest.approx(u.statistic / (x.size * y.size))
    assert pattern.p == pytest.approx(u.pvalue, rel=1e-6)
    assert pattern.effect.median_with == pytest.approx(np.median(x))
    assert pattern.effect.cliffs_delta == pytest.approx(2 * pattern.effect.adjusted - 1)


def test_numbers_confounded_by_a_facet_are_seen_through() -> None:
    rng = RNG(8)
    product = rng.integers(0, 3, 9000)
    has = rng.random(9000) < np.where(product == 0, 0.6, 0.1)
    minutes = rng.exponential(1, 9000) + 2.0 * (product == 0)
    table = CaseTable.of(
        [facet("product", product, testable=False)], features_from([word("w", has)])
    )
    assert discover(table, [Consequent("minutes", values=minutes)]).patterns == ()


def test_a_pattern_that_stopped_is_retired_and_says_until_when() -> None:
    rng = RNG(9)
    month = np.sort(rng.integers(0, 24, 24000)).astype(np.int32)
    has = rng.random(24000) < 0.2
    hit = rng.random(24000) < np.where(has & (month < 15), 0.3, 0.1)
    table = CaseTable.of([], features_from([word("w", has)]), month)
    (pattern,) = discover(table, [flags("hit", hit)]).patterns
    assert pattern.lifetime.state is State.RETIRED
    assert (pattern.lifetime.first, pattern.lifetime.last) == (0, 14)


def releases(until: int) -> Discovery:
    """A version that is seen in the months 10 to `until` of 24, and has its own issue."""
    rng = RNG(13)
    month = np.sort(rng.integers(0, 24, 6000)).astype(np.int32)
    has = (rng.random(6000) < 0.2) & (month >= 10) & (month <= until)
    hit = rng.random(6000) < np.where(has, 0.5, 0.02)
    table = CaseTable.of([], features_from([word("version=4.2", has)]), month)
    return discover(table, [flags("hit", hit)])


def test_a_pattern_whose_cases_ended_says_so() -> None:
    (pattern,) = releases(13).patterns
    life = pattern.lifetime
    assert (life.first, life.last, life.state) == (10, 13, State.ENDED)


@pytest.mark.parametrize("until", [22, 23])
def test_a_pattern_of_the_latest_cases_goes_on(until: int) -> None:
    (pattern,) = releases(until).patterns
    assert pattern.lifetime.state is State.HOLDING
    assert pattern.lifetime.last == 23


def test_a_stated_pattern_is_tested_by_itself() -> None:
    """Its numbers are those of the discovery; only nothing else is corrected for."""
    industry, has, escalated = confounded(6000)
    table = CaseTable.of([industry], features_from([word("ledger", has), word("b", ~has)]))
    outcomes = [flags("escalated", escalated)]
    (whole,) = [
        p for p in discover(table, outcomes).patterns if p.antecedent == "industry=industry0"
    ]
    one = retested(table, outcomes, whole.antecedent, "escalated", "yes")
    assert one is not None
    assert (one.z, one.p, one.q) == (whole.z, whole.p, whole.p)
    assert (one.effect, one.lifetime) == (whole.effect, whole.lifetime)
    ledger = retested(table, outcomes, "ledger", "escalated", "yes")
    assert ledger is not None
    assert ledger.p > 0.05
    for missing in (("c", "escalated", "yes"), ("b", "queue", "x"), ("b", "escalated", "maybe")):
        assert retested(table, outcomes, *missing) is None


def test_a_stated_pattern_that_is_none_holds_by_chance_only() -> None:
    rng, held = RNG(12), 0
    for _ in range(400):
        has, hit = rng.random(400) < 0.3, rng.random(400) < 0.3
        table = CaseTable.of([], features_from([word("w", has)]), np.zeros(400, dtype=np.int32))
        one = retested(table, [flags("hit", hit)], "w", "hit", "yes")
        held += one is not None and one.p <= 0.05
    assert held <= stats.binom.ppf(0.999, 400, 0.05)


def test_a_lasting_pattern_holds_over_the_whole_time() -> None:
    rng = RNG(10)
    month = np.sort(rng.integers(0, 24, 12000)).astype(np.int32)
    has = rng.random(12000) < 0.2
    hit = rng.random(12000) < np.where(has, 0.3, 0.1)
    table = CaseTable.of([], features_from([word("w", has)]), month)
    (pattern,) = discover(table, [flags("hit", hit)]).patterns
    assert pattern.lifetime.state is State.HOLDING
    assert (pattern.lifetime.first, pattern.lifetime.last) == (0, 23)


def test_chance_alone_is_rarely_a_pattern() -> None:
    rng = RNG(11)
    runs = 0
    for _ in range(60):
        columns = [word(f"w{j}", rng.random(800) < 0.2) for j in range(40)]
        table = CaseTable.of([facet("os", rng.integers(0, 3, 800))], features_from(columns))
        outcomes = [flags(f"y{k}", rng.random(800) < 0.2) for k in range(5)]
        runs += bool(discover(table, outcomes).patterns)
    assert runs <= 8  # 5 % of 60 are 3; P(more than 8) < 0.01


def test_words_that_were_looked_at_before_are_corrected_for() -> None:
    rng = RNG(12)
    has = rng.random(1000) < 0.2
    hit = rng.random(1000) < np.where(has, 0.23, 0.12)
    table = CaseTable.of([], features_from([word("w", has)]), np.zeros(1000, dtype=np.int32))
    assert discover(table, [flags("hit", hit)]).patterns
    assert not discover(table, [flags("hit", hit)], left_out=100_000).patterns


def test_settings_change_what_is_told() -> None:
    rng = RNG(13)
    has = rng.random(20000) < 0.2
    hit = rng.random(20000) < np.where(has, 0.24, 0.2)
    table = CaseTable.of([], features_from([word("w", has)]), np.zeros(20000, dtype=np.int32))
    outcome = [flags("hit", hit)]
    assert discover(table, outcome).patterns
    assert not discover(table, outcome, Settings(min_lift=1.5)).patterns
    assert not discover(table, outcome, Settings(min_support=5000)).patterns
    assert not discover(table, outcome, Settings(false_discovery=1e-30)).patterns
    (pattern,) = discover(table, outcome, Settings(examples=2)).patterns
    assert len(pattern.examples) == 2


def test_of_many_levels_only_what_makes_one_likelier_is_told() -> None:
    rng = RNG(14)
    has = rng.random(9000) < 0.3
    queue = np.where(has & (rng.random(9000) < 0.5), 0, rng.integers(0, 3, 9000))
    table = CaseTable.of([], features_from([word("w", has)]), np.zeros(9000, dtype=np.int32))
    result = discover(table, [Consequent.of_levels("queue", [f"q{c}" for c in queue])])
    assert [(p.antecedent, p.level) for p in result.patterns] == [("w", "q0")]


def test_nothing_to_read_gives_nothing() -> None:
    empty = CaseTable.of([], None)
    assert discover(empty, []).patterns == ()
    one = CaseTable.of([Factor.of("os", ["mac"])])
    assert discover(one, [Consequent.of_flags("escalated", [True])]).patterns == ()
    unknown = CaseTable.of([Factor.of("os", ["mac"] * 50)])
    assert discover(unknown, [Consequent.of_flags("escalated", [None] * 50)]).patterns == ()


def test_many_true_words_let_no_chance_about_outcomes_in() -> None:
    """Each family at its own rate: true claims of one do not pay for false ones of another."""
    rng = RNG(21)
    false = told = 0  # worlds with a false claim about outcomes, true claims
    for _ in range(30):
        issue = rng.integers(0, 6, 900)
        words = [
            word(f"w{i}-{j}", (issue == i) & (rng.random(900) < 0.9))
            for i in range(6)
            for j in range(5)
        ]
        places = [facet(name, rng.integers(0, 4, 900)) for name in ("site", "plan", "region")]
        outcomes = [
            Consequent.of_levels("issue", [f"i{one}" for one in issue]),
            flags("escalated", rng.random(900) < 0.15),
            Consequent("minutes", values=rng.random(900)),
        ]
        patterns = discover(CaseTable.of(places, features_from(words)), outcomes).patterns
        told += sum(p.consequent == "issue" for p in patterns)
        false += any(p.consequent != "issue" for p in patterns)
    assert told >= 30 * 6
    assert false <= 8  # two families, 5 % each of 30 worlds, are 3; P(more than 8) < 0.01


def test_of_a_choice_only_one_side_is_tested() -> None:
    """What makes one of several rarer is never told, so it may not stand for a claim either."""
    rng = RNG(22)
    queue = rng.integers(0, 3, 3000)
    has = rng.random(3000) < np.where(queue == 2, 0.02, 0.3)
    table = CaseTable.of([], features_from([word("w", has)]), np.zeros(3000, dtype=np.int32))
    result = discover(table, [Consequent.of_levels("queue", [f"q{c}" for c in queue])])
    assert {(p.level, p.z > 0) for p in result.patterns} == {("q0", True), ("q1", True)}
    outcomes = [Consequent.of_levels("queue", [f"q{c}" for c in queue])]
    for one in result.patterns:
        both = retested(table, outcomes, "w", "queue", one.level)
        assert one.p == pytest.approx(both.p / 2, abs=1e-300)


def test_a_factor_that_names_the_consequent_is_not_tested() -> None:
    codes = np.arange(600) % 3
    itself = Consequent("issue", ("a", "b", "c"), codes.astype(np.int32), not_by=frozenset({"f"}))
    result = discover(CaseTable.of([facet("f", codes)]), [itself])
    assert (result.patterns, result.tested) == ((), 0)
