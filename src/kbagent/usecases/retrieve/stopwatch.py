"""Where the time of a search goes, phase by phase (`search --timings`)."""

import os
import time
from pathlib import Path


class Stopwatch:
    """Laps, each named after what was done since the last one; seconds."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, float]] = []
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """The time since the last lap was spent on `name`."""
        now = time.perf_counter()
        self.phases.append((name, now - self._last))
        self._last = now


def process_age() -> float:
    """Seconds since this process began, to a hundredth; where no system tells, its processor time.

    See proc(5): field 22 of `stat` is the start, in clock ticks since boot.
    """
    try:
        fields = Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, AttributeError, ValueError, IndexError):
        return time.process_time()
