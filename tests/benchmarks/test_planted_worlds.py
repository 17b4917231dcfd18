"""The worlds of `benchmarks.patterns`: what two strong causes explain together is not claimed."""

from benchmarks.patterns.planted_rows import discovered
from benchmarks.patterns.worlds import world


def test_a_decoy_of_two_strong_causes_is_seen_through() -> None:
    """Within either cause alone z is above 5; within both, where a quarter of the variance is
    left, it is 0. (A world for tuning, not one that is reported on.)"""
    one = world(1000, 2019)
    assert (25, 6) in one.decoys
    assert not discovered(one) & one.decoys
