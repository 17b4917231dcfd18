"""The schema of `kb.db`, as migrations that are only ever appended to.

A released migration is never edited: a knowledge base of any age is brought forward step by
step. Before an existing one is changed it is copied beside itself (`kb.db.before-NNN`).
`PRAGMA user_version` counts the applied migrations, so that opening an up-to-date knowledge base
costs one pragma and not the import of sqlite-utils.
"""

import os
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from kbagent.errors import Damaged, Locked
from kbagent.store.database import Database, explained

if TYPE_CHECKING:
    from sqlite_utils import Database as SqliteUtilsDatabase

    Migration = Callable[[SqliteUtilsDatabase], None]


def migrate(database: Database, upto: int | None = None) -> None:
    """Bring the schema to version `upto` (None: the newest); does nothing when it is there.

    One process at a time does so; each migration and the number of it are one transaction.
    Raises `Damaged` when the file was written by a newer kbagent or is no knowledge base.
    """
    newest = SCHEMA_VERSION if upto is None else upto
    version = schema_version(database.connection)
    if version == newest:
        return
    if version > SCHEMA_VERSION:
        raise Damaged(
            what=f"its schema is version {version}, this kbagent knows {SCHEMA_VERSION}",
            hint="Update kbagent.",
        )
    from filelock import FileLock, Timeout

    lock = database.path.with_name(f".{database.path.name}.lock")
    try:
        with FileLock(lock, timeout=database.lock_timeout, mode=0o600):
            version = schema_version(database.connection)  # another process may have been first
            if 0 < version < newest:
                _keep_copy(database, version)
            if version < newest:
                _apply(database, newest)
    except Timeout as error:
        raise Locked(path=database.path, seconds=f"{database.lock_timeout:g}") from error


def schema_version(connection: sqlite3.Connection) -> int:
    """How many migrations the file has seen; 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _apply(database: Database, newest: int) -> None:
    from sqlite_utils import Database as SqliteUtilsDatabase
    from sqlite_utils.migrations import Migrations

    migrations = Migrations("kbagent")
    for number, migration in enumerate(MIGRATIONS[:newest], start=1):
        migrations(name=migration.__name__)(_numbered(migration, number))
    connection = sqlite3.connect(database.path, timeout=database.lock_timeout)
    try:
        migrations.apply(SqliteUtilsDatabase(connection))
    except sqlite3.Error as error:
        raise explained(error, database.path) from error
    finally:
        connection.close()


def _numbered(migration: "Migration", number: int) -> "Migration":
    """The migration with its number, which counts from the commit that brings its tables."""

    def run(db: "SqliteUtilsDatabase") -> None:
        migration(db)
        db.execute(f"PRAGMA user_version = {number}")

    return run


def _keep_copy(database: Database, version: int) -> None:
    """`kb.db.before-NNN`: whole and on disk before anything is changed."""
    target = database.path.with_name(f"{database.path.name}.before-{version + 1:03d}")
    unfinished = target.with_name(f".{target.name}.tmp")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_RDWR, 0o600))
    copy = sqlite3.connect(unfinished)
    try:
        database.connection.backup(copy)
    finally:
        copy.close()
    unfinished.replace(target)


def _execute_all(db: "SqliteUtilsDatabase", script: str) -> None:
    """Run statements that are set apart by blank lines, inside the migration's transaction."""
    for statement in script.split(";\n\n"):
        if statement.strip():
            db.execute(statement)


def m001_foundation(db: "SqliteUtilsDatabase") -> None:
    """Cases and what was tried, issues and links, lookups, the ledger, policies, decisions."""
    _execute_all(db, _FOUNDATION)


_FOUNDATION = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,
    dimension INTEGER NOT NULL,
    max_tokens INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'building', 'retired')),
    recorded_at TEXT NOT NULL
);

CREATE TABLE imports (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    format TEXT NOT NULL,
    files TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    counts TEXT
);

