"""What is followed, what is asked again, and what stays untouched: counted, never timed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from reactive_sqlite import Delta, ReactiveDatabase


@pytest.fixture
def db() -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(maintain="always") as made:
        made.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, g TEXT, n INTEGER, x);"
            "CREATE TABLE o(id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE VIEW odd AS SELECT id, n AS k, g FROM t WHERE id % 2;"
            "CREATE VIEW named(a, b) AS SELECT id, n FROM t"
        )
        made.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?)", [(k, f"g{k % 3}", k, None) for k in range(1, 101)]
        )
        made.executemany("INSERT INTO o VALUES (?, ?)", [(k, f"o{k}") for k in range(1, 11)])
        yield made


FOLLOWED = (
    "SELECT * FROM t",
    "SELECT id, n FROM t WHERE n > 3 ORDER BY n DESC, id",
    "SELECT id FROM t ORDER BY n LIMIT 5",
    "SELECT DISTINCT n FROM t ORDER BY n",
    "SELECT g, count(*), sum(n), avg(n) FROM t GROUP BY g",
    "SELECT n % 50 AS rest, count(*) FROM t GROUP BY rest ORDER BY rest",
    "SELECT t.n % 50 AS rest, count(*) FROM t JOIN o ON o.id = t.g + t.n GROUP BY rest",
    "SELECT count(*) FROM t WHERE n > 3",
    "SELECT g, max(n) FROM t GROUP BY g HAVING max(n) > 5 ORDER BY 2 DESC",
    "SELECT t.id, o.name FROM t JOIN o ON o.id = t.n ORDER BY t.id",
    "SELECT t.id, o.name FROM t LEFT JOIN o ON o.id = t.n ORDER BY t.id",
    "SELECT count(*), o.name FROM t JOIN o ON o.id = t.n GROUP BY o.id",
    "SELECT o.id, count(t.id), max(t.x), count(DISTINCT t.g) FROM o LEFT JOIN t ON o.id = t.n"
    " GROUP BY o.id ORDER BY 2 DESC, o.id LIMIT 4",
    "SELECT count(DISTINCT n), max(n) FROM t",
    "SELECT DISTINCT n FROM t",
    "SELECT DISTINCT g, n % 50 FROM t ORDER BY g",
    "SELECT * FROM odd ORDER BY id",
    "SELECT k FROM odd AS q WHERE k > 3 ORDER BY k LIMIT 4",
    "WITH c AS (SELECT id, n FROM t WHERE n) SELECT n, id FROM c ORDER BY n DESC, id",
    "SELECT y.n FROM (SELECT n, id AS k FROM (SELECT * FROM t)) AS y ORDER BY k",
    "SELECT g, count(k) FROM odd GROUP BY g",
)
REFUSED = (
    "SELECT id FROM t WHERE n > (SELECT avg(n) FROM t)",
    "SELECT id, row_number() OVER (ORDER BY n) FROM t",
    "SELECT id FROM t UNION ALL SELECT id FROM o ORDER BY 1",
    "WITH c AS (SELECT id FROM t LIMIT 50) SELECT id FROM c ORDER BY id",
    "WITH c AS MATERIALIZED (SELECT id, n FROM t) SELECT id, n FROM c ORDER BY id",
    "WITH c(k, n) AS (SELECT id, n FROM t) SELECT k, n FROM c ORDER BY k",
    "WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 9) SELECT c.n, t.n"
    " FROM c JOIN t ON t.id = c.n",
    "WITH c AS (SELECT id, n FROM o), o AS (SELECT id, n FROM t) SELECT id, n FROM c ORDER BY id",
    "SELECT id, n FROM (SELECT id, n FROM t UNION ALL SELECT id, n FROM t) ORDER BY id",
    "SELECT id, m FROM (SELECT id, max(n) AS m FROM t) ORDER BY id",
    "SELECT id FROM (SELECT DISTINCT id, n FROM t) ORDER BY n, id",
    "SELECT b.id, b.n FROM (SELECT t.id, t.n, o.name FROM t, o) AS b WHERE name > 1 ORDER BY b.id",
    "SELECT id, 2 FROM (SELECT id, n + 1 FROM t) ORDER BY id",
    "SELECT named.a FROM named ORDER BY named.a",
    "SELECT DISTINCT g FROM odd",
    "SELECT DISTINCT g, n FROM t ORDER BY g LIMIT 3",
    "SELECT g, group_concat(n) FROM t GROUP BY g",
    "SELECT g, n, max(id) FROM t GROUP BY g",
    "SELECT n AS g, count(*) FROM t GROUP BY g",  # by the column of the table
    "SELECT n AS y, g AS y, count(*) FROM t GROUP BY y",
    "SELECT id, random() FROM t ORDER BY id",
    "SELECT count(*), t.g FROM t JOIN o ON o.id = t.n GROUP BY o.id",
    "SELECT count(*), sum(t.n + 0.5) FROM t JOIN o ON o.id = t.n",
    "SELECT t.id FROM t LEFT JOIN o ON o.id = t.n WHERE o.id IS NULL ORDER BY t.id",
    "SELECT t.id, o.id FROM o JOIN t USING (id) ORDER BY 1",
    "SELECT g FROM t ORDER BY g COLLATE NOCASE || 'x'",
)


#: Parameters stand where they are no part of what is asked of the changed rows.
WITH_PARAMETERS = (
    ("SELECT g, sum(n) FROM t GROUP BY g HAVING count(*) > ?", (5,)),
    ("SELECT g, max(n) FROM t GROUP BY g ORDER BY g LIMIT :most", {"most": 2}),
    ("SELECT sum(n) + ?2, max(n) FROM t WHERE n < ?1", (500, 3)),
    ("SELECT DISTINCT n FROM t ORDER BY n LIMIT ? OFFSET ?", (4, 1)),
    ("SELECT count(DISTINCT n) * ? FROM t", (2,)),
    ("SELECT g, count(*) FROM t JOIN o ON o.id > t.n GROUP BY g HAVING count(*) > ?", (1,)),
    ("SELECT id, n FROM t WHERE n > ? ORDER BY n, id LIMIT ? OFFSET ?", (3, 5, 1)),
)


@pytest.mark.parametrize(("sql", "params"), [*((sql, ()) for sql in FOLLOWED), *WITH_PARAMETERS])
def test_followed_without_running_the_query(db: ReactiveDatabase, sql: str, params: Any) -> None:
    values: list[Any] = []
    db.query(sql, params).subscribe(values.append)
    db.execute("UPDATE t SET n = 7 WHERE id = 5")
    before = db.stats
    for key in (5, 8, 13):
        db.execute("UPDATE t SET n = n + 1 WHERE id = ?", (key,))
    assert db.stats.maintained - before.maintained == 3
    assert db.stats.refetched == before.refetched
    assert values[-1] == db.execute(sql, params).rows


@pytest.mark.parametrize("sql", REFUSED)
def test_not_followed_when_in_doubt(db: ReactiveDatabase, sql: str) -> None:
    values: list[object] = []
    db.query(sql).subscribe(values.append)
    for key in (5, 8, 13):
        db.execute("UPDATE t SET n = n + 1, g = 'new' WHERE id = ?", (key,))
    assert db.stats.maintained == 0
    if "random" not in sql:
        assert values[-1] == db.query(sql).get()


def test_never_means_never() -> None:
    with ReactiveDatabase(maintain="never") as db:
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (1);")
        db.query("SELECT x FROM t").subscribe(lambda _: None)
        for _ in range(3):
            db.execute("UPDATE t SET x = x + 1")
        assert db.stats.maintained == 0
        assert db.stats.refetched == 3


@pytest.mark.parametrize(("seconds", "followed"), [(0.00001, 0), (0.0001, 18), (0.1, 19)])
def test_what_a_query_costs_decides(
    monkeypatch: pytest.MonkeyPatch, seconds: float, followed: int
) -> None:
    """Cheap ones are run again; dear ones are followed, once it is clear that they are dear."""
    clock = count()
    monkeypatch.setattr(
        "reactive_sqlite.liveness.sources.thread_time", lambda: next(clock) * seconds
    )
    # Following costs nothing, or a busy machine would have a say.
    monkeypatch.setattr("reactive_sqlite.liveness.incremental.following.thread_time", lambda: 0.0)
    with ReactiveDatabase() as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 1);")
        db.query("SELECT x FROM t").subscribe(lambda _: None)
        for _ in range(20):
            db.execute("UPDATE t SET x = x + 1")
        assert db.stats.maintained == followed
        assert db.stats.refetched == 20 - followed


def test_what_following_costs_decides_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that is dearer to follow than to run again is left, until running it is dear."""
    seconds = {"liveness.sources": 0.0004, "liveness.incremental.following": 0.001}
    clocks = dict.fromkeys(seconds, 0.0)

    def clock(module: str) -> float:
        clocks[module] += seconds[module]
        return clocks[module]

    for module in seconds:
        name = f"reactive_sqlite.{module}.thread_time"
        monkeypatch.setattr(name, lambda m=module: clock(m))
    with ReactiveDatabase() as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 1);")
        values: list[object] = []
        db.query("SELECT x FROM t").subscribe(values.append)

        def followed(commits: int) -> int:
            before = db.stats.maintained
            for _ in range(commits):
                db.execute("UPDATE t SET x = x + 1")
            assert values[-1] == db.query("SELECT x FROM t").get()
            return db.stats.maintained - before

        assert followed(30) == 9
        assert followed(30) == 0
        seconds["liveness.sources"] = 0.002
        assert 8 <= followed(30) <= 24  # once it has been timed again
        assert followed(30) == 30


