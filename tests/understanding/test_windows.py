"""A full window narrows the region: what is not told must not matter, and much is not told."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.region import Region
from tests.understanding.engine import Engine, Params, difference
from tests.understanding.values import columns, value

NAMES = ["a", "b", "c"]
WRITES = 25
FEW: list[Any] = [0, 1, 1.0, 2, 2.5, "", "a", "A", "a ", "b", "B  ", "ab", b"a", b"", None, None]


def item(random: Random) -> Any:
    """A value that is often equal to another one, by some collation."""
    return random.choice(FEW) if random.random() < 0.7 else value(random)


def query(random: Random) -> tuple[str, Params]:
    """A query with a window, most of the time one that can be judged."""
    params: list[Any] = []

    def number(least: int, most: int) -> str:
        picked = random.randint(least, most)
        if random.random() < 0.5:
            return str(picked)
        params.append(picked)
        return "?"

    shown = random.sample(["id", *NAMES], random.randint(1, 4))
    texts = [f"{name} AS {random.choice(NAMES)}" if random.random() < 0.1 else name
             for name in shown]  # fmt: skip
    where = ""
    if random.random() < 0.4:
        params.append(item(random))
        where = f" WHERE {random.choice(NAMES)} {random.choice(['=', '<=', '>', 'IS NOT'])} ?"
    if random.random() < 0.15:
        return (
            f"SELECT {random.choice(['min', 'max'])}({random.choice(NAMES)}) FROM t{where}",
            params,
        )
    terms = []
    for name in random.sample([*shown, *shown, "id", *NAMES], random.randint(1, 3)):
        collate = random.choice(["", "", "", " COLLATE NOCASE", " COLLATE RTRIM"])
        order = random.choice(["", "", " ASC", " DESC", " DESC"])
        nulls = random.choice(["", "", " NULLS FIRST", " NULLS LAST"])
        terms.append(f"{name}{collate}{order}{nulls}")
    joined = random.random() < 0.2
    source = "t"
    if joined:
        texts = [f"t.{name}" for name in shown]
        terms = [f"t.{term}" for term in terms]
        where = where.replace("WHERE ", "WHERE t.")
        kind = random.choice(["JOIN", "LEFT JOIN"])
        source = f"t {kind} u ON u.x = t.{random.choice(NAMES)}"
        if random.random() < 0.3:
            source = f"u {kind} t ON u.x = t.{random.choice(NAMES)}"
    sql = f"SELECT {', '.join(texts)} FROM {source}{where} ORDER BY {', '.join(terms)}"
    if random.random() < 0.95:
        sql += f" LIMIT {number(1, 6)}"
        if random.random() < 0.4:
            sql += f" OFFSET {number(0, 5)}"
    return sql, params


def write(engine: Engine, random: Random) -> None:
    count = engine.run("SELECT count(*) FROM t")[0][0]
    pick = random.random()
    key = random.randint(1, 30)
    if random.random() < 0.1:
        engine.run("INSERT OR REPLACE INTO u VALUES (?, ?)", (random.randint(1, 4), item(random)))
    elif pick < 0.5 and count < 25:
        values = (key, *(item(random) for _ in NAMES))
        engine.run("INSERT OR REPLACE INTO t VALUES (?, ?, ?, ?)", values)
    elif pick < 0.9:
        engine.run(f"UPDATE t SET {random.choice(NAMES)} = ? WHERE id <= ?", (item(random), key))
        key = random.randint(1, 30)
        engine.run(f"UPDATE t SET {random.choice(NAMES)} = ? WHERE id = ?", (item(random), key))
    else:
        engine.run("DELETE FROM t WHERE id IN (?, ?)", (key, random.randint(1, 30)))


def looked_at(
    statement: Statement, params: Params, rows: Sequence[tuple[Any, ...]], region: Region
) -> Region:
    window = statement.window
    if window is None or not rows or statement.window_size(params) != len(rows):
        return region
    return window.narrowed(region, rows[-1][window.output])


def check(random: Random) -> dict[str, int]:
    counts = dict.fromkeys(("windows", "narrowed", "asked", "changed", "told", "untold"), 0)
    index = random.choice(["", "CREATE INDEX i ON t(a)", "CREATE INDEX i ON t(b DESC, a)"])
    engine = Engine(
        f"CREATE TABLE t(id INTEGER PRIMARY KEY, {columns(random, NAMES)})".replace(
            " COLLATE ODD", ""
        ),
        "CREATE TABLE u(id INTEGER PRIMARY KEY, x)",
        *filter(None, [index]),
    )
    for _ in range(25):
        write(engine, random)
    live: list[tuple[str, Params, Statement, list[tuple[Any, ...]]]] = []
    while len(live) < 12:
        sql, params = query(random)
        try:
            rows = engine.run(sql, params)
        except apsw.SQLError:  # an alias that hides what was meant
            continue
        statement = engine.analyse(sql)
        counts["windows"] += statement.window is not None
        live.append((sql, params, statement, rows))
    for _ in range(WRITES):
        before = engine.images(["t", "u"])
        write(engine, random)
        change = difference(before, engine.images(["t", "u"]))
        for number, (sql, params, statement, old) in enumerate(live):
            whole = statement.region(params)
            region = looked_at(statement, params, old, whole)
            new = engine.run(sql, params)
            touched, changed = region.touched_by(change), repr(new) != repr(old)
            counts["narrowed"] += region is not whole
            counts["asked"] += 1
            counts["changed"] += changed
            counts["told"] += touched
            counts["untold"] += not touched and whole.touched_by(change)
            assert touched or not changed, (sql, params, region, old, new, change.rows)
            live[number] = (sql, params, statement, new)
    return counts


@settings(max_examples=60)
@given(st.integers(0, 2**48))
def test_what_is_behind_a_full_window_does_not_matter(seed: int) -> None:
    check(Random(seed))


def test_much_is_not_told() -> None:
    """The figures of a fixed run: without narrowing the test above would pass as well."""
    totals: dict[str, int] = {}
    for seed in range(15):
        for name, count in check(Random(seed)).items():
            totals[name] = totals.get(name, 0) + count
    assert totals["windows"] > 90, totals
    assert totals["narrowed"] > 1000, totals
    assert totals["changed"] > 200, totals
    assert totals["untold"] > 300, totals


SCHEMA = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, n INT, c, m INT NOT NULL)",
    "CREATE TABLE u(id INTEGER PRIMARY KEY, t_id INT, x TEXT)",
    "CREATE TABLE g(n INT, v AS (n + 1) VIRTUAL)",
    "CREATE VIEW latest AS SELECT n FROM t ORDER BY n LIMIT 3",
)
LINES: list[tuple[str, Params, Any, str]] = [
    ("SELECT id, n FROM t ORDER BY n LIMIT 3", (), 5, "n<=5 OR n IS NULL"),
    ("SELECT id, n FROM t ORDER BY n NULLS LAST LIMIT 3", (), 5, "n<=5"),
    ("SELECT id, n FROM t ORDER BY n DESC LIMIT 3", (), 5, "n>=5"),
    ("SELECT id, n FROM t ORDER BY n DESC NULLS FIRST LIMIT 3", (), 5, "n>=5 OR n IS NULL"),
    ("SELECT id, n FROM t ORDER BY n LIMIT 3", (), None, "n IS NULL"),
    ("SELECT id, n FROM t ORDER BY n DESC LIMIT 3", (), None, ""),
    ("SELECT n, id FROM t ORDER BY 1 DESC, 2 LIMIT ?", (3,), 2.5, "n>=2.5"),
    ("SELECT id, n FROM t WHERE c = :c ORDER BY n DESC LIMIT :n", {"c": 1, "n": 3}, 5,
     "n>=5 AND c=1"),
    ("SELECT id, n FROM t WHERE c = ?2 ORDER BY n DESC LIMIT 1, ?1", (3, 1), 5, "n>=5 AND c=1"),
    ("SELECT id, a AS n FROM t ORDER BY n DESC LIMIT 3", (), "B", "a>='b'"),
    ("SELECT id, a FROM t ORDER BY a COLLATE BINARY DESC LIMIT 3", (), "B", "a>='B'"),
    ("SELECT id, a FROM t ORDER BY a DESC LIMIT 3", (), "a\0b", ""),
    ("SELECT * FROM t ORDER BY id LIMIT 3", (), 7, "id<=7"),
    ("SELECT rowid FROM t ORDER BY rowid DESC LIMIT 3", (), 7, "id>=7"),
    ("SELECT rowid, n FROM g ORDER BY n DESC LIMIT 3", (), 7, ""),
    ("SELECT u.x, t.n FROM t JOIN u ON u.t_id = t.id ORDER BY t.n DESC LIMIT 3", (), 7, "n>=7"),
    ("SELECT u.x, t.n FROM t LEFT JOIN u ON u.t_id = t.id ORDER BY n DESC LIMIT 3", (), 7, "n>=7"),
    ("SELECT u.x, t.n FROM u LEFT JOIN t ON u.t_id = t.id ORDER BY n DESC LIMIT 3", (), 7, ""),
    ("SELECT p.n FROM t p JOIN t q ON q.n = p.id ORDER BY p.n DESC LIMIT 3", (), 7, ""),
    ("SELECT max(n) FROM t", (), 7, "n>=7"),
    ("SELECT min(n) AS least FROM t WHERE c = 1", (), 7, "n<=7 AND c=1"),
    ("SELECT max(n) FROM t", (), None, ""),
    ("SELECT id, m FROM t ORDER BY m LIMIT 3", (), 5, "m<=5"),
    ("SELECT id, m FROM t ORDER BY m DESC NULLS FIRST LIMIT 3", (), 5, "m>=5"),
]  # fmt: skip
NONE: list[tuple[str, Params]] = [
    ("SELECT id FROM t ORDER BY n LIMIT 3", ()),
    ("SELECT id, n FROM t LIMIT 3", ()),
    ("SELECT id, n FROM t ORDER BY n", ()),
    ("SELECT id, n FROM t ORDER BY n LIMIT ?", (-1,)),
    ("SELECT id, n FROM t ORDER BY n LIMIT ?", ("3",)),
    ("SELECT id, n FROM t ORDER BY n LIMIT ?", ()),
    ("SELECT id, n FROM t ORDER BY n LIMIT :n", {}),
    ("SELECT id, n FROM t ORDER BY n LIMIT 1 + 2", ()),
    ("SELECT id, n FROM t ORDER BY n LIMIT 0", ()),
    ("SELECT id, n FROM t ORDER BY -n LIMIT 3", ()),
    ("SELECT id, -n AS n FROM t ORDER BY n LIMIT 3", ()),
    ("SELECT DISTINCT n FROM t ORDER BY n LIMIT 3", ()),
    ("SELECT n, count(*) FROM t GROUP BY n ORDER BY n LIMIT 3", ()),
    ("SELECT n FROM t UNION SELECT n FROM t ORDER BY n LIMIT 3", ()),
    ("SELECT n, row_number() OVER () FROM t ORDER BY n LIMIT 3", ()),
    ("SELECT n FROM t WHERE id IN (SELECT t_id FROM u) ORDER BY n LIMIT 3", ()),
    ("SELECT n FROM t WHERE abs(c) ORDER BY n LIMIT 3", ()),
    ("SELECT n FROM t WHERE c ->> 'x' ORDER BY n LIMIT 3", ()),
    ("SELECT n FROM t WHERE random() ORDER BY n LIMIT 3", ()),
    ("SELECT n FROM latest ORDER BY n LIMIT 3", ()),
    ("SELECT max(n), id FROM t", ()),
    ("SELECT max(n) FROM t GROUP BY c", ()),
    ("SELECT max(n) FROM t HAVING max(n) > 3", ()),
    ("SELECT max(n + 1) FROM t", ()),
    ("SELECT max(DISTINCT n) FROM t", ()),
    ("SELECT max(n, 3) FROM t", ()),
    ("SELECT sum(n) FROM t", ()),
]


@pytest.mark.parametrize(("sql", "params", "last", "expected"), LINES)
def test_what_is_demanded_of_rows(sql: str, params: Params, last: Any, expected: str) -> None:
    statement = Engine(*SCHEMA).analyse(sql)
    if statement.window is None:
        assert not expected
        return
    assert statement.window_size(params) in (1, 3)
    region = statement.window.narrowed(statement.region(params), last)
    assert (region is not statement.region(params)) or not expected
    shown = [part.predicate for part in region.tables if part.table == "t"]
    if expected:
        assert repr(shown[0]).replace("(", "").replace(")", "") == expected
    else:
        assert region == statement.region(params)


@pytest.mark.parametrize(("sql", "params"), NONE)
def test_what_is_no_window(sql: str, params: Params) -> None:
    assert Engine(*SCHEMA).analyse(sql).window_size(params) is None


def test_text_is_not_judged_in_another_encoding() -> None:
    engine = Engine("PRAGMA encoding = 'UTF-16'", "CREATE TABLE t(a)")
    assert engine.analyse("SELECT a FROM t ORDER BY a LIMIT 3").window is None


def test_one_mention_only() -> None:
    """A region that names the table twice stays as it is."""
    engine = Engine(*SCHEMA)
    statement = engine.analyse("SELECT n FROM t ORDER BY n LIMIT 3")
    other = engine.analyse("SELECT c FROM t").region()
    region: Region = statement.region().union(other)
    assert statement.window is not None
    assert statement.window.narrowed(region, 3) is region