CREATE TABLE cases (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL,
    opened_at TEXT,
    closed_at TEXT,
    url TEXT,
    csat REAL,
    minutes REAL,
    escalated INTEGER,
    facets TEXT NOT NULL,
    record_hash BLOB NOT NULL,
    recorded_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    withdrawn_at TEXT,
    UNIQUE (source, external_id)
);

CREATE INDEX cases_by_opening ON cases (opened_at);

CREATE TABLE case_versions (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases,
    replaced_at TEXT NOT NULL,
    record TEXT NOT NULL
);

CREATE INDEX case_versions_by_case ON case_versions (case_id);

CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id INTEGER NOT NULL REFERENCES cases,
    retired INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX documents_by_case ON documents (case_id, retired);

CREATE TABLE facet_values (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (name, value)
);

CREATE TABLE case_facets (
    facet_id INTEGER NOT NULL REFERENCES facet_values,
    case_id INTEGER NOT NULL REFERENCES cases,
    PRIMARY KEY (facet_id, case_id)
) WITHOUT ROWID;

CREATE INDEX case_facets_by_case ON case_facets (case_id);

CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id INTEGER NOT NULL REFERENCES models,
    case_id INTEGER NOT NULL REFERENCES cases,
    ordinal INTEGER NOT NULL,
    text_hash BLOB NOT NULL,
    retired INTEGER NOT NULL DEFAULT 0,
    vector BLOB NOT NULL
);

CREATE INDEX passages_by_case ON passages (model_id, case_id, retired);

CREATE INDEX passages_by_text ON passages (text_hash, model_id);

CREATE INDEX passages_in_order ON passages (model_id, id, case_id, retired);

CREATE TABLE resolutions (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    text_hash BLOB NOT NULL UNIQUE,
    code TEXT,
    name TEXT,
    canonical_id INTEGER NOT NULL,
    grouped_by TEXT,
    steps TEXT,
    recorded_at TEXT NOT NULL
);

CREATE INDEX resolutions_by_canonical ON resolutions (canonical_id);

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases,
    resolution_id INTEGER NOT NULL REFERENCES resolutions,
    ordinal INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    at TEXT,
    by TEXT,
    external_id TEXT,
    recorded_at TEXT NOT NULL,
    retired_at TEXT
);

CREATE INDEX attempts_by_case ON attempts (case_id);

CREATE INDEX attempts_by_resolution ON attempts (resolution_id);

CREATE TABLE issues (
    id INTEGER PRIMARY KEY,
    title TEXT,
    named_by TEXT,
    recorded_at TEXT NOT NULL
);

CREATE TABLE memberships (
    case_id INTEGER PRIMARY KEY REFERENCES cases,
    issue_id INTEGER NOT NULL REFERENCES issues,
    kind TEXT NOT NULL CHECK (kind IN ('founder', 'assigned', 'linked', 'human')),
    confidence REAL NOT NULL,
    method TEXT NOT NULL
);

CREATE INDEX memberships_by_issue ON memberships (issue_id);

CREATE TABLE membership_log (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL,
    issue_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    confidence REAL NOT NULL,
    method TEXT NOT NULL,
    why TEXT NOT NULL,
    by TEXT,
    at TEXT NOT NULL,
    change INTEGER
);

CREATE INDEX membership_log_by_case ON membership_log (case_id, id);

CREATE TABLE links (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases,
    other_id INTEGER NOT NULL REFERENCES cases,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    by TEXT,
    at TEXT NOT NULL,
    undone_at TEXT,
    CHECK (case_id < other_id)
);

CREATE INDEX links_by_case ON links (case_id);

CREATE INDEX links_by_other ON links (other_id);

CREATE TABLE pending_links (
    case_id INTEGER NOT NULL REFERENCES cases,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (source, external_id, case_id)
) WITHOUT ROWID;

CREATE TABLE policies (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    parent INTEGER REFERENCES policies,
    parameters TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    by TEXT,
    evidence TEXT,
    evaluation TEXT
);

