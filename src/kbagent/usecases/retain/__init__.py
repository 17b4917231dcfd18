"""Retain: cases come in, from an export or by hand, with what was tried on them."""
