"""Patterns, rises and routing, measured: see `python -m benchmarks.patterns --help`."""