CREATE TABLE policy_log (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    version INTEGER NOT NULL REFERENCES policies,
    by TEXT,
    reason TEXT
);

CREATE TABLE lookups (
    id INTEGER PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    at TEXT NOT NULL,
    query TEXT NOT NULL,
    request TEXT NOT NULL,
    policy_version INTEGER NOT NULL REFERENCES policies,
    model_id INTEGER,
    index_generation TEXT,
    by TEXT,
    confident INTEGER NOT NULL,
    confidence REAL,
    hidden INTEGER NOT NULL,
    candidates TEXT NOT NULL
);

CREATE INDEX lookups_by_time ON lookups (at);

CREATE TABLE showings (
    lookup_id INTEGER NOT NULL REFERENCES lookups,
    place INTEGER NOT NULL,
    rank INTEGER,
    issue_id INTEGER NOT NULL,
    case_id INTEGER NOT NULL,
    resolution_id INTEGER,
    score REAL NOT NULL,
    similarity REAL NOT NULL,
    confidence REAL NOT NULL,
    propensity REAL,
    explored INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (lookup_id, place)
) WITHOUT ROWID;

CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    recorded_at TEXT NOT NULL,
    happened_at TEXT NOT NULL,
    case_id INTEGER NOT NULL REFERENCES cases,
    resolution_id INTEGER NOT NULL REFERENCES resolutions,
    verdict TEXT NOT NULL CHECK (verdict IN ('worked', 'partly', 'failed', 'unknown')),
    source TEXT NOT NULL CHECK (source IN ('explicit', 'imported', 'inferred')),
    lookup_id INTEGER REFERENCES lookups,
    by TEXT,
    note TEXT,
    reason TEXT,
    csat REAL,
    minutes REAL,
    escalated INTEGER,
    undoes INTEGER REFERENCES outcomes
);

CREATE INDEX outcomes_by_case ON outcomes (case_id);

CREATE INDEX outcomes_by_resolution ON outcomes (resolution_id);

CREATE INDEX outcomes_by_lookup ON outcomes (lookup_id) WHERE lookup_id IS NOT NULL;

CREATE UNIQUE INDEX outcomes_undone_once ON outcomes (undoes) WHERE undoes IS NOT NULL;

CREATE TABLE tallies (
    resolution_id INTEGER PRIMARY KEY,
    tried REAL NOT NULL,
    reward REAL NOT NULL
);

CREATE TRIGGER outcomes_are_tallied AFTER INSERT ON outcomes BEGIN
    INSERT INTO tallies (resolution_id, tried, reward)
    SELECT resolution_id, -1, -CASE verdict WHEN 'worked' THEN 1.0 WHEN 'partly' THEN 0.5 ELSE 0 END
    FROM outcomes WHERE id = NEW.undoes AND verdict != 'unknown'
    ON CONFLICT (resolution_id) DO UPDATE
    SET tried = tried + excluded.tried, reward = reward + excluded.reward;
    INSERT INTO tallies (resolution_id, tried, reward)
    SELECT NEW.resolution_id, 1,
        CASE NEW.verdict WHEN 'worked' THEN 1.0 WHEN 'partly' THEN 0.5 ELSE 0 END
    WHERE NEW.verdict != 'unknown'
    ON CONFLICT (resolution_id) DO UPDATE
    SET tried = tried + excluded.tried, reward = reward + excluded.reward;
END;

CREATE TRIGGER outcomes_never_change BEFORE UPDATE ON outcomes
WHEN OLD.uid IS NEW.uid AND (OLD.verdict IS NOT NEW.verdict OR OLD.undoes IS NOT NEW.undoes
    OR OLD.recorded_at IS NOT NEW.recorded_at OR OLD.resolution_id IS NOT NEW.resolution_id)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    lookup_id INTEGER REFERENCES lookups,
    type TEXT NOT NULL,
    at TEXT NOT NULL,
    by TEXT,
    data TEXT NOT NULL
);