def test_always_follows_whatever_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count()
    monkeypatch.setattr(
        "reactive_sqlite.liveness.incremental.following.thread_time", lambda: next(clock)
    )
    with ReactiveDatabase(maintain="always") as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 1);")
        db.query("SELECT x FROM t").subscribe(lambda _: None)
        for _ in range(30):
            db.execute("UPDATE t SET x = x + 1")
        assert db.stats.maintained == 29


def test_another_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="auto, always, never"):
        ReactiveDatabase(maintain="sometimes")  # type: ignore[arg-type]


def test_a_bulk_statement_is_not_followed(db: ReactiveDatabase) -> None:
    values: list[object] = []
    db.query("SELECT id, n FROM t ORDER BY n, id").subscribe(values.append)
    db.execute("UPDATE t SET n = 7 WHERE id = 1")
    db.executemany("INSERT INTO t(id, n) VALUES (?, ?)", [(k, k) for k in range(1000, 1500)])
    assert db.stats.maintained == 0
    assert db.stats.refetched == 2
    assert values[-1] == db.query("SELECT id, n FROM t ORDER BY n, id").get()


def test_nothing_is_delivered_for_what_is_not_seen(db: ReactiveDatabase) -> None:
    values: list[object] = []
    db.query("SELECT id FROM t ORDER BY n LIMIT 5").subscribe(values.append)
    db.execute("UPDATE t SET n = -1 WHERE id = 3")
    seen = len(values)
    db.execute("UPDATE t SET n = 1000 WHERE id = 90")
    assert len(values) == seen
    assert db.stats.unchanged == 1


