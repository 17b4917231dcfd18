"""Killed at any point, nothing that was acknowledged is lost and the same command goes on.

A short version of `python -m benchmarks.faults`, which kills 500 times.
"""

import numpy as np
import pytest

from tests.faults import killing
from tests.faults.deeds import DEEDS

KILLS = {
    "import": 3,
    "feedback": 4,
    "reindex": 4,
    "model use": 4,
    "purge": 4,
    "restore": 5,
    "migration": 3,
    "learn": 2,
    "learn --checks": 2,
    "review apply": 3,
    "policy edit": 3,
    "case edit": 2,
}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_left_is_whole_and_the_command_ends_as_if_undisturbed(tmp_path, deed):
    template = tmp_path / "template"
    template.mkdir()
    killing.prepare(template / "kb", deed)
    before = killing.contents(template / "kb")
    whole = killing.run_whole(deed, killing.copied(template, tmp_path / "whole"))
    rng = np.random.default_rng(7)
    killed = 0
    for number in range(KILLS[deed]):
        folder = killing.copied(template, tmp_path / "run")
        if number % 2:
            event = int(rng.integers(1, whole.events + 1))
            killed += killing.kill(deed, folder, event=event)
        else:
            killed += killing.kill(deed, folder, after=float(rng.uniform(0, whole.seconds)))
        assert killing.faults_after_kill(deed, folder, before) == []
        if deed != "feedback":  # giving more feedback is another command
            again = killing.run_whole(deed, folder)
            assert again.contents == whole.contents
    assert killed
