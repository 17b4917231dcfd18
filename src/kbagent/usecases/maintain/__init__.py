"""Maintain: encoders, indexes, checks and copies of a knowledge base."""