def test_what_lies_behind_the_rows_that_are_kept_wakes_nobody(db: ReactiveDatabase) -> None:
    rows = [(k, k) for k in range(1000, 1500)]
    db.executemany("INSERT INTO t(id, n) VALUES (?, ?)", rows)
    db.query("SELECT id, n FROM t ORDER BY n, id LIMIT 5").subscribe(lambda _: None)
    for n in (3000, 3001):
        db.execute("UPDATE t SET n = ? WHERE id = 3", (n,))
    before = db.stats
    db.execute("UPDATE t SET n = n + 1 WHERE id = 1400")
    assert db.stats.skipped == before.skipped + 1
    db.execute("UPDATE t SET n = n + 1 WHERE id = 20")
    assert db.stats.maintained == before.maintained + 1


def test_unchanged_rows_keep_their_identity(db: ReactiveDatabase) -> None:
    values: list[tuple[object, ...]] = []
    db.query("SELECT id, n FROM t ORDER BY n, id").subscribe(values.append)
    for key in (4, 9):
        db.execute("UPDATE t SET n = -n WHERE id = ?", (key,))
    before = {id(row) for row in values[-2]}
    assert sum(id(row) in before for row in values[-1]) == 99


def test_a_moved_row_is_an_update_with_its_places(db: ReactiveDatabase) -> None:
    deltas: list[Delta] = []
    db.query("SELECT id, n FROM t ORDER BY n, id").changes().subscribe(deltas.append)
    db.execute("UPDATE t SET n = 1 WHERE id = 1000")
    db.execute("UPDATE t SET n = 50 WHERE id = 50 AND x")
    for n in (0, 200):
        db.execute("UPDATE t SET n = ? WHERE id = 50", (n,))
    last = deltas[-1]
    assert last.updated == (((50, 0), (50, 200)),)
    assert last.added == last.removed == ()
    assert last.taken == (0,)
    assert last.placed == ((99, (50, 200)),)


