"""Subqueries and expressions in a select list: only the rows that a commit touches are asked for.

The oracle is a plain engine beside, which runs the same statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from unittest import mock

import pytest
from hypothesis import given

from reactive_sqlite import Delta, ReactiveDatabase
from reactive_sqlite.liveness.incremental import Following
from reactive_sqlite.understanding.analysis import nested
from reactive_sqlite.understanding.analysis.nested import Link
from reactive_sqlite.understanding.analysis.shape import shape_of
from tests.properties.drive import SEEDS, fixed

from .table import Twins, Watched
from .values import PLAIN, exact

# A patch that stumbles is saved by a fresh run, and must not pass for it.
pytestmark = pytest.mark.usefixtures("nothing_is_logged")

KINDS = ("INTEGER", "INTEGER", "TEXT", "", "REAL", "NUMERIC", "TEXT COLLATE NOCASE")
SCHEMA = (
    "CREATE TABLE i(id {key}, title TEXT, owner {one}, parent {two}, n)",
    "CREATE TABLE c(id INTEGER PRIMARY KEY, issue {two}, who {one}, n, body TEXT)",
    "CREATE TABLE u(name {one}, n)",
)
EXTRAS = (
    "CREATE INDEX c_issue ON c(issue)",
    "CREATE INDEX c_both ON c(issue, n DESC)",
    "CREATE INDEX i_n ON i(n)",
    "CREATE INDEX i_owner ON i(owner, title)",
    "CREATE TRIGGER more AFTER INSERT ON c WHEN new.n > 1 BEGIN UPDATE i SET n = n + 1"
    " WHERE id = new.issue; END",
)
#: {w} is a condition on i, {e} the end: order and window.
QUERIES = (
    "SELECT i.id, i.title, (SELECT count(*) FROM c WHERE issue = i.id) FROM i WHERE {w} {e}",
    "SELECT id, (SELECT max(c.n) FROM c WHERE c.n > 0 AND i.id == c.issue) AS most FROM i {e}",
    "SELECT x.id, x.owner, (SELECT count(*) FROM c WHERE c.who = x.owner) FROM i AS x"
    " WHERE x.n IS NOT 1 ORDER BY x.n, x.id LIMIT 4",
    "SELECT i.id, (SELECT json_group_array(json_array(id, quote(n))) FROM (SELECT id, n FROM c"
    " WHERE issue = i.id ORDER BY id DESC LIMIT 2)) FROM i WHERE {w} {e}",
    "SELECT i.id, i.owner, (SELECT u.n FROM u WHERE u.name = i.owner ORDER BY u.rowid LIMIT 1),"
    " (SELECT total(n) FROM c WHERE issue = i.id AND who IS NOT NULL) FROM i {e}",
    "SELECT i.id, (SELECT count(*) FROM c WHERE c.who = i.owner) FROM i {e}",
    "SELECT id, parent, (SELECT count(*) FROM i AS k WHERE k.parent = i.id) FROM i WHERE {w} {e}",
    "SELECT i.*, (SELECT k.title FROM i k WHERE k.id = i.parent) AS above FROM i {e}",
    "SELECT i.id, (SELECT count(*) FROM c) FROM i WHERE {w} {e}",
    "SELECT i.id, (SELECT count(*) FROM c WHERE c.issue = i.id AND c.n < 2 OR c.n) FROM i {e}",
    "SELECT i.id, (SELECT count(*) FROM c WHERE c.n BETWEEN 0 AND c.issue = i.id) FROM i {e}",
    "SELECT i.id, (SELECT count(*) FROM c WHERE CASE WHEN c.n AND c.issue = i.id THEN 0 ELSE 1 END"
    ") FROM i {e}",
    "SELECT i.id, (SELECT group_concat(u.n, ',' ORDER BY c.id, u.rowid) FROM c LEFT JOIN u"
    " ON u.name = c.who WHERE c.issue = i.id) FROM i {e}",
    "SELECT i.id, (SELECT count(*) FROM c, u WHERE c.issue = i.id AND u.name = i.owner), owner"
    " FROM i {e}",
    "SELECT i.id, (SELECT sum(i.id) FROM c WHERE c.issue = i.id) FROM i {e}",
    "SELECT i.id, (SELECT count(i.n) FROM c) FROM i",
    "SELECT i.id, (SELECT count(*) + i.n FROM c WHERE c.issue = i.id) FROM i WHERE {w} {e}",
    "SELECT i.id, (SELECT (SELECT count(*) FROM u WHERE u.name = c.who) FROM c"
    " WHERE c.issue = i.id ORDER BY c.id) FROM i {e}",
    "SELECT id, n || title, quote(owner), length(parent) FROM i WHERE {w} {e}",
    "SELECT upper(title) AS n, id FROM i ORDER BY n, id LIMIT 3",
    "SELECT id, (SELECT count(*) FROM c WHERE rowid = i.n) FROM i {e}",
    "SELECT id, n, (SELECT c.body FROM c WHERE c.id = i.n) FROM i WHERE {w} {e}",
)
CONDITIONS = ("1", "i.n > 0", "i.title LIKE 'a%'", "i.owner IS NOT NULL", "i.n = 1 OR i.id > 3")
ENDS = (
    "", "ORDER BY i.id", "ORDER BY i.n DESC, i.id LIMIT 4", "ORDER BY i.title LIMIT 3 OFFSET 1",
    "ORDER BY i.id DESC LIMIT 3",
)  # fmt: skip


class Side(Twins):
    """The database, a plain engine that runs the same, and the live queries."""

    def __init__(self, db: ReactiveDatabase, random: Random) -> None:
        super().__init__(db, random)
        self.keys: tuple[Any, ...] = (1, 2, 3, 4, 5, 6)
        self.values = random.choice((PLAIN, (0, 1, 2, 3, None, "1", "2", 2.0, "a", "A", b"1")))

    def build(self) -> None:
        pick = self.random.choice
        key = pick(("INTEGER PRIMARY KEY",) * 3 + ("TEXT PRIMARY KEY", "PRIMARY KEY"))
        if key == "TEXT PRIMARY KEY":
            self.keys = ("1", "2", "a", "A", "b", "01")
        for sql in SCHEMA:
            self.execute(sql.format(key=key, one=pick(KINDS), two=pick((*KINDS, key.split()[0]))
                                    .replace("PRIMARY", "")))  # fmt: skip
        for sql in self.random.sample(EXTRAS, pick((0, 1, 2))):
            self.execute(sql)

    def watch(self) -> None:
        pick = self.random.choice
        sql = pick(QUERIES)
        self.watched.append(Watched(self.db, sql.format(w=pick(CONDITIONS), e=pick(ENDS))))

    def value(self) -> Any:
        return self.random.choice((*self.values, *self.keys))

    def write(self) -> None:
        pick, choice, value = self.random.choice, self.random.random(), self.value
        row, key = self.random.randint(1, 12), pick(self.keys)
        if choice < 0.3:
            self.execute("REPLACE INTO c VALUES (?, ?, ?, ?, ?)",
                         (row, pick((key, value())), value(), value(), pick("abc")))  # fmt: skip
        elif choice < 0.45:
            column = pick(("issue", "who", "n", "body", "id"))
            self.execute(f"UPDATE OR REPLACE c SET {column} = ? WHERE id = ?", (value(), row))
        elif choice < 0.55:
            self.execute("DELETE FROM c WHERE id = ?", (row,))
        elif choice < 0.65:
            self.execute("INSERT INTO u VALUES (?, ?)", (value(), value()))
        elif choice < 0.7:
            self.execute("DELETE FROM u WHERE name IS ?", (value(),))
        elif choice < 0.8:
            new = (key, pick("aAb"), value(), value(), value())
            self.execute("REPLACE INTO i VALUES (?, ?, ?, ?, ?)", new)
        elif choice < 0.95:
            column = pick(("title", "owner", "parent", "n"))
            self.execute(f"UPDATE i SET {column} = ? WHERE id = ?", (value(), key))
        elif choice < 0.97:
            self.execute("UPDATE OR REPLACE i SET id = ? WHERE id = ?", (pick(self.keys), key))
        else:
            self.execute("DELETE FROM i WHERE id = ?", (key,))


def side(db: ReactiveDatabase, random: Random) -> Side:
    made = Side(db, random)
    made.build()
    for _ in range(30):
        made.write()
    for _ in range(6):
        made.watch()
    made.check()
    return made


def play(seed: int, commits: int = 25) -> int:
    """Random commits, each result compared after each; how many were maintained.

    Half of the results are followed as soon as they cannot be patched, half never.
    """
    random = Random(seed)
    start = Following.start if seed % 2 else lambda *rest, **more: None
    with (
        mock.patch.object(Following, "start", start),
        ReactiveDatabase(maintain="always") as db,
    ):
        made = side(db, random)
        for _ in range(commits):
            made.commit()
            made.check()
        return db.stats.maintained


def test_random_commits() -> None:
    patched = 0

    @fixed(60)
    @given(SEEDS)
    def run(seed: int) -> None:
        nonlocal patched
        patched += play(seed)

    run()
    assert patched > 500  # else it proves little


@fixed(20)
@given(SEEDS)
def test_four_phases(seed: int) -> None:
    """Remove all rows of the subqueries, add them back, edit them at random, edit them back."""
    with ReactiveDatabase(maintain="always") as db:
        made = side(db, Random(seed))
        rows = made.twin.execute("SELECT * FROM c").fetchall()
        at_first = [w.folded for w in made.watched]
        for row in made.random.sample(rows, len(rows)):
            made.execute("DELETE FROM c WHERE id = ?", row[:1])
            made.check()
        for row in made.random.sample(rows, len(rows)):
            made.execute("INSERT INTO c VALUES (?, ?, ?, ?, ?)", row)
            made.check()
        for row in rows:
            column = made.random.choice(("issue", "who", "n"))
            made.execute(f"UPDATE c SET {column} = ? WHERE id = ?", (made.value(), row[0]))
            made.check()
        for row in made.random.sample(rows, len(rows)):
            made.execute("UPDATE c SET issue = ?2, who = ?3, n = ?4, body = ?5 WHERE id = ?1", row)
            made.check()
        if not made.twin.execute("SELECT 1 FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            for w, first in zip(made.watched, at_first, strict=True):
                assert w.failed or w.folded == first, w.sql


@fixed(20)
@given(SEEDS)
def test_the_same_question_in_other_words(seed: int) -> None:
    """AND reordered, a redundant IS NOT NULL, a LIMIT larger than the answer."""
    with ReactiveDatabase(maintain="always") as db:
        made = side(db, Random(seed))
        forms = [
            Watched(db, f"SELECT i.id, (SELECT count(*) FROM c WHERE {where}) FROM i"
                        f" WHERE i.id IS NOT NULL ORDER BY i.n, i.rowid{limit}")
            for where, limit in (
                ("c.issue = i.id AND c.n > 0", ""),
                ("c.n > 0 AND c.issue = i.id", ""),
                ("0 < c.n AND i.id = c.issue AND c.n IS NOT NULL", " LIMIT 1000"),
                ("c.n > 0 AND i.id = c.issue", " LIMIT -1"),
            )
        ]  # fmt: skip
        if made.twin.execute("SELECT 1 FROM pragma_table_info('i') WHERE \"notnull\" OR name = 'id'"
                             " AND type <> 'INTEGER'").fetchall():  # fmt: skip
            forms = forms[:1] + forms[1:2]  # which side's collation counts is another question
        for _ in range(15):
            made.commit()
            made.check()
            values = [form.state and form.state.value for form in forms]
            for form in forms:
                form.check(made.twin)
            assert all(value == values[0] for value in values), [form.sql for form in forms]


BROKEN: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "old rows are not looked at": lambda m: m.setattr(
        Link, "values", lambda link, rows: {r.new[link.column] for r in rows if r.new}
    ),
    "any value compares as in Python": lambda m: m.setattr(
        nested, "_kinds", lambda one, other: frozenset({int, float, str, bytes})
    ),
    "OR is AND": lambda m: m.setattr(nested, "_NOT_AND", frozenset({"between", "case"})),
    "BETWEEN has no AND": lambda m: m.setattr(nested, "_NOT_AND", frozenset({"or", "case"})),
    "an aggregate is where it stands": lambda m: m.setattr(
        nested._Reader, "_check_aggregates", lambda *rest: None
    ),
    "no row is touched": lambda m: m.setattr(Link, "values", lambda link, rows: set()),
}


@pytest.mark.parametrize("how", BROKEN)
def test_the_oracle_sees(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BROKEN[how](monkeypatch)
    with pytest.raises(AssertionError):
        for seed in range(400):
            play(seed, commits=12)


# -- what is asked ----------------------------------------------------------------------------


@pytest.fixture
def db() -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(maintain="always") as made:
        made.executescript(
            "CREATE TABLE i(id INTEGER PRIMARY KEY, title TEXT, n INTEGER);"
            "CREATE TABLE c(id INTEGER PRIMARY KEY, issue INTEGER, body TEXT);"
            "CREATE INDEX i_n ON i(n); CREATE INDEX c_issue ON c(issue);"
        )
        made.executemany("INSERT INTO i VALUES (?, ?, ?)", [(k, f"t{k}", -k) for k in range(1, 41)])
        made.executemany(
            "INSERT INTO c VALUES (?, ?, 'x')", [(k, k % 40 + 1) for k in range(1, 99)]
        )
        yield made


COUNTS = "SELECT id, title, (SELECT count(*) FROM c WHERE issue = i.id) AS n FROM i"


def asked(db: ReactiveDatabase, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that are run from now on."""
    ran: list[str] = []
    reads = db._engine.reads
    read, raw = reads.read, reads.raw

    def noted_read(statement: Any, *rest: Any, **more: Any) -> Any:
        ran.append(statement.sql)
        return read(statement, *rest, **more)

    def noted_raw(sql: str, params: Any) -> Any:
        ran.append(sql)
        return raw(sql, params)

    monkeypatch.setattr(reads, "read", noted_read)
    monkeypatch.setattr(reads, "raw", noted_raw)
    return ran


