"""Of the queries that a commit wakes, how many had not changed; and is one ever missed?

    python -m benchmarks.wake_precision [WRITES]

Queries of every shape are watched while random single-row writes go on. After each write every
query is run again by bare APSW: a query that changed and was not delivered is *missed* (there must
be none), one that was brought up to date and had not changed is *spurious* (each costs a re-run).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from random import Random
from typing import Any

import apsw

from benchmarks.report import table
from reactive_sqlite import ReactiveDatabase

SCHEMA = (
    "CREATE TABLE task "
    "(id INTEGER PRIMARY KEY, owner INTEGER, state TEXT, rank INTEGER, note TEXT)",
    "CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE)",
    "CREATE VIEW open_task AS SELECT id, owner, rank FROM task WHERE state = 'open'",
    "CREATE VIEW per_owner AS "
    "SELECT owner, count(*) AS n, max(rank) AS top FROM task GROUP BY owner",
)
STATES = ("open", "done", "waiting", None)
QUERIES = {
    "key": ["SELECT * FROM task WHERE id = ?"] * 10,
    "equality": ["SELECT id, note FROM task WHERE owner = ?"] * 10,
    "IN": ["SELECT id FROM task WHERE owner IN (?, 3, 5) AND state = 'open'"] * 5,
    "range": ["SELECT id, rank FROM task WHERE rank BETWEEN ? AND 40"] * 5,
    "NULL": ["SELECT count(*) FROM task WHERE state IS NULL AND owner > ?"] * 3,
    "prefix": ["SELECT id FROM task WHERE note LIKE 'note 1%' AND owner <> ?"] * 3,
    "OR": ["SELECT id, rank FROM task WHERE owner = ? OR rank > 90"] * 5,
    "view": ["SELECT id, rank FROM open_task WHERE owner = ?"] * 5,
    "join": [
        "SELECT t.id, o.name FROM task AS t JOIN owner AS o ON o.id = t.owner "
        "WHERE t.state = 'open' AND t.rank < ? ORDER BY t.id"
    ]
    * 5,
    "left join": [
        "SELECT o.name, t.id FROM owner AS o LEFT JOIN task AS t ON t.owner = o.id AND t.rank < 5 "
        "WHERE o.id < ? ORDER BY o.id, t.id"
    ]
    * 3,
    "LIKE … ESCAPE": [r"SELECT id FROM task WHERE note LIKE 'note! 1%5' ESCAPE '!' AND owner <> ?"]
    * 3,
    "row value": ["SELECT id, rank FROM task WHERE (owner, rank) < (?, 50)"] * 3,
    "CASE, coalesce": [
        "SELECT id FROM task WHERE coalesce(state, 'none') = 'none' "
        "AND CASE WHEN owner = ? THEN 1 ELSE 0 END"
    ]
    * 5,
    "arithmetic": ["SELECT id FROM task WHERE owner + 1 = ? AND lower(state) = 'open'"] * 5,
    "joins in parentheses": [
        "SELECT t.id FROM owner AS o JOIN (task AS t JOIN owner AS p ON p.id = t.owner) "
        "ON o.id = p.id AND t.rank < 30 WHERE main.o.id = ? ORDER BY 1"
    ]
    * 5,
    "key through a join": [
        "SELECT o.name, t.id FROM owner AS o JOIN task AS t ON t.owner = o.id WHERE o.id = ? "
        "ORDER BY t.id"
    ]
    * 10,
    "key through a left join": [
        "SELECT o.name, t.id FROM owner AS o LEFT JOIN task AS t ON t.owner = o.id WHERE o.id = ? "
        "ORDER BY t.id"
    ]
    * 10,
    "correlated": [
        "SELECT name, (SELECT count(*) FROM task WHERE task.owner = owner.id AND rank > 50) "
        "FROM owner WHERE id = ?"
    ]
    * 10,
    "EXISTS": [
        "SELECT name FROM owner AS o WHERE o.id = ? "
        "AND EXISTS (SELECT 1 FROM task WHERE owner = o.id AND state = 'done')"
    ]
    * 10,
    "common table": [
        "WITH mine AS (SELECT id, owner, rank FROM task), unused AS (SELECT * FROM owner) "
        "SELECT a.id, b.id FROM mine AS a JOIN mine AS b ON a.rank = b.rank "
        "WHERE a.owner = ? AND b.owner = 3 ORDER BY 1, 2"
    ]
    * 5,
    "compound": [
        "SELECT * FROM (SELECT id AS x, owner AS y FROM task "
        "UNION ALL SELECT rank, owner FROM task) WHERE y = ? ORDER BY 1, 2"
    ]
    * 5,
    "group of a view": ["SELECT n, top FROM per_owner WHERE owner = ?"] * 10,
    "HAVING": ["SELECT owner, sum(rank) FROM task GROUP BY owner HAVING owner = ? AND count(*) > 2"]
    * 10,
    "subquery": [
        "SELECT name FROM owner WHERE id IN (SELECT owner FROM task WHERE state = 'done' "
        "AND rank > ?) ORDER BY id"
    ]
    * 3,
    "grouped": ["SELECT state, count(*), sum(rank) FROM task WHERE owner < ? GROUP BY state"] * 3,
    "window": ["SELECT id, rank FROM task WHERE owner <> ? ORDER BY rank DESC, id LIMIT 10"] * 3,
}
ROWS = 300


def run(writes: int, seed: int = 1) -> list[dict[str, Any]]:
    """One result per kind of query: values that changed, delivered, missed, refreshed in vain.

    Raises:
        AssertionError: a change was not delivered.
    """
    random = Random(seed)
    start = apsw.Connection(":memory:")
    for statement in SCHEMA:
        start.execute(statement)
    start.executemany("INSERT INTO owner VALUES (?, ?)", [(n, f"Owner {n}") for n in range(12)])
    tasks = [(key, *_values(random)) for key in range(1, ROWS + 1)]
    start.executemany("INSERT INTO task VALUES (?, ?, ?, ?, ?)", tasks)
    script = [_write(random) for _ in range(writes)]
    # One database per kind, or the counters of one kind could not be told from another's.
    return [_measure(kind, texts, start, script, random) for kind, texts in QUERIES.items()]


def _measure(
    kind: str, texts: Sequence[str], start: apsw.Connection, script: Sequence[Any], random: Random
) -> dict[str, Any]:
    database, bare = ReactiveDatabase(), apsw.Connection(":memory:")
    for statement in SCHEMA:
        database.execute(statement)
        bare.execute(statement)
    for name, width in (("owner", 2), ("task", 5)):
        rows = start.execute(f"SELECT * FROM {name}").fetchall()
        insert = f"INSERT INTO {name} VALUES ({', '.join('?' * width)})"
        database.executemany(insert, rows)
        bare.executemany(insert, rows)
    queries = [(sql, (random.randint(1, 30),)) for sql in texts]
    # The same text and value twice would be one live query.
    queries = list(dict.fromkeys(queries))
    delivered = [0] * len(queries)
    for at, (sql, params) in enumerate(queries):

        def on_next(_: object, at: int = at) -> None:
            delivered[at] += 1

        database.query(sql, params).subscribe(on_next)
    delivered[:] = [0] * len(queries)
    before = database.stats
    values = [bare.execute(sql, params).fetchall() for sql, params in queries]
    changed = 0
    for sql, params in script:
        seen = list(delivered)
        database.execute(sql, params)
        bare.execute(sql, params)
        for at, (query, arguments) in enumerate(queries):
            value = bare.execute(query, arguments).fetchall()
            differs = value != values[at]
            values[at] = value
            changed += differs
            if differs and delivered[at] != seen[at] + 1:
                raise AssertionError(f"missed: {query} {arguments} after {sql} {params}")
    after = database.stats
    database.close()
    refreshed = after.refetched + after.maintained - before.refetched - before.maintained
    return {
        "workload": kind,
        "engine": "ours",
        "asked": len(script) * len(queries),
        "changed": changed,
        "delivered": sum(delivered),
        "missed": 0,
        "refreshed": refreshed,
        "spurious": refreshed - changed,
    }


def _values(random: Random) -> tuple[object, ...]:
    owner, rank = random.randint(0, 30), random.randint(0, 100)
    return owner, random.choice(STATES), rank, f"note {random.randint(0, 99)}"


def _write(random: Random) -> tuple[str, tuple[object, ...]]:
    key = random.randint(1, ROWS)
    column = random.choice(("owner", "state", "rank", "note"))
    place = ("owner", "state", "rank", "note").index(column)
    kind = random.random()
    if kind < 0.7:
        return f"UPDATE task SET {column} = ? WHERE id = ?", (_values(random)[place], key)
    if kind < 0.8:
        return "INSERT OR REPLACE INTO task VALUES (?, ?, ?, ?, ?)", (key, *_values(random))
    if kind < 0.9:
        return "DELETE FROM task WHERE id = ?", (key,)
    return "UPDATE owner SET name = ? WHERE id = ?", (
        f"Owner {random.randint(0, 99)}",
        random.randint(0, 11),
    )


def report(found: Sequence[dict[str, Any]]) -> str:
    """The table: of all the times a query might have been woken."""
    rows = [
        [
            line["workload"],
            f"{line['asked']:,}",
            f"{line['changed']:,}",
            f"{line['missed']:,}",
            f"{line['spurious']:,}",
            f"{line['spurious'] / line['asked']:.1%}",
        ]
        for line in found
    ]
    return table(["kind of query", "commits × queries", "changed", "missed", "in vain", ""], rows)


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    print(report(run(int(arguments[0]) if arguments else 1_000)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
