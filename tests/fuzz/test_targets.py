"""Every way in holds against the seeds, against seeds broken at random, and what was found once.

`python -m benchmarks.fuzz` runs the same targets for long; its findings become `FOUND` here.
"""

import os
import random

import pytest

from benchmarks.fuzz.__main__ import mutated
from tests.fuzz.targets import TARGETS, Ground, seeds

EXAMPLES = int(os.environ.get("KBAGENT_FUZZ_EXAMPLES", "60"))
SLOW = {"rows": 8, "values": 8, "backups": 8}  # each makes a knowledge base

FOUND = [
    ("values", b"\x00\n\x129"),  # a date that is a number
    ("values", b"\n-\n6"),
    ("values", b"\r\r\r\r\r\r\r9\n"),  # a vector that is a number
    ("values", b"\xdd\n13"),  # a verdict that is a number
    ("values", b"\x02\x00\x000\n\n"),  # a resolution of an approach that is none
    ("manifests", b'{"format": 1, "folder": "x"}'),
]


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return Ground(tmp_path_factory.mktemp("ground"))


@pytest.mark.parametrize("name", TARGETS)
def test_it_holds(ground, name):
    target, given = getattr(ground, name), seeds(name, ground)
    for data in given[: SLOW.get(name, EXAMPLES)]:
        target(data)
    rng = random.Random(3)
    for _ in range(SLOW.get(name, EXAMPLES)):
        target(mutated(rng, given or [b""]))


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_once(ground, name, data):
    getattr(ground, name)(data)
