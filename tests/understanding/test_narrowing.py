"""A region's "no", where it was concluded over several tables: equalities, groups, compounds.

The domains are so small that nearly every row meets another one, and each query is held against
many single-row writes; the engine tells what each of them changed.
"""

from __future__ import annotations

from random import Random
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite.values.change import ChangeSet, RowChange
from tests.understanding.engine import Engine

QUERIES, WRITES = 12, 40
SCHEMA = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x INT, s TEXT COLLATE NOCASE, n)",
    "CREATE TABLE u(id INTEGER PRIMARY KEY, x INT, s TEXT, n TEXT)",
    "CREATE TABLE w(id INTEGER PRIMARY KEY, x, s TEXT COLLATE NOCASE, n REAL)",
    "CREATE VIEW vl AS SELECT t.id, u.x, u.s, t.n FROM t LEFT JOIN u ON u.id = t.x",
    "CREATE VIEW wide AS SELECT * FROM t",
    "CREATE VIEW renamed(x, id, s, n) AS SELECT id, x, n, s FROM u ORDER BY s, 1",
    "CREATE VIEW both AS SELECT a.*, b.s AS s2, b.n AS n2 FROM wide AS a LEFT JOIN renamed AS b"
    " ON b.x = a.id",
    "CREATE VIEW extreme AS SELECT max(x) AS x, id, s, n FROM t",
)
VALUES: dict[str, list[Any]] = {
    "id": [1, 2, 3],
    "x": [1, 2, None],
    "s": ["a", "A", "b", None],
    "n": [1, "1", 1.0, 2, "a", "A", None],
}
COLUMNS = list(VALUES)


