"""Odd values, conditions and statements for results that are followed."""

from __future__ import annotations

from random import Random
from typing import Any

COLUMNS = ("owner", "title", "n", "x")
ODD: tuple[Any, ...] = (
    None, 0, 1, 2, 3, -1, 1.0, 2.5, -2.5, 3.0, 1e18, 2**62, -(2**63), "a", "A", "b", "b ", "B ",
    "", " 1", "01", "é", "Z", "a  ", b"", b"a", b"\xff",
)  # fmt: skip
PLAIN: tuple[Any, ...] = (None, 0, 1, 2, 3, 5, -1, "a", "b", "c")

SCHEMA = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, owner INTEGER, title TEXT COLLATE NOCASE, n REAL, x)",
    "CREATE TABLE o(id INTEGER PRIMARY KEY, name TEXT)",
    "CREATE TABLE w(a TEXT, b, c, PRIMARY KEY(a, b)) WITHOUT ROWID",
    "CREATE VIEW v AS SELECT id, owner, title, n, x FROM t WHERE x IS NOT 2",
    "CREATE VIEW vv AS SELECT title AS name, id, owner, n || '!' AS loud, n AS title, x, n FROM v"
    " WHERE owner > 0 OR n",
)

#: {w} is a condition, {k} a column, {d} DESC or not.
ROWS = (
    "SELECT id, owner, x FROM t WHERE {w}",
    "SELECT * FROM t WHERE {w} ORDER BY {k} {d}, id",
    "SELECT id, {k} FROM t ORDER BY {k} {d}, id LIMIT 3",
    "SELECT id, {k} FROM t WHERE {w} ORDER BY {k} {d}, id {d} LIMIT 2 OFFSET 1",
    "SELECT {k}, id FROM t ORDER BY {k} COLLATE RTRIM {d} NULLS LAST, id LIMIT 4",
    "SELECT {k} AS shown FROM t AS u ORDER BY shown {d} NULLS FIRST",
    "SELECT {k} FROM t",
    "SELECT id, {k} || '!' AS shown, length(title) FROM t WHERE {w} ORDER BY id DESC",
    "SELECT a, b, c FROM w ORDER BY c {d}, a, b",
    "SELECT c FROM w WHERE b > 1 ORDER BY c",
)
JOINS = (
    "SELECT t.id, o.name FROM t JOIN o ON o.id = t.owner WHERE {w} ORDER BY t.id",
    "SELECT t.id, o.name FROM t, o WHERE o.id = t.owner AND {w} ORDER BY t.{k}, t.id LIMIT 4",
    "SELECT t.id, t.{k}, o.name FROM t LEFT JOIN o ON o.id = t.owner ORDER BY t.{k}, t.id",
    "SELECT t.id, o.name FROM t LEFT JOIN o ON o.id = t.owner WHERE {w} ORDER BY o.name, t.id",
    "SELECT t.id, o.name FROM t LEFT JOIN o ON o.id = t.owner WHERE {w} ORDER BY t.{k} {d}, t.id"
    " LIMIT 3",
    "SELECT t.{k}, o.* FROM t LEFT JOIN o ON o.id = t.owner ORDER BY t.id {d} LIMIT 4 OFFSET 1",
    "SELECT t.id, o.name FROM t LEFT JOIN o ON o.id = t.owner ORDER BY o.name {d}, t.id LIMIT 3",
    "SELECT t.id, b.id, b.{k} FROM t LEFT JOIN t b ON b.owner = t.id ORDER BY t.{k}, t.id LIMIT 4",
    "SELECT a.id, b.id, b.{k} FROM t a JOIN t b ON a.id = b.owner ORDER BY b.{k}, a.id, b.id",
)
GROUPS = (
    "SELECT DISTINCT {k} FROM t WHERE {w} ORDER BY {k} {d}",
    "SELECT DISTINCT {k} FROM t WHERE {w}",
    "SELECT DISTINCT owner, {k} FROM t ORDER BY owner {d}",
    "SELECT DISTINCT {k} AS y FROM t AS u LIMIT 2 OFFSET 1",
    "SELECT DISTINCT owner, n IS NULL FROM t WHERE {w} ORDER BY length(title) {d} LIMIT 3",
    "SELECT count(*), count({k}), sum({k}), avg({k}), total({k}), min({k}), max({k}) FROM t"
    " WHERE {w}",
    "SELECT owner, count(*), sum({k}), avg({k}), min({k}), max({k}) FROM t GROUP BY owner",
    "SELECT owner, count(*), sum(id), avg(id), max({k}) FROM t GROUP BY owner ORDER BY 2 {d}",
    "SELECT title, count(*) AS c FROM t WHERE {w} GROUP BY title HAVING c > 1"
    " ORDER BY c DESC, title",
    "SELECT owner, title, sum(n) FROM t GROUP BY owner, title ORDER BY owner, title",
    "SELECT x, count(*) FROM t GROUP BY 1 ORDER BY count(*) DESC",
    "SELECT owner, x, max(id), count(title) FROM t GROUP BY owner, x"
    " ORDER BY x DESC, owner LIMIT 3 OFFSET 1",
    "SELECT owner, coalesce(sum(id), 0) / count(*) AS mean, owner || ':' || count({k}) FROM t"
    " WHERE {w} GROUP BY owner HAVING mean > 2 AND count(*) < 9 ORDER BY sum(id) {d}",
    "SELECT id % 3, sum(id), max(id), min({k}) FROM t GROUP BY id % 3",
    "SELECT title, min(x), max(n), sum(id) s FROM t WHERE {w} GROUP BY title ORDER BY s {d}",
    "SELECT b, count(*), sum(c), min(a) FROM w GROUP BY b",
    "SELECT owner, count(DISTINCT {k}), max(DISTINCT x), count({k}) FROM t WHERE {w}"
    " GROUP BY owner",
    "SELECT count(DISTINCT {k}), count(DISTINCT x), sum(id) FROM t WHERE {w}",
    "SELECT title, count(DISTINCT {k}) AS c FROM t GROUP BY title HAVING c > 1"
    " ORDER BY c {d}, title",
    "SELECT b, count(DISTINCT c), min(c), max(c) FROM w GROUP BY b",
    "SELECT id, title, n, count(*) FROM t GROUP BY id",
    "SELECT length(title) AS size, count(*), max({k}) FROM t WHERE {w} GROUP BY size"
    " ORDER BY size {d}",
    'SELECT {k} AS "y", count(*), sum(id) FROM t GROUP BY Y, [y]',
    "SELECT max(id) % 3 AS owner, count(*) FROM t GROUP BY owner",  # that of the table
    'SELECT max(id) AS "null", count(*) FROM t GROUP BY null',
    'SELECT title AS "null", count(*) FROM t GROUP BY title ORDER BY null, 2',
    "SELECT count(*) FROM t",
    "SELECT max(id) FROM t WHERE {w}",
)

