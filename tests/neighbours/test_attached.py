"""Files that are attached: what other processes commit to them is seen, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.neighbours import Neighbours
from reactive_sqlite.testing import Emissions
from tests.neighbours.processes import participant, stranger, until, watchers

SCHEMA = "CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 0)"


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a database from here on looks only by its own commits, and `look`."""
    monkeypatch.setattr(Neighbours, "_glance", lambda self: True)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(tmp_path / "other.db") as other:
        other.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 0)"
        )
    with ReactiveDatabase(tmp_path / "main.db") as db:
        db.executescript(SCHEMA.replace(" t", " m"))
        yield db


def attach(db: ReactiveDatabase, tmp_path: Path) -> None:
    db.execute("ATTACH ? AS aux", (str(tmp_path / "other.db"),))


X = "SELECT x FROM aux.t WHERE id = 1"


@pytest.mark.parametrize("other", [participant, stranger])
@pytest.mark.parametrize("first", ["attached", "subscribed"])
def test_a_commit_to_an_attached_file_is_seen(
    db: ReactiveDatabase, tmp_path: Path, other: type[participant], first: str
) -> None:
    mine = Emissions(db.query_value("SELECT x FROM m"))
    with mine if first == "subscribed" else Emissions(db.query_value("SELECT 1")):
        attach(db, tmp_path)
        with Emissions(db.query_value(X)) as seen, other(tmp_path / "other.db") as writer:
            for n in range(1, 4):
                writer.runs(f"UPDATE t SET x = {n}")
                until(lambda n=n: seen.last == n)
            db.execute("UPDATE aux.t SET x = 10")
            assert seen.last == 10
            writer.runs("UPDATE t SET x = x + 1")
            until(lambda: seen.last == 11)
    assert seen.values == [0, 1, 2, 3, 10, 11]


def test_an_own_commit_shows_theirs_at_the_latest(db: ReactiveDatabase, tmp_path: Path) -> None:
    attach(db, tmp_path)
    both = db.query("SELECT m.x, t.x FROM main.m, aux.t")
    with Emissions(both) as seen, participant(tmp_path / "other.db") as writer:
        for n in range(1, 20):
            writer.runs(f"UPDATE t SET x = {n}")
            db.execute("UPDATE main.m SET x = ?", (n,))
            assert tuple(seen.last[0]) == (n, n)


def test_a_change_of_its_schema_is_seen(db: ReactiveDatabase, tmp_path: Path) -> None:
    attach(db, tmp_path)
    with Emissions(db.query("SELECT * FROM aux.t")) as seen:
        with participant(tmp_path / "other.db") as writer:
            writer.runs("ALTER TABLE t ADD COLUMN y DEFAULT 'new'")
            until(lambda: [tuple(row) for row in seen.last] == [(1, 0, "new")])
            writer.runs("UPDATE t SET y = 'newer'")
            until(lambda: seen.last[0]["y"] == "newer")


def test_an_own_commit_is_not_judged_by_columns_that_others_have_moved_there(
    no_looks: None, db: ReactiveDatabase, tmp_path: Path
) -> None:
    """It does not wait for the next look, which the watcher makes a moment later."""
    attach(db, tmp_path)
    db.execute("CREATE TABLE aux.w(id INTEGER PRIMARY KEY, a, b, c)")
    db.execute("INSERT INTO aux.w VALUES (1, 0, 2, 3)")
    with (
        Emissions(db.query_value("SELECT count(*) FROM aux.w WHERE b = 1")) as seen,
        stranger(tmp_path / "other.db") as writer,
    ):
        db.look()
        writer.runs("ALTER TABLE w DROP COLUMN a")
        db.execute("UPDATE aux.w SET b = 1")
        assert seen.values == [0, 1]
        runs = db.stats.refetched
        writer.runs("UPDATE t SET x = 5")
        db.execute("UPDATE aux.t SET x = 6")
        assert db.stats.refetched == runs, "the columns are where they were"


@pytest.mark.parametrize("other", [participant, stranger])
def test_a_table_that_takes_the_name_of_an_attached_one_is_read(
    db: ReactiveDatabase, tmp_path: Path, other: type[participant]
) -> None:
    """SQLite would not prepare the query anew, which was about another file."""
    attach(db, tmp_path)
    with (
        Emissions(db.query("SELECT * FROM t")) as seen,
        other(tmp_path / "main.db") as writer,
    ):
        writer.runs("CREATE TABLE t AS SELECT 'mine' AS x")
        until(lambda: [tuple(row) for row in seen.last] == [("mine",)])
        writer.runs("UPDATE t SET x = 'newer'")
        until(lambda: [tuple(row) for row in seen.last] == [("newer",)])
        writer.runs("DROP TABLE t")
        until(lambda: [tuple(row) for row in seen.last] == [(1, 0)])


def test_another_file_under_the_same_name(db: ReactiveDatabase, tmp_path: Path) -> None:
    attach(db, tmp_path)
    with ReactiveDatabase(tmp_path / "third.db") as third:
        third.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 7)"
        )
    with Emissions(db.query_value("SELECT x FROM m")):
        before = len(watchers())
        db.execute("DETACH aux")
        until(lambda: len(watchers()) == before - 1)
        db.execute("ATTACH ? AS aux", (str(tmp_path / "third.db"),))
        with Emissions(db.query_value(X)) as seen, stranger(tmp_path / "third.db") as writer:
            writer.runs("UPDATE t SET x = 8")
            until(lambda: seen.last == 8)
    until(lambda: not watchers())


def test_the_main_file_under_a_second_name(db: ReactiveDatabase, tmp_path: Path) -> None:
    db.execute("ATTACH ? AS aux", (str(tmp_path / "main.db"),))
    with Emissions(db.query_value("SELECT x FROM aux.m")) as seen:
        with participant(tmp_path / "main.db") as writer:
            writer.runs("UPDATE m SET x = 1")
            until(lambda: seen.last == 1)
    until(lambda: not watchers())


def test_what_is_not_touched_there_is_not_asked(db: ReactiveDatabase, tmp_path: Path) -> None:
    attach(db, tmp_path)
    with Emissions(db.query_value(X)) as seen, participant(tmp_path / "main.db") as writer:
        db.look()
        before = db.stats
        for n in range(5):
            writer.runs(f"UPDATE m SET x = {n + 1}")
            db.look()
        after = db.stats
        assert after.commits - before.commits == 5
        assert (after.queries, after.maintained) == (before.queries, before.maintained)
    assert seen.values == [0]
