"""Solve: a problem worked through in steps that check and correct themselves."""
