"""kbagent: every earlier instance of a problem, with what worked, ranked by evidence."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbagent.api import OpenKnowledgeBase

__version__ = "0.1.0"


def open(path: "str | Path | None" = None) -> "OpenKnowledgeBase":
    """Open a knowledge base from Python: see `kbagent.api`.

    Raises:
        NoKnowledgeBase: there is none.
    """
    from kbagent.api import open_folder

    return open_folder(path)
