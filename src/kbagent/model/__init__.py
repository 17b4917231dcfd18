"""Frozen dataclasses that cross the borders between rooms."""
