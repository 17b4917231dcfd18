"""Learning from outcomes: posteriors, gate, sampling, change detection, estimates, tests."""
