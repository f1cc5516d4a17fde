"""The database file: where it is, and its free pages, given back to the file system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reactive_sqlite import ReactiveDatabase

#: https://sqlite.org/pragma.html#pragma_auto_vacuum
INCREMENTAL = 2
#: Pages given back at a time, so that other writers get their turn in between.
VACUUM_STEP = 500


def path_of(db: ReactiveDatabase) -> str:
    """Where the file is; empty for a database in memory."""
    (path,) = (row[2] for row in db.execute("PRAGMA database_list").rows if row[1] == "main")
    return str(path)


def number(db: ReactiveDatabase, sql: str, params: Sequence[Any] = ()) -> int:
    """The one number that a statement gives."""
    return int(db.execute(sql, params).rows[0][0] or 0)


def write_back(db: ReactiveDatabase) -> None:
    """Writes the log back into the file, as far as no reader prevents it, and shortens it."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def make_incremental(db: ReactiveDatabase) -> None:
    """Prepares a file for incremental vacuum, if it is not: for that it is written anew, once."""
    if number(db, "PRAGMA auto_vacuum") != INCREMENTAL:
        db.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        db.execute("VACUUM")


def vacuum(db: ReactiveDatabase) -> int:
    """Gives free pages back to the file system; returns how many bytes the database shrank by."""
    before = number(db, "PRAGMA page_count")
    make_incremental(db)
    free = number(db, "PRAGMA freelist_count")
    while free:
        db.execute(f"PRAGMA incremental_vacuum({VACUUM_STEP})")
        left = number(db, "PRAGMA freelist_count")
        if left >= free:  # others free pages as fast, or nothing more can be given back
            break
        free = left
    write_back(db)
    return (before - number(db, "PRAGMA page_count")) * number(db, "PRAGMA page_size")