GROUPED_JOINS = (
    "SELECT o.name, count(*), max(t.{k}) FROM t JOIN o ON o.id = t.owner WHERE {w} GROUP BY o.name"
    " ORDER BY o.name",
    "SELECT o.id, o.name, count(t.id), sum(t.id), min(t.{k}) FROM o LEFT JOIN t ON o.id = t.owner"
    " GROUP BY o.id",
    "SELECT o.id, count(DISTINCT t.{k}) AS c FROM t, o WHERE o.id = t.owner GROUP BY 1"
    " ORDER BY c {d}, o.id LIMIT 3",
    "SELECT count(*), count(o.id), max(t.{k}), count(DISTINCT o.name) FROM t LEFT JOIN o"
    " ON o.id = t.owner WHERE {w}",
    "SELECT DISTINCT o.name, t.owner FROM t JOIN o ON o.id = t.owner WHERE {w} ORDER BY 1, 2",
    "SELECT a.owner, count(*) FROM t a JOIN t b ON a.id = b.owner GROUP BY a.owner"
    " HAVING count(b.{k}) > 0",
    "SELECT t.title, sum(length(o.name)), total(o.id) FROM t JOIN o ON o.id = t.owner"
    " GROUP BY t.title ORDER BY 2 {d}, 1",
    "SELECT o.id, o.name || ':' || count(t.id) AS shown FROM o LEFT JOIN t ON o.id = t.owner"
    " GROUP BY o.id ORDER BY o.name, o.id",
    "SELECT sum(t.{k}) FROM t JOIN o ON o.id = t.owner",
    "SELECT o.name || t.x AS y, count(*) FROM t JOIN o ON o.id = t.owner GROUP BY y ORDER BY y {d}",
    "SELECT o.id, t.{k}, count(*) FROM o JOIN t ON o.id = t.owner GROUP BY o.id",
)
DERIVED = (
    "SELECT * FROM v AS t WHERE {w} ORDER BY {k} {d}, id",
    "SELECT id, {k} FROM v ORDER BY {k} {d}, id LIMIT 3 OFFSET 1",
    "SELECT {k} FROM v AS t WHERE {w}",
    "SELECT vv.*, loud FROM vv ORDER BY {k} {d}, name, id",
    "SELECT t.id, t.loud AS shown, length(name) FROM vv t WHERE {w} ORDER BY t.id DESC LIMIT 4",
    "WITH c AS (SELECT id, {k} AS y, owner AS boss FROM t WHERE {w}) SELECT y, id FROM c WHERE boss"
    " ORDER BY y {d} NULLS LAST, id",
    "WITH a AS (SELECT * FROM v), c AS (SELECT id, x, title FROM a AS t WHERE id > 1) SELECT *"
    " FROM c ORDER BY title {d}, id LIMIT 4",
    "SELECT y.k, y.id FROM (SELECT t.{k} AS k, id FROM t WHERE {w}) AS y ORDER BY 1 {d}, y.id",
    "SELECT id, k FROM (SELECT t.{k} AS k, id FROM t) AS y WHERE k > 1",
    "SELECT t.id, o.name FROM v AS t JOIN o ON o.id = t.owner WHERE {w} ORDER BY t.{k}, t.id",
    "SELECT o.id, y.id, y.k FROM o LEFT JOIN (SELECT id, owner, {k} AS k, 1 AS one FROM t"
    " WHERE n IS NOT NULL) y ON y.owner = o.id ORDER BY o.id, y.id",
    "SELECT owner, count(*), sum(id), max({k}), count(DISTINCT x) FROM v AS t WHERE {w}"
    " GROUP BY owner ORDER BY owner {d}",
    "SELECT name, count(*) FROM vv GROUP BY name ORDER BY 2 {d}, name LIMIT 3",
    "SELECT count(*), count({k}), min({k}), sum(id) FROM v AS t WHERE {w}",
    "SELECT o.id, count(v.id), max(v.{k}) FROM o LEFT JOIN v ON v.owner = o.id GROUP BY o.id",
)