def test_a_row_that_only_moves_is_in_none_of_the_three(db: ReactiveDatabase) -> None:
    deltas: list[Delta] = []
    db.query("SELECT id FROM t ORDER BY n, id").changes().subscribe(deltas.append)
    for n in (0, 200):
        db.execute("UPDATE t SET n = ? WHERE id = 50", (n,))
    last = deltas[-1]
    assert last.added == last.removed == last.updated == ()
    assert last
    assert last.taken == (0,)
    assert last.placed == ((99, (50,)),)


@pytest.mark.parametrize(
    ("sql", "write"),
    [
        ("SELECT id FROM t ORDER BY n, id", "UPDATE t SET n = 0.5 WHERE id = 1"),
        ("SELECT 'same' FROM t ORDER BY n", "UPDATE t SET n = 55.5 WHERE id = 1"),
        ("SELECT id FROM t ORDER BY n, id LIMIT 3", "UPDATE t SET n = 0.5 WHERE id = 1"),
        (
            "SELECT t.id, o.name FROM t LEFT JOIN o ON o.id = t.x ORDER BY t.id",
            "INSERT INTO o VALUES (77, NULL)",
        ),
        (
            "SELECT g, max(n) > 5 FROM t GROUP BY g ORDER BY sum(n)",
            "UPDATE t SET n = n - 1 WHERE id = 60",
        ),
    ],
    ids=["key", "like another", "window", "partner", "groups"],
)
def test_what_looks_the_same_is_not_delivered(db: ReactiveDatabase, sql: str, write: str) -> None:
    db.execute("UPDATE t SET x = 77 WHERE id = 9")
    values: list[object] = []
    deltas: list[Delta] = []
    db.query(sql).subscribe(values.append)
    db.query(sql).changes().subscribe(deltas.append)
    # The first commit that touches it has it followed.
    db.execute("UPDATE t SET n = 1.5, g = 'g2', x = 5 WHERE id = 2")
    seen, before = (len(values), len(deltas)), db.stats
    db.execute(write)
    assert (len(values), len(deltas)) == seen
    assert db.stats.unchanged == before.unchanged + 1
    assert db.stats.maintained == before.maintained + 1
    assert values[-1] == db.query(sql).get()


def test_one_value_of_an_aggregate_is_followed(db: ReactiveDatabase) -> None:
    values: list[object] = []
    db.query_value("SELECT sum(n), count(*) FROM t WHERE n > 10").subscribe(values.append)
    for n in (500, 1000, 1000):
        db.execute("UPDATE t SET n = ? WHERE id = 50", (n,))
    db.execute("INSERT INTO t(n) VALUES (20)")
    assert values == [4995, 5445, 5945, 5965]
    assert db.stats.maintained == 2