def test_one_row_is_asked_for_and_none_when_it_is_not_shown(
    db: ReactiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    values: list[Any] = []
    sql = f"{COUNTS} ORDER BY i.n LIMIT 10"
    db.query(sql).subscribe(values.append)
    db.execute("INSERT INTO c VALUES (1000, 40, 'x')")  # understands the statement
    ran = asked(db, monkeypatch)
    db.execute("INSERT INTO c VALUES (1001, 40, 'x')")
    db.execute("UPDATE c SET issue = 39 WHERE id = 1001")
    assert len(ran) == 2
    assert all(" IN (" in text for text in ran)
    db.execute("INSERT INTO c VALUES (1002, 5, 'x')")
    db.execute("DELETE FROM c WHERE id = 1002")
    assert len(ran) == 2
    assert db.stats.refetched == 0
    assert len(values) == 4
    assert sum(a is b for a, b in zip(values[-1], values[-2], strict=True)) == 8
    assert exact(values[-1]) == exact(db.execute(sql).rows)


def test_the_delta_is_the_touched_row(db: ReactiveDatabase) -> None:
    deltas: list[Delta] = []
    db.query(f"{COUNTS} ORDER BY i.id").changes().subscribe(deltas.append)
    db.execute("DELETE FROM c WHERE issue = 7")
    assert deltas[-1].updated == (((7, "t7", 3), (7, "t7", 0)),)
    assert (deltas[-1].taken, deltas[-1].placed) == ((6,), ((6, (7, "t7", 0)),))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE i SET n = 5 WHERE id = 39",
        "DELETE FROM i WHERE id = 39",
        "INSERT INTO i VALUES (99, 'new', -99)",
        "UPDATE c SET issue = 3",
    ],
)
def test_what_may_do_more_is_run_again(db: ReactiveDatabase, sql: str) -> None:
    values: list[Any] = []
    query = f"{COUNTS} ORDER BY i.n LIMIT 10"
    db.query(query).subscribe(values.append)
    db.execute(sql)
    assert (db.stats.maintained, db.stats.refetched) == (0, 1)
    assert exact(values[-1]) == exact(db.execute(query).rows)