def literal(value: Any) -> str:
    """A value as SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "'" + value + "'" if isinstance(value, str) else repr(value)


def condition(random: Random) -> str:
    """A condition on table t."""
    column = random.choice(COLUMNS)
    one, two = literal(random.choice(ODD)), literal(random.choice(ODD))
    return random.choice(
        (
            f"t.{column} = {one}", f"t.{column} > {one}", f"t.{column} BETWEEN {one} AND {two}",
            f"t.{column} IN ({one}, {two})", f"t.{column} IS NOT {one}", f"t.{column} IS NULL",
            f"t.{column} LIKE 'a%'", f"NOT (t.{column} < {one})", "t.id > 2", f"t.{column}",
            f"(t.{column} = {one} OR t.owner = 2)", f"t.id % 2 = 0 AND t.{column} <> {one}",
        )
    )  # fmt: skip


def statement(random: Random, shapes: tuple[str, ...]) -> str:
    """One of the shapes with random parts."""
    return random.choice(shapes).format(
        w=condition(random), k=random.choice(COLUMNS), d=random.choice(("", "DESC"))
    )


def exact(rows: Any) -> list[tuple[tuple[str, str], ...]]:
    """Rows such that 1 and 1.0 differ."""
    return [tuple((type(value).__name__, repr(value)) for value in row) for row in rows]
