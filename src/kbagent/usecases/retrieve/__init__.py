"""Retrieve: earlier instances of a problem, grouped by issue."""
