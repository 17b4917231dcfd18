"""The cycle of case-based reasoning: retrieve, reuse, revise, retain (Aamodt and Plaza 1994)."""