def test_a_sum_that_overflows_fails_as_a_fresh_run_does(db: ReactiveDatabase) -> None:
    errors: list[Exception | None] = []
    db.query("SELECT g, sum(n) FROM t GROUP BY g").states().subscribe(
        lambda state: errors.append(state.error)
    )
    db.execute("UPDATE t SET n = 5 WHERE id = 1")
    db.execute("UPDATE t SET n = 9223372036854775807 WHERE id = 1")
    assert "overflow" in str(errors[-1])
    db.execute("UPDATE t SET n = 6 WHERE id = 1")
    assert errors[-1] is None


def test_a_changed_schema_ends_the_following(db: ReactiveDatabase) -> None:
    values: list[tuple[object, ...]] = []
    db.query("SELECT * FROM t ORDER BY id LIMIT 1").subscribe(values.append)
    db.execute("UPDATE t SET n = 5 WHERE id = 1")
    db.execute("UPDATE t SET n = 6 WHERE id = 1")
    db.execute("ALTER TABLE t ADD COLUMN y DEFAULT 'new'")
    db.execute("UPDATE t SET n = 7 WHERE id = 1")
    assert tuple(values[-1][0]) == (1, "g1", 7, None, "new")


def test_a_rollback_leaves_no_trace(db: ReactiveDatabase) -> None:
    values: list[object] = []
    db.query("SELECT id, n FROM t ORDER BY n, id").subscribe(values.append)
    db.execute("UPDATE t SET n = 5 WHERE id = 1")
    seen = len(values)
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute("UPDATE t SET n = 500 WHERE id = 1")
        raise ZeroDivisionError
    assert len(values) == seen
    db.execute("UPDATE t SET n = 6 WHERE id = 2")
    assert values[-1] == db.query("SELECT id, n FROM t ORDER BY n, id").get()
    assert db.stats.refetched == 1


def test_an_old_value_can_be_had_after_later_commits(db: ReactiveDatabase) -> None:
    """A state is a value: what is built late is what it was, not what is."""
    states: list[object] = []
    query = db.query("SELECT id, n FROM t ORDER BY n, id")
    query.changes().subscribe(lambda _: None)
    late: list[tuple[object, ...]] = []
    db.execute("UPDATE t SET n = 5 WHERE id = 1")
    db.execute("UPDATE t SET n = 6 WHERE id = 1")
    query.subscribe(late.append)
    db.execute("UPDATE t SET n = 7 WHERE id = 1")
    assert (1, 6) in late[0]
    assert (1, 7) in late[1]
    assert not states


def test_a_window_over_a_left_join_is_followed(db: ReactiveDatabase) -> None:
    sql = "SELECT t.id, o.name FROM t LEFT JOIN o ON o.id = t.n ORDER BY t.n DESC, t.id LIMIT 95"
    values: list[object] = []
    db.query(sql).subscribe(values.append)
    for write in (
        "UPDATE t SET n = n + 1 WHERE id = 50",
        "DELETE FROM o WHERE id = 7",
        "INSERT INTO o VALUES (7, 'again')",
        "UPDATE o SET name = 'other' WHERE id = 8",
        "UPDATE t SET n = 200 WHERE id = 1",
    ):
        db.execute(write)
        assert values[-1] == tuple(db.execute(sql).rows)
    assert (db.stats.refetched, db.stats.maintained) == (1, 4)


@pytest.mark.parametrize("maintain", ["always", "never"])
def test_rows_of_a_text_key_are_updated_however_it_was_found_out(maintain: Any) -> None:
    deltas: list[Delta] = []
    with ReactiveDatabase(maintain=maintain) as db:
        db.execute("CREATE TABLE k(name TEXT PRIMARY KEY, n, length)")
        db.executemany("INSERT INTO k VALUES (?, 1, 2)", [("a",), ("b",), ("c",)])
        db.query("SELECT name, n FROM k ORDER BY n, name").changes().subscribe(deltas.append)
        db.execute("UPDATE k SET n = 2 WHERE name = 'a'")
        db.execute("UPDATE k SET n = 3 WHERE name = 'a'")
        db.execute("UPDATE k SET name = 'd' WHERE name = 'b'")
    assert [delta.updated for delta in deltas[1:3]] == [
        ((("a", 1), ("a", 2)),),
        ((("a", 2), ("a", 3)),),
    ]
