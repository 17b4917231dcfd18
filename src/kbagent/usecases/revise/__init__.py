"""Revise: what became of a resolution, said by people, appended to the ledger."""
