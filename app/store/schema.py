"""The tables of the history, and how a file of an older version becomes one of today.

`PRAGMA user_version` numbers the schema. Each migration runs in one transaction together with
its new number, so a file is always wholly of one version.
"""

from __future__ import annotations

import sqlite3

__all__ = ["MIGRATIONS", "SCHEMA_VERSION", "migrate", "search_words"]

_VERSION_1 = """
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    created TEXT NOT NULL,
    model TEXT NOT NULL,
    label INTEGER,
    label_name TEXT NOT NULL DEFAULT '',
    solver TEXT NOT NULL,
    steps INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    channels INTEGER NOT NULL,
    position INTEGER NOT NULL,
    request TEXT NOT NULL,
    png BLOB NOT NULL,
    thumbnail BLOB NOT NULL
);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

# A request is kept once for its result, not once an image: of ten thousand images it is long.
# The pictures lie in a table of their own so that filtering reads only short rows.
_VERSION_2 = """
ALTER TABLE images RENAME TO images_1;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    created TEXT NOT NULL,
    request TEXT NOT NULL,
    provenance TEXT,
    evaluations INTEGER,
    evaluations_paper INTEGER,
    seconds REAL,
    notices TEXT NOT NULL DEFAULT '[]'
);
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    created TEXT NOT NULL,
    model TEXT NOT NULL,
    label INTEGER,
    label_name TEXT NOT NULL,
    solver TEXT NOT NULL,
    steps INTEGER NOT NULL,
    guidance REAL NOT NULL,
    spacing TEXT NOT NULL,
    seed INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    channels INTEGER NOT NULL,
    starred INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    words TEXT NOT NULL,
    deleted_at TEXT
);
CREATE TABLE pixels (
    image_id INTEGER PRIMARY KEY REFERENCES images(id) ON DELETE CASCADE,
    thumbnail BLOB NOT NULL,
    png BLOB NOT NULL
);
CREATE TABLE steps (
    image_id INTEGER PRIMARY KEY REFERENCES images(id) ON DELETE CASCADE,
    frames TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE latents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created TEXT NOT NULL,
    name TEXT NOT NULL,
    about TEXT NOT NULL,
    data BLOB NOT NULL,
    deleted_at TEXT
);

INSERT INTO jobs (uuid, created, request)
    SELECT job, min(created), request FROM images_1 GROUP BY job ORDER BY min(id);
INSERT INTO images (
    id, job_id, position, created, model, label, label_name, solver, steps, guidance, spacing,
    seed, width, height, channels, words
)
    SELECT images_1.id, jobs.id, position, images_1.created, model, label, label_name, solver, steps,
        coalesce(json_extract(iif(json_valid(images_1.request), images_1.request, '{}'), '$.guidance'), 0.0),
        coalesce(json_extract(iif(json_valid(images_1.request), images_1.request, '{}'), '$.spacing'), ''),
        seed, width, height, channels, search_words(model, label_name, solver, seed, '')
    FROM images_1 JOIN jobs ON jobs.uuid = images_1.job ORDER BY images_1.id;
INSERT INTO pixels (image_id, thumbnail, png) SELECT id, thumbnail, png FROM images_1;
DROP TABLE images_1;

CREATE INDEX images_place ON images (job_id DESC, position) WHERE deleted_at IS NULL;
CREATE INDEX images_job ON images (job_id);
CREATE INDEX images_model ON images (model, job_id DESC, position) WHERE deleted_at IS NULL;
CREATE INDEX images_label ON images (label_name, job_id DESC, position) WHERE deleted_at IS NULL;
CREATE INDEX images_solver ON images (solver, job_id DESC, position) WHERE deleted_at IS NULL;
CREATE INDEX images_starred ON images (job_id DESC, position) WHERE deleted_at IS NULL AND starred = 1;
CREATE INDEX steps_size ON steps (image_id, bytes);
CREATE INDEX images_trash ON images (deleted_at) WHERE deleted_at IS NOT NULL;
"""

# Pictures of every task are kept, not only generated ones. Each part of the program that keeps
# something of its own has its tables here; what they mean is said in its module.
_VERSION_3 = """
ALTER TABLE images ADD COLUMN kind TEXT NOT NULL DEFAULT 'generate';
CREATE INDEX images_kind ON images (kind, job_id DESC, position) WHERE deleted_at IS NULL;
CREATE TABLE shelf (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created TEXT NOT NULL,
    model TEXT NOT NULL,
    source TEXT NOT NULL,
    label TEXT NOT NULL,
    guidance REAL NOT NULL,
    name TEXT NOT NULL,
    tags TEXT NOT NULL,
    starred INTEGER NOT NULL DEFAULT 0,
    thumbnail BLOB NOT NULL,
    deleted_at TEXT
);
CREATE TABLE walks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    changed TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    deleted_at TEXT
);
CREATE TABLE edit_sessions (
    id TEXT PRIMARY KEY,
    changed TEXT NOT NULL,
    model TEXT NOT NULL,
    name TEXT NOT NULL,
    current TEXT NOT NULL,
    deleted_at TEXT
);
CREATE TABLE edits (
    id TEXT PRIMARY KEY,
    session TEXT NOT NULL REFERENCES edit_sessions(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    parent TEXT,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    deleted_at TEXT
);
CREATE INDEX edits_session ON edits (session, position);
CREATE TABLE directions (
    id TEXT PRIMARY KEY,
    created TEXT NOT NULL,
    model TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    deleted_at TEXT
);
"""

MIGRATIONS = (_VERSION_1, _VERSION_2, _VERSION_3)
SCHEMA_VERSION = len(MIGRATIONS)


def search_words(model: str, label_name: str, solver: str, seed: int, note: str) -> str:
    """What a text filter looks into: folded once when written instead of at every search."""
    return "\n".join((model, label_name, solver, str(seed) if seed >= 0 else "", note)).casefold()


def migrate(connection: sqlite3.Connection, to: int = SCHEMA_VERSION) -> None:
    """Bring the file up to version `to`; the caller has seen to it that it isn't newer."""
    connection.create_function("search_words", 5, search_words, deterministic=True)
    while _version(connection) < to:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _version(connection)  # again, under the lock: two windows may start on one old file
            if version >= to:
                connection.execute("ROLLBACK")
                return
            for statement in MIGRATIONS[version].split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
