"""Evaluate: what a policy would have done for the cases of the past."""
