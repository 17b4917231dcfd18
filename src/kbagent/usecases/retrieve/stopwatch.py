"""Where the time of a search goes, phase by phase (`search --timings`)."""

import time


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
