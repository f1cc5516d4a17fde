"""Rows patched in place: what a fresh run gives, and without one.

The oracle is a plain engine beside, which runs the same statements.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given

from reactive_sqlite import ReactiveDatabase, Trace
from reactive_sqlite.liveness.incremental import decisive, patch
from reactive_sqlite.liveness.incremental.patch import patch_of
from reactive_sqlite.liveness.live import LiveStore
from reactive_sqlite.liveness.sources import StatementSource
from reactive_sqlite.testing import Emissions
from reactive_sqlite.understanding.analysis.shape import Shape
from tests.properties.drive import SEEDS, fixed

from .table import Twins, Watched
from .values import ODD, PLAIN, exact

COLUMNS = ("owner", "title", "n", "x", "m")
SCHEMA = """
CREATE TABLE t(
    id INTEGER PRIMARY KEY, owner INTEGER, title TEXT COLLATE NOCASE, n REAL, x, m NUMERIC,
    s GENERATED ALWAYS AS (owner || title) STORED
);
CREATE TABLE log(id INTEGER PRIMARY KEY, n);
"""
EXTRAS = (
    "CREATE INDEX i_owner ON t(owner)",
    "CREATE INDEX i_x ON t(x DESC)",
    "CREATE INDEX i_title ON t(title, n)",
    "CREATE UNIQUE INDEX i_both ON t(owner, id)",
    "CREATE INDEX i_covering ON t(owner, x, n, title, m)",
    "CREATE INDEX i_partial ON t(x) WHERE owner = 2",
    "CREATE INDEX i_not_null ON t(m) WHERE x IS NOT NULL",
    "CREATE INDEX i_expression ON t(length(title))",
    "CREATE TRIGGER others AFTER UPDATE OF x ON t WHEN new.id < 4 BEGIN"
    " UPDATE t SET m = new.x, n = n + 1 WHERE id = new.id + 3; END",
    "CREATE TRIGGER logged AFTER UPDATE ON t BEGIN INSERT INTO log(n) VALUES (new.id); END",
    "ALTER TABLE t ADD COLUMN late REAL DEFAULT 7",
)
QUERIES = (
    "SELECT id, {a}, {b} FROM t",
    "SELECT * FROM t WHERE owner = 2",
    "SELECT * FROM t WHERE {a} IS NOT NULL ORDER BY {b} {d}",
    "SELECT id, {a} FROM t WHERE owner = 2 ORDER BY {b} {d} LIMIT 3",
    "SELECT {a}, rowid AS k, {b} AS shown FROM t ORDER BY shown {d}, id LIMIT 4 OFFSET 1",
    "SELECT id, {a} FROM t WHERE {b} > 1 AND owner IN (1, 2) ORDER BY id {d}",
    "SELECT u.id, u.{a}, u.{b} AS n FROM t AS u WHERE [n] > 0 OR u.'x' = 'a' ORDER BY 2, 1",
    "SELECT id, title, s FROM t WHERE s LIKE '%a%' ORDER BY s COLLATE NOCASE",
    "SELECT {a} AS x, id, x AS {a} FROM t WHERE abs({b}) >= 0 ORDER BY x {d} LIMIT 5",
    "SELECT id, {a} FROM t ORDER BY length({b}), title NULLS LAST LIMIT 6",
    "SELECT oid, {a}, n FROM t WHERE m BETWEEN -2 AND 'b' ORDER BY owner LIMIT -1",
)


class Side(Twins):
    """The database, a plain engine that runs the same, and the live queries."""

    def __init__(self, db: ReactiveDatabase, random: Random) -> None:
        super().__init__(db, random)
        # No text that is not UTF-8: a stored column would be one that cannot be read.
        odd = tuple(value for value in ODD if value != b"\xff")
        self.values = random.choice((odd, PLAIN, (0.0, 1, 1.0, "1", "a", "A", 2**53, 1e18)))

    def script(self, sql: str) -> None:
        self.twin.execute(sql)
        self.db.executescript(sql)

    def watch(self) -> None:
        pick = self.random.choice
        sql = pick(QUERIES).format(a=pick(COLUMNS), b=pick(COLUMNS), d=pick(("", "DESC")))
        self.watched.append(Watched(self.db, sql))

    def write(self) -> None:
        pick, choice = self.random.choice, self.random.random()
        value, key, owner = pick(self.values), self.random.randint(1, 12), pick((1, 2, 2, 3, None))
        if choice < 0.6:
            self.execute(f"UPDATE t SET {pick(COLUMNS)} = ? WHERE id = ?", (value, key))
        elif choice < 0.7:
            few = (value, pick(self.values), owner)
            self.execute(f"UPDATE t SET {pick(COLUMNS)} = ?, x = ? WHERE owner IS ?", few)
        elif choice < 0.85:
            row = (key, owner, *(pick(self.values) for _ in range(4)))
            self.execute("REPLACE INTO t(id, owner, title, n, x, m) VALUES (?, ?, ?, ?, ?, ?)", row)
        elif choice < 0.9:
            other = self.random.randint(1, 12)
            self.execute("UPDATE OR REPLACE t SET id = ? WHERE id = ?", (other, key))
        elif choice < 0.95:
            self.execute("DELETE FROM t WHERE id = ?", (key,))
        else:
            self.execute("UPDATE OR IGNORE t SET id = 13 - id, x = ? WHERE id < 4", (value,))


def play(seed: int, policy: Any = "auto") -> tuple[int, int]:
    """Random commits, each result compared after each; how many were maintained, and run again."""
    random = Random(seed)
    with ReactiveDatabase(maintain=policy) as db:
        side = Side(db, random)
        side.script(SCHEMA)
        extras = random.sample(EXTRAS, random.choice((0, 1, 1, 2, 3)))
        for extra in extras:
            if "ALTER" not in extra:
                side.script(extra)
        for _ in range(20):
            side.write()
        for extra in extras:
            if "ALTER" in extra:
                side.script(extra)  # the rows that are there do not hold the new column
        for _ in range(6):
            side.watch()
        for number in range(25):
            side.commit()
            side.check()
            if number == 12 and random.random() < 0.3:
                later = random.choice([extra for extra in EXTRAS if "TRIGGER" not in extra])
                side.script(later.replace(" i_", " j_").replace("late", "later"))
        return db.stats.maintained, db.stats.refetched


@pytest.mark.parametrize("policy", ["auto", "always"])
def test_random_commits(policy: str, caplog: pytest.LogCaptureFixture) -> None:
    patched = 0

    @fixed(40)
    @given(SEEDS)
    def run(seed: int) -> None:
        nonlocal patched
        patched += play(seed, policy)[0]

    run()
    # A patch that stumbles is saved by a fresh run, and must not pass for it.
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR and r.exc_info]
    assert patched > 100  # else it proves little; how many depends on the policy's clock


def test_the_oracle_sees_a_patch_that_ignores_where_and_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decisive, "differ", lambda old, new, positions: False)
    with pytest.raises(AssertionError):
        for seed in range(200):
            play(seed)


def test_the_oracle_sees_a_patch_that_ignores_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = patch.decisive_of

    def without_indexes(shape: Shape) -> decisive.Decisive | None:
        infos = [replace(t.info, indexes=()) for t in shape.tables]
        tables = tuple(replace(shape.tables[0], info=info, stored=info) for info in infos)
        return honest(replace(shape, tables=tables))

    monkeypatch.setattr(patch, "decisive_of", without_indexes)
    with pytest.raises(AssertionError):
        for seed in range(300):
            play(seed)


# -- no query is run --------------------------------------------------------------------------


@pytest.fixture
def db() -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase() as made:
        made.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, owner INTEGER, rank INTEGER, x);"
            "CREATE INDEX t_rank ON t(rank);"
        )
        made.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?)", [(k, k % 3, -k, None) for k in range(1, 41)]
        )
        yield made


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, x FROM t",
        "SELECT * FROM t WHERE owner = 1",
        "SELECT x, id FROM t WHERE owner + 1 = 2 ORDER BY rank DESC LIMIT 5",
        "SELECT x, id FROM t WHERE owner = 1 ORDER BY rank LIMIT 5 OFFSET 2",
        "SELECT id, x AS y FROM t WHERE owner IN (1, 2) ORDER BY rank, id",
    ],
)
def test_no_query_is_run_for_a_patch(
    db: ReactiveDatabase, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values: list[Any] = []
    db.query(sql).subscribe(values.append)
    ran: list[str] = []
    read = db._engine.reads.read

    def counted(statement: Any, *rest: Any, **more: Any) -> Any:
        ran.append(statement.sql)
        return read(statement, *rest, **more)

    monkeypatch.setattr(db._engine.reads, "read", counted)
    before, shown = db.stats, {row["id"] for row in values[0]}
    for key in range(1, 41):
        db.execute("UPDATE t SET x = ? WHERE id = ?", (f"x{key}", key))
    assert not ran
    assert db.stats.refetched == before.refetched
    assert db.stats.maintained > before.maintained
    # Rows that are not shown give no new value; the others keep their places and identity.
    assert len(values) == 1 + len(shown)
    for one, other in pairwise(values):
        assert sum(a is not b for a, b in zip(one, other, strict=True)) == 1
    assert exact(values[-1]) == exact(db.execute(sql).rows)


def test_a_hidden_row_and_an_equal_value_are_unchanged(db: ReactiveDatabase) -> None:
    values: list[Any] = []
    db.query("SELECT id, x FROM t ORDER BY rank, id LIMIT 2").subscribe(values.append)
    db.execute("UPDATE t SET x = 5 WHERE id = 1")
    assert len(values) == 1
    assert db.stats.refetched == 0


def test_a_delta_is_one_updated_pair(db: ReactiveDatabase) -> None:
    deltas: list[Any] = []
    db.query("SELECT id, x FROM t WHERE id < 9 ORDER BY id").changes().subscribe(deltas.append)
    with db.transaction():
        db.execute("UPDATE t SET x = 2 WHERE id = 7")
        db.execute("UPDATE t SET x = 1 WHERE id = 3")
    (last,) = deltas[1:]
    assert last.updated == (((3, None), (3, 1)), ((7, None), (7, 2)))
    assert (last.taken, last.placed) == ((2, 6), ((2, (3, 1)), (6, (7, 2))))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET rank = 100, x = 1 WHERE id = 5",
        "UPDATE t SET owner = 7, x = 1 WHERE id = 5",
        "UPDATE t SET id = 900 WHERE id = 5",
        "DELETE FROM t WHERE id = 5",
        "INSERT INTO t VALUES (200, 2, 0, 1)",
        "UPDATE t SET x = 1, owner = 2",
    ],
)
def test_what_may_do_more_is_run_again(db: ReactiveDatabase, sql: str) -> None:
    values: list[Any] = []
    db.query("SELECT id, x FROM t WHERE owner = 2 ORDER BY rank").subscribe(values.append)
    db.execute(sql)
    assert db.stats.maintained == 0
    assert db.stats.refetched == 1
    assert exact(values[-1]) == exact(
        db.execute("SELECT id, x FROM t WHERE owner = 2 ORDER BY rank").rows
    )


def test_never_means_never() -> None:
    with ReactiveDatabase(maintain="never") as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 1);")
        db.query("SELECT id, x FROM t").subscribe(lambda _: None)
        db.execute("UPDATE t SET x = 2")
        assert (db.stats.maintained, db.stats.refetched) == (0, 1)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT x FROM t",
        "SELECT DISTINCT id, x FROM t",
        "SELECT id, max(x) FROM t",
        "SELECT id, x FROM t GROUP BY id",
        "SELECT id, x FROM t WHERE x > (SELECT avg(x) FROM t)",
        "SELECT a.id, a.x FROM t a JOIN t b ON a.id = b.id",
        "SELECT id, x FROM t WHERE x > random()",
        "SELECT id, x FROM t UNION ALL SELECT id, x FROM t",
        "SELECT id, row_number() OVER () FROM t",
        "SELECT id, x FROM v",
        "SELECT id, x FROM (SELECT * FROM t)",
        "SELECT id, x FROM virtually",
        "SELECT id, x FROM expressions",
    ],
)
def test_what_is_not_patched(db: ReactiveDatabase, sql: str) -> None:
    db.executescript(
        "CREATE VIEW v AS SELECT * FROM t;"
        "CREATE TABLE virtually(id INTEGER PRIMARY KEY, a, x AS (a + 1));"
        "CREATE TABLE expressions(id INTEGER PRIMARY KEY, x);"
        "CREATE INDEX e ON expressions(abs(x));"
    )
    with db._engine.lock:
        read = db._engine.reads.raw
        assert patch_of(db.analyze(sql), db._engine.schema.catalog(), read, ()) is None


def test_types_and_the_sign_of_zero_are_values(db: ReactiveDatabase) -> None:
    values: list[Any] = []
    db.query("SELECT id, x FROM t WHERE id = 4").subscribe(values.append)
    for value in (0, 0.0, -0.0, -0.0, "0", b"0", None):
        db.execute("UPDATE t SET x = ? WHERE id = 4", (value,))
        assert exact(values[-1]) == exact([(4, value)])
    assert len(values) == 7
    assert db.stats.refetched == 0


def test_a_trace_says_maintained(db: ReactiveDatabase) -> None:
    traces: list[Trace] = []
    db.query("SELECT id, x FROM t WHERE owner = 2").subscribe(lambda _: None)
    db.traces.subscribe(traces.append)
    db.execute("UPDATE t SET x = 1 WHERE id = 5")
    (wake,) = traces[0].wakes
    assert (wake.how, wake.outcome) == ("maintained", "changed")
    assert [wake.how for wake in db.would_wake("UPDATE t SET x = 2 WHERE id = 5")] == ["maintained"]
    assert [wake.how for wake in db.would_wake("DELETE FROM t WHERE id = 5")] == ["run again"]


def test_a_new_schema_is_understood_anew(db: ReactiveDatabase) -> None:
    values: list[Any] = []
    db.query("SELECT * FROM t WHERE owner = 2 AND rank < 0").subscribe(values.append)
    db.execute("UPDATE t SET x = 1 WHERE id = 5")
    db.execute("ALTER TABLE t ADD COLUMN y DEFAULT 'new'")
    db.execute("UPDATE t SET y = NULL WHERE id = 5")
    db.execute("CREATE INDEX t_y ON t(y) WHERE owner = 2")
    for key in (5, 8, 11):
        db.execute("UPDATE t SET y = ? WHERE id = ?", (-key, key))
        fresh = db.execute("SELECT * FROM t WHERE owner = 2 AND rank < 0").rows
        assert exact(values[-1]) == exact(fresh)


@pytest.mark.parametrize("policy", ["auto", "always"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (patch.ImagePatch, "apply"),
        (patch, "shape_of"),
        (StatementSource, "patch"),
        (StatementSource, "refresh"),
        (StatementSource, "same"),
        (LiveStore, "place"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_an_error_of_ours_harms_neither_the_write_nor_other_results(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    policy: Any,
    owner: Any,
    name: str,
) -> None:
    texts = ("SELECT id, n FROM t", "SELECT n FROM t ORDER BY n", "SELECT count(*) FROM t WHERE n")
    with ReactiveDatabase(maintain=policy) as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, n); INSERT INTO t VALUES (1, 0)")
        seen = [Emissions(db.query(text)) for text in texts]
        works = getattr(owner, name)
        left = [1]

        def stumbles(*given: Any) -> Any:
            if left and left.pop():
                raise LookupError("of ours")
            return works(*given)

        made = staticmethod(stumbles) if name == "same" else stumbles
        monkeypatch.setattr(owner, name, made)
        for sql in ("UPDATE t SET n = 7 WHERE id = 1", "INSERT INTO t VALUES (2, 3)"):
            db.execute(sql)
            assert [each.last for each in seen] == [db.query(text).get() for text in texts]
        assert not left
        assert "could not be brought up to date" in caplog.text
