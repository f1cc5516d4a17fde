"""Random schemas, queries of every shape, and writes, over small domains so that rows meet."""

from __future__ import annotations

from random import Random
from typing import Any

import apsw

from tests.understanding.engine import Engine

SMALL: list[Any] = [0, 1, 2, 3, 1.0, 2.5, "a", "A", "b", "ab", "1", "2", "", None, None, b"a"]


def SCHEMA(random: Random) -> list[str]:
    """Three tables, sometimes with indexes, and views over them."""
    kinds = ["", "INTEGER", "TEXT", "NUMERIC", "TEXT COLLATE NOCASE", "REAL"]
    a, b, c, d, e = (random.choice(kinds) for _ in range(5))
    result = [
        f"CREATE TABLE t(id INTEGER PRIMARY KEY, a {a}, b {b}, g AS (a || 'x') STORED)",
        f"CREATE TABLE u(k {c}, t_id INTEGER, y {d}, PRIMARY KEY(k, t_id)) WITHOUT ROWID",
        f"CREATE TABLE w(a {e}, z)",
        "CREATE VIEW v AS SELECT id, a, b FROM t WHERE b IS NOT NULL",
        "CREATE VIEW vj(i, kk, yy) AS SELECT t.id, u.k, u.y FROM t LEFT JOIN u ON u.t_id = t.id",
        "CREATE VIEW vv AS SELECT v.id AS i, w.z FROM v JOIN w ON w.a = v.a AND w.z > 0",
        "CREATE VIEW vn AS SELECT id FROM t NATURAL JOIN w",
        "CREATE VIEW va AS SELECT a, count(*) AS n FROM t GROUP BY a",
    ]
    for index in (
        "CREATE INDEX t_a ON t(a)",
        "CREATE INDEX t_b ON t(b, a)",
        "CREATE INDEX w_z ON w(z)",
        "CREATE INDEX u_y ON u(y)",
        "CREATE INDEX t_e ON t(lower(a))",
        "CREATE INDEX t_p ON t(b) WHERE a = 1",
        "CREATE UNIQUE INDEX w_u ON w(a, z)",
    ):
        result += [index] * (random.random() < 0.3)
    return result


def write(engine: Engine, random: Random) -> str:
    """One random write; a constraint that it violates makes it a write of nothing."""

    def value() -> Any:
        return random.choice(SMALL)

    statements: list[tuple[str, list[Any]]] = [
        (
            "INSERT OR REPLACE INTO t(id, a, b) VALUES (?, ?, ?)",
            [random.randrange(9), value(), value()],
        ),
        ("INSERT OR REPLACE INTO u VALUES (?, ?, ?)", [value() or 0, random.randrange(5), value()]),
        ("INSERT OR REPLACE INTO w VALUES (?, ?)", [value(), value()]),
        ("UPDATE t SET a = ? WHERE id = ?", [value(), random.randrange(9)]),
        ("UPDATE t SET b = ? WHERE id = ?", [value(), random.randrange(9)]),
        ("UPDATE t SET id = id + 9 WHERE id = ?", [random.randrange(9)]),
        ("UPDATE OR REPLACE t SET id = ? WHERE id = ?", [random.randrange(9), random.randrange(9)]),
        ("UPDATE u SET y = ? WHERE t_id = ?", [value(), random.randrange(5)]),
        ("UPDATE w SET z = ? WHERE a IS ?", [value(), value()]),
        ("UPDATE OR REPLACE w SET a = ? WHERE z IS ?", [value(), value()]),
        ("DELETE FROM t WHERE id = ?", [random.randrange(18)]),
        ("DELETE FROM u WHERE t_id = ? AND y IS ?", [random.randrange(5), value()]),
        ("DELETE FROM w WHERE rowid % 7 = ?", [random.randrange(7)]),
        ("UPDATE t SET a = b, b = a WHERE id < ?", [random.randrange(4)]),
    ]
    sql, params = random.choice(statements)
    try:
        engine.run(sql, params)
    except apsw.ConstraintError:
        return "nothing"
    return f"{sql} {params}"


