"""Reuse: the resolutions of an issue, ordered by what the outcomes say of them."""