def test_a_long_list_is_followed_through_its_subqueries(db: ReactiveDatabase) -> None:
    values: list[Any] = []
    sql = f"{COUNTS} WHERE i.n < 0 ORDER BY i.title, i.id"
    db.query(sql).subscribe(values.append)
    for write in (
        "INSERT INTO i VALUES (99, 'new', -99)",  # starts the following
        "INSERT INTO c VALUES (500, 99, 'x')",
        "DELETE FROM i WHERE id = 7",
        "DELETE FROM c WHERE issue = 8",
        "UPDATE i SET title = 'a', n = -5 WHERE id = 8",
        "UPDATE i SET n = 5 WHERE id = 9",
        "INSERT INTO c VALUES (501, 9, 'x')",
    ):
        db.execute(write)
        assert exact(values[-1]) == exact(db.execute(sql).rows)
    assert (db.stats.refetched, db.stats.maintained) == (1, 6)


def test_an_expression_is_asked_for_by_the_row(
    db: ReactiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    values: list[Any] = []
    db.query("SELECT id, upper(title) FROM i WHERE n < -9 ORDER BY n").subscribe(values.append)
    db.execute("UPDATE i SET title = 'a' WHERE id = 20")
    ran = asked(db, monkeypatch)
    for key in range(1, 20):
        db.execute("UPDATE i SET title = 'b' WHERE id = ?", (key,))
    assert len(ran) == 10
    assert db.stats.refetched == 0
    assert (19, "B") in values[-1]


def test_an_error_over_the_touched_row_is_the_query_s_own(db: ReactiveDatabase) -> None:
    errors: list[Any] = []
    sql = "SELECT id, (SELECT json_group_array(body) FROM c WHERE issue = i.id) FROM i ORDER BY id"
    db.query(sql).states().subscribe(lambda state: errors.append(state.error))
    db.execute("UPDATE c SET body = 'y' WHERE id = 5")
    db.execute("UPDATE c SET body = x'ff' WHERE id = 5")
    assert "BLOB" in str(errors[-1])
    db.execute("UPDATE c SET body = 'z' WHERE id = 5")
    assert errors[-1] is None


@pytest.mark.parametrize(
    ("subquery", "links"),
    [
        ("SELECT count(*) FROM c WHERE issue = i.id", 1),
        ("SELECT max(c.id) FROM c WHERE body = 'x' AND i.id = c.issue", 1),
        ("SELECT count(*) FROM (SELECT 1 FROM c WHERE issue = i.id LIMIT 2)", 1),
        ("SELECT count(*) FROM c LEFT JOIN i AS k ON k.id = c.id WHERE c.issue = i.id", 1),
        ("SELECT count(*) FROM c WHERE issue = id", 0),
        ("SELECT count(*) FROM c WHERE issue >= i.id", 0),
        ("SELECT count(*) FROM c WHERE NOT issue = i.id", 0),
        ("SELECT count(*) FROM c WHERE (issue = i.id) IS FALSE", 0),
        ("SELECT count(*) FROM c WHERE issue = i.id COLLATE NOCASE", 0),
        ("SELECT count(*) FROM c WHERE json(body) IS NULL AND issue = i.id", 0),
        ("SELECT count(*) FROM c WHERE body ->> 'a' AND issue = i.id", 0),
        ("SELECT count(*) FROM c WHERE body = i.id", 1),
        ("SELECT count(*) FROM c WHERE issue = i.title", 0),
    ],
)
def test_links(db: ReactiveDatabase, subquery: str, links: int) -> None:
    sql = f"SELECT i.id, i.title, ({subquery}) FROM i"
    shape = shape_of(db.analyze(sql), db._engine.schema.catalog())
    assert shape is not None
    assert len(shape.nested.links) == links
    assert ("c" in shape.nested.loose) == (not links)
    assert all(isinstance(link, Link) and link.table == "c" for link in shape.nested.links)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT i.id, (SELECT sum(i.n) FROM c) FROM i",
        "SELECT i.id, (SELECT count(*) FROM c UNION SELECT 1) FROM i",
        "SELECT i.id FROM i WHERE (SELECT count(*) FROM c WHERE issue = i.id) > 1",
        "SELECT i.id FROM i ORDER BY (SELECT count(*) FROM c WHERE issue = i.id)",
        "SELECT i.id, (SELECT count(*) FROM c WHERE issue = i.id) AS k FROM i ORDER BY k",
        "SELECT i.id, (SELECT count(*) FROM c WHERE issue = i.id) FROM i ORDER BY 2 COLLATE RTRIM",
        "SELECT count(*), (SELECT count(*) FROM c) FROM i",
        "SELECT DISTINCT i.id, (SELECT count(*) FROM c) FROM i",
        "SELECT i.id, (SELECT count(*) OVER () FROM c) FROM i",
        "SELECT i.id, (WITH k AS (SELECT 1) SELECT count(*) FROM c) FROM i",
    ],
)
def test_what_has_no_shape(db: ReactiveDatabase, sql: str) -> None:
    assert shape_of(db.analyze(sql), db._engine.schema.catalog()) is None