class Queries:
    """Random SELECTs as text, and their parameters."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.params: list[Any] = []

    def constant(self) -> str:
        item = self.random.choice(SMALL)
        if self.random.random() < 0.5:
            self.params.append(item)
            return "?"
        if item is None:
            return "NULL"
        if isinstance(item, bytes):
            return f"x'{item.hex()}'"
        return f"'{item}'" if isinstance(item, str) else repr(item)

    def leaf(self, columns: list[str]) -> str:
        random = self.random
        column, pick = random.choice(columns), random.randrange(10)
        if pick < 4:
            return f"{column} {random.choice(['=', '<>', '<', '>='])} {self.constant()}"
        if pick < 5:
            return f"{column} IS {random.choice(['', 'NOT '])}{self.constant()}"
        if pick < 6:
            items = ", ".join(self.constant() for _ in range(random.randrange(1, 3)))
            return f"{column} {random.choice(['', 'NOT '])}IN ({items})"
        if pick < 7:
            low = self.constant()
            return f"{column} {random.choice(['', 'NOT '])}BETWEEN {low} AND {self.constant()}"
        if pick < 8:
            return f"{column} IS {random.choice(['', 'NOT '])}NULL"
        if pick < 9:
            return f"{column} = {random.choice(columns)}"
        return f"{random.choice(['coalesce', 'ifnull'])}({column}, 1) = {self.constant()}"

    def condition(self, columns: list[str], depth: int = 2) -> str:
        random = self.random
        if depth == 0 or random.random() < 0.4:
            if random.random() < 0.12 and depth:
                return self.subquery(columns)
            return self.leaf(columns)
        if random.random() < 0.15:
            return f"NOT ({self.condition(columns, depth - 1)})"
        left = self.condition(columns, depth - 1)
        return (
            f"({left} {random.choice(['AND', 'AND', 'OR'])} {self.condition(columns, depth - 1)})"
        )

    def subquery(self, columns: list[str]) -> str:
        random = self.random
        column = random.choice(columns)
        pick = random.randrange(10)
        inner = random.choice(["s.a", "s.z", "a", "z", "rowid"])
        if pick == 0:
            return f"EXISTS (SELECT 1 FROM w AS s WHERE {self.leaf([inner])} AND s.a = {column})"
        if pick == 1:
            return f"{column} IN (SELECT z FROM w WHERE {self.leaf(['a', 'w.z'])})"
        if pick == 2:
            inner = self.leaf(["s.a", "s.b"])
            return f"NOT EXISTS (SELECT 1 FROM t AS s WHERE s.id = {column} AND {inner})"
        if pick == 3:
            return f"{column} = (SELECT max(y) FROM u WHERE {self.leaf(['k', 'y'])})"
        if pick == 4:
            return f"{column} NOT IN (SELECT i FROM vj WHERE {self.leaf(['kk', 'yy'])})"
        if pick == 5:
            return f"EXISTS (SELECT 1 FROM u WHERE t_id = {column} AND {self.leaf(['y', 'k'])})"
        if pick == 6:
            return f"(SELECT max(s.z) FROM w s LEFT JOIN u ON u.t_id = {column} AND u.k = s.a) > 0"
        if pick == 7:
            return f"(SELECT b FROM t AS s WHERE s.id = {column} ORDER BY a LIMIT 1) IS NOT NULL"
        if pick == 8:
            return (
                f"EXISTS (SELECT 1 FROM u JOIN t AS s ON s.id = u.t_id WHERE u.t_id = {column}"
                f" AND EXISTS (SELECT 1 FROM w WHERE w.rowid = s.id AND {self.leaf(['z'])}))"
            )
        return f"(SELECT count(*) FROM v WHERE {self.leaf(['v.a', 'b', 'id'])}) > 1"

    def source(self, alias: str) -> tuple[str, list[str], bool]:
        """An item of FROM, its columns, and whether it has a rowid."""
        random = self.random
        pick = random.randrange(14)
        if pick < 4:
            return f"t AS {alias}", ["id", "a", "b", "g", "rowid"], True
        if pick < 6:
            return f"u {alias}", ["k", "t_id", "y"], False
        if pick < 8:
            return f"main.w AS {alias}", ["a", "z", "rowid", "oid"], True
        if pick < 9:
            return f"v AS {alias}", ["id", "a", "b"], False
        if pick < 10:
            return f"vj AS {alias}", ["i", "kk", "yy"], False
        if pick < 11:
            return f"vv AS {alias}", ["i", "z"], False
        if pick < 12:
            where = self.leaf(["a", "id"])
            return (
                f"(SELECT a, b AS bb, id + 1 AS c FROM t WHERE {where}) AS {alias}",
                ["a", "bb", "c"],
                False,
            )
        if pick < 13:
            on = self.leaf(["w.z", "t.b"])
            return (
                f"(SELECT * FROM t LEFT JOIN w ON w.a = t.a AND {on}) AS {alias}",
                ["id", "b", "z"],
                False,
            )
        return self._compound(alias), ["p", "q"], False

    def _compound(self, alias: str) -> str:
        pick = self.random.randrange(10)
        if pick == 5:
            inner = f"SELECT DISTINCT b AS p, id AS q FROM t WHERE {self.leaf(['a'])}"
        elif pick == 6:
            inner = (
                f"SELECT t_id AS p, count(*) AS q FROM u GROUP BY 1 HAVING {self.leaf(['p', 'q'])}"
            )
        elif pick == 7:
            word = self.random.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT"])
            inner = f"SELECT id AS p, b AS q FROM t {word} SELECT t_id, y FROM u"
        elif pick == 8:
            word = self.random.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT"])
            inner = (
                f"SELECT p, q FROM (SELECT id AS p, b AS q FROM t UNION ALL SELECT i, yy FROM vj) "
                f"{word} SELECT * FROM (SELECT id, a FROM t GROUP BY id, 2)"
            )
        elif pick == 9:
            inner = "SELECT id + 0 AS p, coalesce(b, '-') AS q, lower(a) FROM t"
        elif pick == 0:
            inner = (
                f"SELECT a AS p, b AS q FROM t UNION SELECT k, y FROM u WHERE {self.leaf(['y'])}"
            )
        elif pick == 1:
            inner = f"SELECT DISTINCT a AS p, b AS q FROM t WHERE {self.leaf(['b'])} LIMIT 3"
        elif pick == 2:
            inner = (
                f"SELECT a AS p, count(*) AS q FROM t WHERE {self.leaf(['b', 't.id'])} GROUP BY a"
            )
        elif pick == 3:
            inner = f"SELECT a AS p, max(b) OVER () AS q FROM t WHERE {self.leaf(['b', 'id'])}"
        else:
            inner = "SELECT x.a AS p, n AS q FROM va AS x"
        return f"({inner}) AS {alias}"

    def by_name(self) -> str:
        """Joins whose columns SQLite finds itself, without a word to its authorizer."""
        random = self.random
        join = random.choice(
            [
                "t JOIN w USING (a)",
                "t LEFT JOIN w USING (a)",
                "t NATURAL JOIN w",
                "t NATURAL LEFT JOIN w",
                "w NATURAL JOIN v",
                "w RIGHT JOIN t USING (a)",
                "w FULL JOIN t USING (a)",
                "t AS x JOIN t AS y USING (b)",
                "(SELECT a AS z FROM t) NATURAL JOIN w",
                "vn",
            ]
        )
        picked = random.choice(["count(*)", "1", "*"])
        names = {"vn": ["id"], "t AS x JOIN t AS y USING (b)": ["x.id", "y.a", "b"]}.get(
            join, ["a"]
        )
        where = f" WHERE {self.leaf([*names])}" if random.random() < 0.5 else ""
        return f"SELECT {picked} FROM {join}{where}"

    def _group(self, item: str, alias: str, columns: list[str]) -> str:
        """The item joined with another one, in parentheses."""
        join = self.random.choice(["JOIN", "LEFT JOIN", "JOIN", "FULL JOIN"])
        other = f"x{alias[1:]}"
        on = f"{other}.t_id = {alias}.{self.random.choice(columns)}"
        if self.random.random() < 0.5:
            on += f" AND {self.leaf([f'{other}.k', f'{other}.t_id'])}"
        return f"({item} {join} u AS {other} ON {on})"

    def chain(self) -> str:
        """Joins by equality, with constants at one end of them."""
        random = self.random
        kinds = ["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN"]
        ids = ["t0.id", "u1.t_id", "t2.id", "w3.a"]
        text = "t AS t0"
        for number, item in enumerate(["u AS u1", "t AS t2", "w AS w3"], 1):
            left = random.choice(ids[:number])
            kind = random.choice(kinds[: 3 + random.randrange(3)])
            text += f" {kind} {item} ON {ids[number]} = {left}"
            if random.random() < 0.4:
                text += f" AND {self.leaf([*ids[: number + 1], 't0.b'])}"
        where = self.leaf([random.choice(ids)])
        if random.random() < 0.4:
            where += f" {random.choice(['AND', 'AND', 'OR'])} {self.leaf(ids)}"
        if random.random() < 0.3:
            where += f" AND {random.choice(ids)} = {random.choice(ids)}"
        if random.random() < 0.4:
            where += (
                f" AND {random.choice(['', 'NOT '])}EXISTS (SELECT 1 FROM t JOIN w ON w.a = t.id"
                f" WHERE t.id = {random.choice(ids)} AND {self.leaf(['z', 't.b'])})"
            )
        picked = random.choice(
            ["*", "count(*)", "t0.id, (SELECT max(y) FROM u WHERE t_id = t0.id)"]
        )
        return f"SELECT {picked} FROM {text} WHERE {where}"

    def shared(self) -> str:
        """A common table that is named several times, or not at all."""
        random = self.random
        inner = random.choice(
            ["SELECT id, b FROM t", "SELECT t_id, y FROM u GROUP BY t_id", "SELECT * FROM vj"]
        )
        text = f"WITH c(i, j) AS ({inner}), d AS (SELECT * FROM c WHERE {self.leaf(['i', 'j'])})"
        pick = random.randrange(4)
        if pick == 0:
            return f"{text} SELECT a FROM t WHERE {self.leaf(['id', 'b'])}"
        if pick == 1:
            join = random.choice(["JOIN", "LEFT JOIN"])
            where = self.leaf(["c.i", "d.j"])
            return f"{text} SELECT * FROM c {join} d ON c.i = d.i WHERE {where}"
        if pick == 2:
            return f"{text} SELECT i FROM d WHERE EXISTS (SELECT 1 FROM c WHERE c.j = d.i)"
        first, second = self.leaf(["i"]), self.leaf(["j"])
        return f"{text} SELECT * FROM c WHERE {first} UNION ALL SELECT * FROM d WHERE {second}"

    def select(self) -> str:
        random = self.random
        text, columns, _ = self.source("s0")
        known = [f"s0.{column}" for column in columns]
        count = random.choice([0, 0, 0, 1, 1, 2])
        for number in range(1, count + 1):
            item, more, _ = self.source(f"s{number}")
            if random.random() < 0.2:
                item = self._group(item, f"s{number}", more)
                more = [*more, f"!x{number}.k", f"!x{number}.t_id"]
            names = [c[1:] if c[0] == "!" else f"s{number}.{c}" for c in more]
            kind = random.choice(["JOIN", "LEFT JOIN", "LEFT JOIN", ",", "RIGHT JOIN", "FULL JOIN"])
            text += f"{',' if kind == ',' else ' ' + kind} {item}"
            if kind != ",":
                on = f"{random.choice(known)} = {random.choice(names)}"
                known += names
                if random.random() < 0.6:
                    on += f" {random.choice(['AND', 'AND', 'OR'])} {self.leaf(known)}"
                text += f" ON {on}"
            else:
                known += names
        bare = [name[3:] for name in known] if not count else known
        where = (
            f" WHERE {self.condition(random.choice([known, bare]))}"
            if random.random() < 0.8
            else ""
        )
        picked = random.sample(known, min(len(known), 2))
        kind = random.randrange(14)
        if kind < 3:
            return f"SELECT {', '.join(picked)} FROM {text}{where}"
        if kind < 4:
            return f"SELECT count(*), min({picked[0]}) FROM {text}{where}"
        if kind < 5:
            return f"SELECT {picked[0]}, count(*) FROM {text}{where} GROUP BY 1"
        if kind < 6:
            return f"SELECT {picked[0]} FROM {text}{where} ORDER BY {picked[-1]} LIMIT 3"
        if kind < 7:
            return f"SELECT DISTINCT {picked[0]} FROM {text}{where}"
        other = random.choice(known)
        if kind < 8:
            return f"SELECT {picked[0]} FROM {text}{where} ORDER BY {other}, 1"
        if kind < 9:
            return f"SELECT group_concat({picked[0]} ORDER BY {other}) FROM {text}{where}"
        if kind < 10:
            return f"SELECT count(*) FILTER (WHERE {self.leaf(known)}) FROM {text}{where}"
        if kind < 11:
            return f"SELECT sum(1) OVER (ORDER BY {other}) FROM {text}{where}"
        if kind < 12:
            having = self.leaf([f"max({other})", picked[0]])
            return f"SELECT count(*) FROM {text}{where} GROUP BY {picked[0]} HAVING {having}"
        if kind < 13:
            return f"SELECT 1 FROM {text}{where} LIMIT 2"
        return (
            f"SELECT {picked[0]}, (SELECT max(z) FROM w WHERE w.a = {picked[0]}) FROM {text}{where}"
        )

    def query(self) -> str:
        random = self.random
        pick = random.randrange(16)
        if pick < 7:
            return self.select()
        if pick > 12:
            return self.chain()
        if pick > 10:
            return self.shared()
        if pick > 9:
            return self.by_name()
        if pick < 8:
            first = self.select()
            return f"SELECT * FROM ({first}) UNION ALL SELECT * FROM ({self.select()})"
        if pick < 9:
            condition = self.leaf(["a", "b", "id"])
            return (
                f"WITH c AS (SELECT id, a FROM t WHERE {condition}) "
                f"SELECT * FROM c LEFT JOIN w ON w.a = c.a AND {self.leaf(['w.z', 'c.id'])}"
            )
        start = self.leaf(["a", "id"])
        return (
            f"WITH RECURSIVE r(n) AS (SELECT id FROM t WHERE {start} UNION SELECT u.t_id"
            f" FROM u JOIN r ON u.k = r.n WHERE {self.leaf(['y'])}) SELECT n FROM r"
        )