class Shapes:
    """Queries over the three tables, of one shape each."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def constant(self, column: str) -> str:
        value = self.random.choice(VALUES[column] + VALUES[self.random.choice(COLUMNS)])
        if value is None:
            return "NULL"
        return f"'{value}'" if isinstance(value, str) else repr(value)

    def leaf(self, names: list[str]) -> str:
        random = self.random
        name = random.choice(names)
        constant = self.constant(name[-1] if name[-1] in VALUES else "id")
        collate = random.choice(["", "", "", "", " COLLATE NOCASE", " COLLATE BINARY"])
        pick = random.randrange(9)
        if pick < 4:
            return f"{name} = {constant}{collate}"
        if pick < 5:
            return f"{name} {random.choice(['<', '>=', '<>'])} {constant}{collate}"
        if pick < 6:
            return f"{name} IS {random.choice(['', 'NOT '])}NULL"
        if pick < 7:
            return f"{name} IN ({constant}, {self.constant('s')})"
        if pick < 8:
            return f"coalesce({name}, {constant}) = {self.constant('x')}"
        return f"{name} {random.choice(['LIKE', 'GLOB'])} 'a*'"

    def condition(self, names: list[str]) -> str:
        random = self.random
        text = self.leaf(names)
        for _ in range(random.choice([0, 0, 1, 1, 2])):
            text = f"({text} {random.choice(['AND', 'AND', 'OR'])} {self.leaf(names)})"
        return f"NOT {text}" if random.random() < 0.08 else text

    def of(self, alias: str) -> list[str]:
        return [f"{alias}.{column}" for column in COLUMNS]

    def equal(self, one: str, other: str) -> str:
        column = self.random.choice(COLUMNS)
        second = column if self.random.random() < 0.5 else self.random.choice(COLUMNS)
        return f"{one}.{column} = {other}.{second}"

    def item(self, alias: str) -> str:
        views = ["vl", "wide", "renamed", "both", "extreme"]
        return f"{self.random.choice(['t', 'u', 'w', 't', 'u', 'w', *views])} AS {alias}"

    def joined(self) -> str:
        """Joins, perhaps some in parentheses, and the conditions at one end of them."""
        random = self.random
        kinds = ["JOIN", "LEFT JOIN", "LEFT JOIN", "JOIN"]
        if random.random() < 0.3:
            kinds += ["RIGHT JOIN", "FULL JOIN"]
        text, names = self.item("a"), ["a"]
        for alias in ["b", "c"][: random.choice([1, 1, 2])]:
            item, inner = self.item(alias), [alias]
            if random.random() < 0.3:
                on = self.equal(alias, alias * 2)
                if random.random() < 0.4:
                    on += f" AND {self.leaf(self.of(alias * 2))}"
                item = f"({item} {random.choice(kinds)} {self.item(alias * 2)} ON {on})"
                inner.append(alias * 2)
            on = self.equal(random.choice(names), random.choice(inner))
            names += inner
            if random.random() < 0.4:
                both = [name for one in names for name in self.of(one)]
                on += f" {random.choice(['AND', 'AND', 'OR'])} {self.condition(both)}"
            if random.random() < 0.15:
                on += f" AND {self.exists(random.choice(names))}"
            text += f" {random.choice(kinds)} {item} ON {on}"
        known = [name for one in names for name in self.of(one)]
        where = self.condition(known)
        if random.random() < 0.3:
            where += f" AND {self.equal(*random.choices(names, k=2))}"
        if random.random() < 0.3:
            where += f" AND {self.exists(random.choice(names))}"
        shown = ", ".join(f"{name}.{random.choice(COLUMNS)}" for name in names)
        picked = random.choice([shown, "count(*)"])
        if random.random() < 0.3:
            picked += f", {self.scalar(random.choice(names))}"
        return f"SELECT {picked} FROM {text} WHERE {where}"

    def exists(self, outer: str) -> str:
        word = self.random.choice(["EXISTS", "NOT EXISTS"])
        return f"{word} (SELECT 1 FROM {self.item('e')} WHERE {self.inner(outer)})"

    def scalar(self, outer: str) -> str:
        item, random = self.item("e"), self.random
        if random.random() < 0.3:
            # A name given in the subquery comes before those around it.
            return f"(SELECT max(e.x) AS n FROM {item} WHERE {self.inner(outer)} AND n IS NOT 2)"
        if random.random() < 0.3:
            return f"(SELECT 1 FROM {item} JOIN u AS f ON f.id = e.id WHERE {self.inner(outer)})"
        return f"(SELECT group_concat(e.id) FROM {item} WHERE {self.inner(outer)})"

    def inner(self, outer: str) -> str:
        text = self.equal("e", outer)
        if self.random.random() < 0.5:
            text += f" AND {self.leaf(self.of('e') + self.of(outer))}"
        return text

    def by_name(self) -> str:
        random = self.random
        kind = random.choice(["", "LEFT ", "", "FULL ", "RIGHT "])
        column = random.choice(COLUMNS)
        how = random.choice(["NATURAL", "USING"])
        text = f"t AS a {how + ' ' if how == 'NATURAL' else ''}{kind}JOIN w AS b"
        text += "" if how == "NATURAL" else f" USING ({column})"
        if random.random() < 0.3:
            text += f" {random.choice(['', 'LEFT '])}JOIN u AS c USING ({column})"
        names = self.of("a") + self.of("b") + [column, column, column]
        return f"SELECT a.id, b.id, {column} FROM {text} WHERE {self.condition(names)}"

    def derived(self) -> str:
        """A query in FROM, or a common table, and conditions on what it offers."""
        random = self.random
        item = self.item("a")
        one, other = random.choices(COLUMNS, k=2)
        plain = f"SELECT a.{one} AS p, a.{other} AS q FROM {item} WHERE {self.leaf(self.of('a'))}"
        arm = f"SELECT b.{random.choice(COLUMNS)}, b.{random.choice(COLUMNS)} FROM {self.item('b')}"
        word = random.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
        text = random.choice(
            [
                plain,
                plain.replace("SELECT", "SELECT DISTINCT", 1),
                f"SELECT a.{one} AS p, count(*) AS q FROM {item} GROUP BY {random.choice('1p')}",
                f"SELECT a.{one} AS p, max(a.{other}) AS q FROM {item} GROUP BY a.{one}, a.s",
                f"SELECT a.{one} AS p, max(a.{other}) AS q FROM {item}",
                f"{plain} {word} {arm}",
                f"SELECT * FROM ({plain} {word} {arm}) UNION ALL {arm}",
                f"{plain} {word} {arm} ORDER BY 1, 2 LIMIT 2",
                f"{plain} ORDER BY 1, 2, a.id LIMIT 2",
                f"SELECT a.{one} AS p, row_number() OVER (ORDER BY a.id) AS q FROM {item}",
            ]
        )
        having = self.condition(["p", "q"])
        if random.random() < 0.3:
            return f"SELECT * FROM ({text}) WHERE {having}"
        if random.random() < 0.4:
            kind = random.choice(["JOIN", "LEFT JOIN"])
            on = f"b.{random.choice(COLUMNS)} = d.{random.choice(['p', 'q'])}"
            names = ["d.p", "d.q", *self.of("b")]
            sides = [f"({text}) AS d", self.item("b")]
            random.shuffle(sides)
            return (
                f"SELECT * FROM {sides[0]} {kind} {sides[1]} ON {on} WHERE {self.condition(names)}"
            )
        names = random.choice(["SELECT * FROM d", "SELECT d.q FROM d", "SELECT d.* FROM d, d AS f"])
        return f"WITH d(p, q) AS ({text}) {names} WHERE {self.condition(['d.p', 'd.q'])}"

    def grouped(self) -> str:
        one, other = self.random.choices(COLUMNS, k=2)
        having = self.condition([f"a.{one}", f"a.{other}", "count(*)", "k"])
        where = self.condition(self.of("a"))
        return (
            f"SELECT a.{one} AS k, count(*), max(a.{other}) FROM {self.item('a')} WHERE {where}"
            f" GROUP BY {self.random.choice(['1', 'k', 'a.' + one, 'a.' + one + ', a.s'])}"
            f" HAVING {having}"
        )

    def recursive(self) -> str:
        where = self.leaf(self.of("a"))
        return (
            f"WITH RECURSIVE r(p, q) AS (SELECT a.id, a.x FROM t AS a WHERE {where}"
            f" UNION SELECT b.id, b.x FROM t AS b JOIN r ON b.x = r.p)"
            f" SELECT * FROM r WHERE {self.condition(['p', 'q'])}"
        )

    def query(self) -> str:
        shapes = [self.joined] * 5 + [self.derived] * 3
        shapes += [self.by_name, self.grouped, self.recursive, self.asked]
        return self.random.choice(shapes)()

    def asked(self) -> str:
        """Some of the columns of a view, a common table, or a query in FROM."""
        random = self.random
        item = self.item("a")
        one, other, third = random.choices(COLUMNS, k=3)
        order = random.choice(["", f" ORDER BY {other}, id", " ORDER BY 2, 1"])
        inner = random.choice(
            [
                f"SELECT * FROM {item}{order}",
                f"SELECT id, x, a.s, n FROM {item}{order}",
                f"SELECT a.{other} AS y, a.{one} AS {one}, id FROM {item}{order}",
                f"SELECT a.{other} AS y, a.{one} AS {one}, id FROM {item} ORDER BY y, id LIMIT 2",
                f"SELECT DISTINCT {one}, {other} FROM {item}",
                f"SELECT max({other}), {one} FROM {item}",
                f"SELECT {one}, {other} FROM {item} UNION ALL SELECT {other}, {third} FROM u",
                f"SELECT a.{one}, b.{one} FROM {item}, w AS b",
                f"SELECT row_number() OVER (ORDER BY {other}), a.{one} FROM {item}",
            ]
        )
        where = f" WHERE {self.leaf([one])}" if random.random() < 0.5 else ""
        picked = random.choice([one, one, f"count(*), max({one})", "count(*)", f'"{one}:1"', "1"])
        form = random.randrange(4)
        if form == 0:
            return f"WITH c AS ({inner}) SELECT {picked} FROM c{where}"
        if form == 1:
            return f"WITH c(p, q) AS ({inner}) SELECT p FROM c"
        if form == 2:
            return f"SELECT {picked} FROM (SELECT * FROM ({inner})){where}"
        return f"SELECT {picked} FROM ({inner}) AS c{where}"


def write(engine: Engine, random: Random) -> tuple[str, ChangeSet]:
    """A row comes, goes, or changes in one column."""
    table, rowid = random.choice("tuw"), random.choice(VALUES["id"])
    look = f"SELECT * FROM {table} WHERE id = {rowid}"
    old = next(iter(engine.run(look)), None)
    column = random.choice(COLUMNS[1:])
    if old is None:
        row = [rowid, *(random.choice(VALUES[name]) for name in COLUMNS[1:])]
        engine.run(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", row)
        what = "INSERT"
    elif random.random() < 0.25:
        engine.run(f"DELETE FROM {table} WHERE id = {rowid}")
        what = "DELETE"
    else:
        value = [random.choice(VALUES[column])]
        engine.run(f"UPDATE {table} SET {column} = ? WHERE id = {rowid}", value)
        what = f"UPDATE {column}"
    new = next(iter(engine.run(look)), None)
    change = RowChange(old, new, None if old is None else rowid, None if new is None else rowid)
    return f"{what} {table} {old} -> {new}", ChangeSet(1, {table: (change,)})


def check(random: Random) -> dict[str, int]:
    """Hold the regions of random queries against what writes change."""
    counts = dict.fromkeys(("asked", "changed", "silent", "spurious", "invalid"), 0)
    engine = Engine(*SCHEMA)
    for _ in range(10):
        write(engine, random)
    asked = 0
    while asked < QUERIES:
        sql = Shapes(random).query()
        try:
            before = engine.run(sql)
        except apsw.SQLError:
            counts["invalid"] += 1
            continue
        region = engine.analyse(sql).region()
        asked += 1
        for _ in range(WRITES):
            text, change = write(engine, random)
            after = engine.run(sql)
            touched, changed = region.touched_by(change), repr(before) != repr(after)
            counts["asked"] += 1
            counts["changed"] += changed
            counts["silent"] += not touched
            counts["spurious"] += touched and not changed
            assert touched or not changed, (sql, region, text, before, after)
            before = after
    return counts


@settings(max_examples=40)
@given(st.integers(0, 2**48))
def test_a_no_is_a_no(seed: int) -> None:
    check(Random(seed))


def test_much_is_told() -> None:
    """The figures of a fixed run: who always says yes would pass the test above."""
    totals: dict[str, int] = {}
    for seed in range(15):
        for name, count in check(Random(seed)).items():
            totals[name] = totals.get(name, 0) + count
    assert totals["changed"] > 150, totals
    assert totals["silent"] > totals["spurious"], totals


@pytest.mark.parametrize(
    "sql",
    [
        # A row of b that no row of a meets is not there to keep a row of NULLs away …
        "SELECT a.id FROM t AS a LEFT JOIN u AS b ON b.x = a.x WHERE a.x = 1 AND b.x IS NULL",
        # … but here it is.
        "SELECT a.id FROM t AS a LEFT JOIN u AS b ON b.x = a.x WHERE b.x IS NULL OR a.x = 1",
        "SELECT a.id FROM w AS a LEFT JOIN (u AS b LEFT JOIN t AS c ON c.x = b.x)"
        " ON b.id = a.id AND c.n = 1 WHERE b.x IS NULL",
        "SELECT a.id FROM w AS a LEFT JOIN u AS b"
        " ON b.x = a.x AND EXISTS (SELECT 1 FROM t AS c WHERE c.x = b.x) WHERE b.x IS NULL",
        "SELECT a.id, b.id FROM t AS a FULL JOIN u AS b ON b.x = a.x AND a.n = 1",
        # Columns that are equal, but not alike.
        "SELECT a.id, b.id FROM t AS a JOIN u AS b ON a.s = b.s WHERE a.s = 'A'",
        "SELECT a.id, b.id FROM u AS a JOIN w AS b ON a.n = b.n WHERE a.n LIKE '1.%'",
        # A name given in the subquery comes before those around it.
        "SELECT a.id, (SELECT e.y AS x FROM (SELECT id AS i, x AS y FROM u) AS e WHERE e.i = x"
        " ORDER BY 1 DESC) FROM t AS a WHERE a.x = 1",
        "WITH RECURSIVE r(p, q) AS (SELECT id, x FROM t WHERE id = 1 UNION"
        " SELECT t.id, t.x FROM t JOIN r ON t.x = r.p) SELECT * FROM r WHERE q = 2",
        "SELECT * FROM (SELECT id, x FROM t ORDER BY id LIMIT 1) WHERE x = 1",
        # Results that nobody asks for, and that matter all the same.
        "SELECT s FROM extreme",
        "SELECT s FROM (SELECT s, x FROM t ORDER BY 2 LIMIT 1)",
        "SELECT s FROM (SELECT s, x FROM t ORDER BY 2 COLLATE NOCASE DESC LIMIT 1)",
        "SELECT s FROM (SELECT s, x FROM t ORDER BY (+2) LIMIT 1)",
        "SELECT s FROM (SELECT s, x AS y FROM t ORDER BY y LIMIT 1)",
        "SELECT count(*) FROM (SELECT DISTINCT s, x FROM t)",
        "SELECT count(*) FROM (SELECT s, x FROM t UNION SELECT s, x FROM u)",
        'SELECT "s:1" FROM (SELECT a.s, b.s FROM t AS a JOIN u AS b ON b.id = a.id)',
        'SELECT "1 + x" FROM (SELECT s, 1 + x FROM t)',
        'SELECT "nullif(1, x)" FROM (SELECT s, nullif(1, x) FROM t)',
        'SELECT "CAST(x AS TEXT)" FROM (SELECT s, CAST(x AS TEXT) FROM t)',
        "SELECT q FROM (SELECT (SELECT max(w.s) FROM w WHERE w.id = t.x) AS q, n FROM t)",
        "SELECT (SELECT y FROM (SELECT d.k AS y)) FROM (SELECT id, x AS k FROM t) AS d",
        "SELECT d.id FROM (SELECT id, x AS k FROM t) AS d WHERE EXISTS"
        " (SELECT 1 FROM w JOIN (SELECT id FROM u WHERE u.x = d.k) AS e ON e.id = w.id)",
        "SELECT DISTINCT * FROM (SELECT DISTINCT s FROM t) WHERE s = 'a' COLLATE BINARY",
        "SELECT * FROM (SELECT s, count(*) FROM t GROUP BY s) WHERE s = 'a' COLLATE BINARY",
        "SELECT * FROM (SELECT x AS p FROM t UNION ALL SELECT n FROM u) WHERE p > 5",
        "SELECT * FROM (SELECT n AS p FROM u UNION SELECT x FROM t) WHERE p > 5",
        "SELECT * FROM (SELECT x AS p FROM t UNION ALL SELECT id FROM u ORDER BY 1 LIMIT 1)"
        " WHERE p = 1",
    ],
)
def test_each_trap(sql: str) -> None:
    """Every write of a long random walk, against a query at the edge of a rule."""
    random = Random(sql)
    engine = Engine(*SCHEMA)
    region = engine.analyse(sql).region()
    before, changed = engine.run(sql), 0
    for _ in range(2500):
        text, change = write(engine, random)
        after = engine.run(sql)
        if repr(after) != repr(before):
            changed += 1
            assert region.touched_by(change), (region, text, before, after)
        before = after
    assert changed > 20
