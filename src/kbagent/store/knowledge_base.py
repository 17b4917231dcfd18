"""A knowledge base on disk: a folder with `kb.db` (the truth) and `index/` (disposable).

Opening is cheap: neither the encoder nor an index is loaded before it is used.
"""

import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from kbagent.errors import NoKnowledgeBase, UnreadableFile
from kbagent.model.policy import PolicyParameters
from kbagent.store import policies
from kbagent.store.database import Database, Notify, silent
from kbagent.store.memory import Memory
from kbagent.store.migrations import migrate, schema_version

DATABASE_NAME = "kb.db"
INDEX_NAME = "index"

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


class KnowledgeBase:
    """An open knowledge base. Close it, or use it in a `with` statement."""

    def __init__(
        self, folder: Path, database: Database, *, notify: Notify = silent, clock: Clock = utc_now
    ) -> None:
        self.folder = folder
        self.database = database
        self.connection = database.connection
        self.notify = notify
        self.clock = clock
        self.memory = Memory()
        self.opened: dict[str, tuple[object, object]] = {}  # indexes, each with what it is of

    def __enter__(self) -> "KnowledgeBase":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        self.database.close()

    @property
    def index_folder(self) -> Path:
        """Where the disposable indexes live; made when it is missing."""
        folder = self.folder / INDEX_NAME
        with contextlib.suppress(OSError):  # a disk that is only read: the query does without
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def open_knowledge_base(
    folder: Path, *, notify: Notify = silent, clock: Clock = utc_now
) -> KnowledgeBase:
    """The knowledge base in `folder`.

    Raises:
        NoKnowledgeBase: there is none.
        Damaged: `kb.db` is no database, or one of a newer kbagent.
    """
    path = folder / DATABASE_NAME
    if not path.exists():
        raise NoKnowledgeBase(path=folder)
    database = Database(path, notify=notify)
    if schema_version(database.connection) == 0:
        database.close()
        raise NoKnowledgeBase(path=folder)
    return _ready(folder, database, notify, clock)


def create_knowledge_base(
    folder: Path, *, notify: Notify = silent, clock: Clock = utc_now
) -> KnowledgeBase:
    """The knowledge base in `folder`, made when there is none; the folder gets mode 0700.

    Raises:
        UnreadableFile: the folder cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = Database(folder / DATABASE_NAME, notify=notify)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(path=folder, reason=reason, hint="Choose another --kb.") from error
    return _ready(folder, database, notify, clock)


def _ready(folder: Path, database: Database, notify: Notify, clock: Clock) -> KnowledgeBase:
    """The schema brought up to date and the default policy in its place.

    Who made the file may have been stopped before either.
    """
    migrate(database)
    if policies.by_version(database.connection, policies.DEFAULT_VERSION) is None:
        with database.write() as connection:
            if policies.by_version(connection, policies.DEFAULT_VERSION) is None:
                policies.add(connection, "default", PolicyParameters(), clock())
    return KnowledgeBase(folder, database, notify=notify, clock=clock)


def default_folder() -> Path:
    """`$KBAGENT_KB`, else the platform's data folder for kbagent."""
    named = os.environ.get("KBAGENT_KB")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_data_path

    return user_data_path("kbagent", appauthor=False)
