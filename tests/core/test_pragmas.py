"""PRAGMAs: analysing one changes nothing, running one does what it does in plain SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from reactive_sqlite import NotAQuery, ReactiveDatabase, ReactiveSqliteError

# All that the engine knows of, but what is about the whole process or takes the file away, and
# what lists something, or looks through it.
_ELSEWHERE = {"temp_store_directory", "soft_heap_limit", "hard_heap_limit", "locking_mode"}
_LISTING = ("_list", "_info", "_xinfo", "_check", "_options")
_PLAIN = apsw.Connection(":memory:")
_NAMES = [
    name
    for (name,) in _PLAIN.execute("PRAGMA pragma_list")
    if name not in _ELSEWHERE and (name == "cell_size_check" or not name.endswith(_LISTING))
]
# Those that say one thing when they are asked; LIKE has to be tried.
_ACTING = {"incremental_vacuum", "optimize", "shrink_memory", "wal_checkpoint"}
_TELLING = [
    name
    for name in _NAMES
    if name not in _ACTING and [len(row) for row in _PLAIN.execute(f"PRAGMA {name}")] == [1]
]
_LIKE = "SELECT 'a' LIKE 'A'"
_VALUES = (0, 1, 2, 7000)


def _settings(db: ReactiveDatabase) -> dict[str, Any]:
    """What each PRAGMA says of the writing connection, and some of one that reads."""
    said: dict[str, Any] = {name: db.execute(f"PRAGMA {name}").rows for name in _TELLING}
    for name in ("foreign_keys", "recursive_triggers", "cache_size", "query_only"):
        said[f"reading {name}"] = db.query(f"SELECT * FROM pragma_{name}").get()
    said["LIKE"], said["reading LIKE"] = db.execute(_LIKE).rows, db.query(_LIKE).get()
    return said


@pytest.fixture(params=["memory", "file"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    path = tmp_path / "app.db" if request.param == "file" else ":memory:"
    with ReactiveDatabase(path) as opened:
        opened.executescript(
            "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
            "CREATE TABLE child(p REFERENCES parent, x CHECK (x > 0))"
        )
        yield opened


@pytest.mark.parametrize("name", _NAMES)
def test_analysing_changes_nothing(db: ReactiveDatabase, name: str) -> None:
    before = _settings(db)
    for value in _VALUES:
        for pragma in (f"PRAGMA {name}={value}", f"PRAGMA main.{name}({value})"):
            db.analyze(pragma)
            assert db.analyze(pragma).kind.name == "PRAGMA"
            with pytest.raises(NotAQuery):
                db.query(pragma)
            with pytest.raises(NotAQuery):
                db.query(f"EXPLAIN {pragma}")
            with pytest.raises(ReactiveSqliteError, match="one statement at a time"):
                db.execute(f"SELECT 1; {pragma}")
            assert _settings(db) == before, pragma


def _with_names(cursor: apsw.Cursor, row: tuple[Any, ...]) -> Any:
    return dict(zip((column[0] for column in cursor.get_description()), row, strict=True))


def _plainly(plain: apsw.Connection, sql: str) -> Any:
    cursor = plain.cursor()
    cursor.row_trace = _with_names
    try:
        return list(cursor.execute(sql))
    except apsw.Error as error:
        return type(error)


def _here(db: ReactiveDatabase, sql: str) -> Any:
    try:
        return [row.as_dict() for row in db.execute(sql).rows]
    except apsw.Error as error:
        return type(error)


@pytest.mark.parametrize("name", _NAMES)
def test_running_does_what_it_does_in_plain_sqlite(name: str) -> None:
    """What is returned, under which names, and what it says afterwards: each value twice."""
    plain = apsw.Connection(":memory:")
    with ReactiveDatabase(busy_timeout=0) as db:
        for value in (*_VALUES, *_VALUES):
            for sql in (
                f"EXPLAIN PRAGMA {name}={value}",
                f"PRAGMA {name}={value}",
                f"PRAGMA main.{name}({value})",
                f"PRAGMA {name}",
                _LIKE,
            ):
                assert _here(db, sql) == _plainly(plain, sql), sql


def test_what_a_hook_of_ours_stands_for_is_told() -> None:
    """SQLite's own numbers are 0 while others do its work."""
    with ReactiveDatabase(busy_timeout=2.5) as db:
        assert db.execute("PRAGMA busy_timeout").rows == ((2500,),)
        assert db.execute("PRAGMA wal_autocheckpoint").rows == ((1000,),)
        assert db.execute("PRAGMA busy_timeout=700").rows == ((700,),)
        assert db.execute("PRAGMA wal_autocheckpoint=50").rows == ((50,),)
        assert db.execute("PRAGMA busy_timeout").rows[0].as_dict() == {"timeout": 700}
        asked = db.execute("PRAGMA wal_autocheckpoint").rows[0]
        assert asked.as_dict() == {"wal_autocheckpoint": 50}
