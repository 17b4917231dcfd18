"""Benchmarks: measured against baselines from the same run."""
