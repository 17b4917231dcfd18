"""The same desk as in `tests.usecases.learn`."""

from tests.usecases.learn.conftest import desk

__all__ = ["desk"]
