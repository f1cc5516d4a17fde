"""Records of commits: what is written down, what it says when read, what several come to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reactive_sqlite import ChangeSet, ReactiveDatabase, RowChange
from reactive_sqlite.journal.records import RECORD_BYTES, decoded, encoded, folded, merged
from tests.properties.drive import fixed

ME = b"12345678"


def rows(*changes: RowChange) -> ChangeSet:
    return ChangeSet(1, {"t": changes})


@pytest.mark.parametrize(
    "change",
    [
        rows(RowChange(None, (1, None, 1.5, "é\0", b"\xff", 1 << 62), None, 1)),
        rows(RowChange((1, "a"), (1, "b"), 1, 1), RowChange((2, ""), None, 2, None)),
        ChangeSet(1, {}, frozenset({"t", "u"})),
        ChangeSet(1, schema=True),
        ChangeSet.whole(1),
        ChangeSet(1),
    ],
)
def test_a_record_says_what_was_written(change: ChangeSet) -> None:
    record = decoded(1, encoded(ME, change))
    assert (record.participant, record.change) == (ME, change)


def test_a_record_is_about_the_main_database_only() -> None:
    change = ChangeSet(
        1, {"t": (RowChange(None, (1,), None, 1),), "temp.t": ()}, frozenset({"aux.u", "v"})
    )
    told = decoded(1, encoded(ME, change)).change
    assert (set(told.rows), told.tables) == ({"t"}, {"v"})


def test_a_large_record_says_which_tables_and_a_larger_one_everything() -> None:
    large = rows(RowChange(None, ("x" * RECORD_BYTES,), None, 1))
    assert decoded(1, encoded(ME, large)).change == ChangeSet(1, {}, frozenset({"t"}))
    many = ChangeSet(1, {}, frozenset(f"table {n}" for n in range(RECORD_BYTES // 8)))
    assert decoded(1, encoded(ME, many)).change == ChangeSet.whole(1)


def test_several_commits_fold_into_their_net_effect() -> None:
    first = ChangeSet(1, {"t": (RowChange((1, 0), (1, 1), 1, 1), RowChange(None, (2, 0), None, 2))})
    second = ChangeSet(2, {"t": (RowChange((1, 1), (1, 0), 1, 1), RowChange((2, 0), (2, 5), 2, 2))})
    assert folded([first, second]).rows == {"t": (RowChange(None, (2, 5), None, 2),)}
    third = ChangeSet(3, {"t": (RowChange((2, 5), None, 2, None),)})
    assert not folded([first, second, third])


def test_rows_without_rowid_fold_into_their_table() -> None:
    one = ChangeSet(1, {"w": (RowChange(None, ("a", 1)),)})
    two = ChangeSet(2, {"w": (RowChange(("a", 1), ("a", 2)),)})
    assert folded([one, two]) == ChangeSet(2, {}, frozenset({"w"}))
    assert folded([one]) == one


def test_what_is_vague_stays_vague() -> None:
    exact = rows(RowChange(None, (1,), None, 1))
    assert folded([exact, ChangeSet.whole(2)]).everything
    assert folded([exact, ChangeSet(2, schema=True)]).everything
    assert folded([exact, ChangeSet(2, {}, frozenset({"t"}))]).tables == {"t"}
    assert merged(exact, exact).tables == {"t"}
    assert merged(exact, ChangeSet.whole(2)).everything


# -- as written, and read as its net effect ------------------------------------------------------

SCHEMA = """
CREATE TABLE p(id INTEGER PRIMARY KEY, a);
CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE r(a, u UNIQUE ON CONFLICT REPLACE);
CREATE TABLE w(k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO p VALUES (1, 'x'), (2, 'y'), (3, NULL);
INSERT INTO c VALUES (1, 1), (2, 1), (3, 2);
INSERT INTO r VALUES (1, 'u1'), (2, 'u2');
INSERT INTO w VALUES ('a', 1), ('b', 2.5);
"""
KEYS = {"p": "rowid", "c": "rowid", "r": "rowid", "w": "k COLLATE BINARY"}

numbers = st.integers(1, 4)
values = st.sampled_from(["NULL", "0", "0.0", "1", "'x'", "x'00'"])
statements = st.one_of(
    st.builds("INSERT OR REPLACE INTO p VALUES ({}, {})".format, numbers, values),
    st.builds("INSERT OR IGNORE INTO c VALUES ({}, {})".format, numbers, numbers),
    st.builds("INSERT INTO r VALUES ({}, 'u{}')".format, values, numbers),
    st.builds("REPLACE INTO w VALUES ('{}', {})".format, st.sampled_from("aAb"), values),
    st.builds("UPDATE p SET a = {} WHERE id <= {}".format, values, numbers),
    st.builds("UPDATE OR IGNORE p SET id = {} WHERE id = {}".format, numbers, numbers),
    st.builds("UPDATE OR REPLACE r SET rowid = {} WHERE rowid = {}".format, numbers, numbers),
    st.builds("UPDATE w SET v = {}".format, values),
    st.builds("DELETE FROM {} WHERE rowid = {}".format, st.sampled_from("pcr"), numbers),
    st.sampled_from(["SAVEPOINT s", "ROLLBACK TO s", "CREATE TEMP TABLE IF NOT EXISTS x(y)"]),
    st.just(
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70) "
        "INSERT OR REPLACE INTO p SELECT i, 0 FROM n"
    ),
)


@contextmanager
def opened(folder: str, *, watched: bool) -> Iterator[tuple[apsw.Connection, ReactiveDatabase]]:
    """A plain connection to a file, and ours, which writes down what it commits there."""
    with ReactiveDatabase(Path(folder) / "some.db", journal=True) as db:
        db.executescript(SCHEMA)
        queries = [db.query(f"SELECT * FROM {table}") for table in KEYS if watched]
        subscriptions = [query.subscribe() for query in queries]
        yield apsw.Connection(str(Path(folder) / "some.db")), db
        for subscription in subscriptions:
            subscription.dispose()


def dump(raw: apsw.Connection) -> dict[str, dict[Any, Any]]:
    """Every row by its key, with the types of its values."""
    return {
        table: {repr(row[0]): repr(row[1:]) for row in raw.execute(f"SELECT {key}, * FROM {table}")}
        for table, key in KEYS.items()
    }


@fixed(60)
@example([["UPDATE p SET a = 'z'", "UPDATE p SET a = 'x' WHERE id = 1"]], True)
@example([["DELETE FROM p WHERE id = 1", "INSERT OR REPLACE INTO p VALUES (1, 'x')"]], False)
@example([["UPDATE OR IGNORE p SET id = 4 WHERE id = 3"], ["UPDATE w SET v = v"]], False)
@given(st.lists(st.lists(statements, min_size=1, max_size=5), max_size=6), st.booleans())
def test_a_record_is_the_difference_that_a_commit_made(
    commits: list[list[str]], watched: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(folder, watched=watched) as both:
        raw, db = both
        version = db.changes_since().version
        for commit in commits:
            before = dump(raw)
            with db.transaction():
                for sql in commit:
                    if sql != "ROLLBACK TO s" or "SAVEPOINT s" in commit[: commit.index(sql)]:
                        with suppress(apsw.ConstraintError):
                            db.execute(sql)
            after = dump(raw)
            since = db.changes_since(version)
            version = since.version
            assert not since.start_over
            told = {key: rows for change in since.changes for key, rows in change.rows.items()}
            for table, key in KEYS.items():
                if any(table in change.tables for change in since.changes):
                    continue  # told as a whole
                changed = {
                    at
                    for at in before[table].keys() | after[table].keys()
                    if before[table].get(at) != after[table].get(at)
                }
                known = {}
                for row in told.get(table, ()):
                    at = repr((row.old or row.new or ())[0])
                    if key == "rowid":
                        at = repr(row.old_rowid if row.new is None else row.new_rowid)
                    assert at not in known
                    known[at] = row
                assert known.keys() == changed
                for at, row in known.items():
                    assert repr(row.old) == before[table].get(at, "None")
                    assert repr(row.new) == after[table].get(at, "None")