CREATE INDEX events_by_lookup ON events (lookup_id, id);

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    by TEXT,
    kind TEXT NOT NULL,
    issue_id INTEGER,
    resolution_id INTEGER,
    data TEXT NOT NULL,
    undoes INTEGER REFERENCES decisions
);

CREATE INDEX decisions_by_kind ON decisions (kind, id);

CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


def m002_learning(db: "SqliteUtilsDatabase") -> None:
    """What else could have been shown; learned matrices; what is said of a policy."""
    _execute_all(db, _LEARNING)


_LEARNING = """
ALTER TABLE showings ADD COLUMN alternatives TEXT;

CREATE TABLE adapters (
    name TEXT PRIMARY KEY,
    model_id INTEGER NOT NULL REFERENCES models,
    dimension INTEGER NOT NULL,
    matrix BLOB NOT NULL,
    recorded_at TEXT NOT NULL
);

CREATE TABLE policy_evaluations (
    id INTEGER PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES policies,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
);
"""


def m003_fixes(db: "SqliteUtilsDatabase") -> None:
    """The vectors of resolutions with a known outcome, by which cases and wordings are grouped."""
    _execute_all(db, _FIXES)


_FIXES = """
CREATE TABLE fix_vectors (
    resolution_id INTEGER NOT NULL REFERENCES resolutions,
    model_id INTEGER NOT NULL REFERENCES models,
    vector BLOB NOT NULL,
    PRIMARY KEY (resolution_id, model_id)
);
"""


def m004_runs(db: "SqliteUtilsDatabase") -> None:
    """Verified answers: each run with its steps, what its checks caught, where people got stuck."""
    _execute_all(db, _RUNS)


_RUNS = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    lookup_id INTEGER NOT NULL UNIQUE REFERENCES lookups,
    at TEXT NOT NULL,
    ending TEXT NOT NULL CHECK (ending IN ('answer', 'ask', 'hand-over')),
    issue_id INTEGER,
    resolution_id INTEGER,
    step INTEGER,
    confidence REAL NOT NULL,
    continues INTEGER REFERENCES runs,
    fault TEXT,
    record TEXT NOT NULL
);

CREATE INDEX runs_by_issue ON runs (issue_id);

CREATE TABLE deviations (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs,
    at TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('check', 'contradiction')),
    step TEXT NOT NULL,
    name TEXT NOT NULL,
    issue_id INTEGER,
    resolution_id INTEGER,
    expected TEXT NOT NULL,
    observed TEXT NOT NULL,
    severity TEXT NOT NULL,
    correction TEXT,
    kept INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX deviations_by_run ON deviations (run_id);

CREATE INDEX deviations_by_issue ON deviations (issue_id, name);

CREATE TABLE step_evidence (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs,
    resolution_id INTEGER NOT NULL REFERENCES resolutions,
    ordinal INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('done', 'stuck')),
    at TEXT NOT NULL,
    by TEXT
);

CREATE INDEX step_evidence_by_resolution ON step_evidence (resolution_id, ordinal);
"""


def m005_releases(db: "SqliteUtilsDatabase") -> None:
    """Releases that people told of, so that rises and patterns can be seen against them."""
    _execute_all(db, _RELEASES)


_RELEASES = """
CREATE TABLE releases (
    version TEXT PRIMARY KEY,
    at TEXT NOT NULL,
    by TEXT,
    recorded_at TEXT NOT NULL
) WITHOUT ROWID;
"""


def m006_outlines(db: "SqliteUtilsDatabase") -> None:
    """What a search asks of hundreds of cases: whether they are there, and since when."""
    _execute_all(db, _OUTLINES)


_OUTLINES = """
CREATE INDEX cases_outlined ON cases (id, opened_at, withdrawn_at);
"""

MIGRATIONS = (
    m001_foundation,
    m002_learning,
    m003_fixes,
    m004_runs,
    m005_releases,
    m006_outlines,
)
"""In the order they were released; new ones are appended."""

SCHEMA_VERSION = len(MIGRATIONS)
