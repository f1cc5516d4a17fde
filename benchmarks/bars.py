"""The bars: for each what ours does and what raw APSW does for it, and the ratio to be reached."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import apsw

from benchmarks.workload import Size
from reactive_sqlite import ReactiveDatabase

Work = Callable[[], object]
Open = Callable[[], tuple[ReactiveDatabase, apsw.Connection]]

LIVE: dict[Size, int] = {"smoke": 200, "quick": 2_000, "full": 100_000}
ROWS: dict[Size, int] = {"smoke": 400, "quick": 5_000, "full": 100_000}
BULK: dict[Size, int] = {"smoke": 300, "quick": 10_000, "full": 10_000}
FEW: dict[Size, int] = {"smoke": 50, "quick": 1_000, "full": 1_000}
counter = itertools.count(1)  # each write stores a value that was never there


@dataclass(frozen=True, slots=True)
class Pair:
    """Our work and the base's, each repeated `times` times in a round; ours `ours_times` if that
    is more: a base that reads 100,000 rows would else leave cold caches to each call of ours."""

    ours: Work
    base: Work
    times: int = 1
    ours_times: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of the table. `limit` is a ratio to the base, reached from below or from above."""

    name: str
    what: str
    limit: float
    prepare: Callable[[Open, Size], Pair]
    at_least: bool = False


def items(database: ReactiveDatabase, connection: apsw.Connection, count: int) -> None:
    """The same tables in both, with so many items."""
    schema = (
        "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, owner_id INTEGER NOT NULL, "
        "flag INTEGER NOT NULL, amount INTEGER NOT NULL, name TEXT NOT NULL)",
        "CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    )
    rows = [
        (key, 1_000_000 * (key * 7_919 % count + 1), key % 100, key % 2, key % 1_000, f"item {key}")
        for key in range(1, count + 1)
    ]
    owners = [(key, f"owner {key}") for key in range(max(100, count // 10))]
    for statement in schema:
        database.execute(statement)
        connection.execute(statement)
    insert = "INSERT INTO item VALUES (?, ?, ?, ?, ?, ?)"
    database.executemany(insert, rows)
    database.executemany("INSERT INTO owner VALUES (?, ?)", owners)
    with connection:
        connection.executemany(insert, rows)
        connection.executemany("INSERT INTO owner VALUES (?, ?)", owners)


def nothing(_: object) -> None:
    """A subscriber to whom it is all the same."""


UPDATE = "UPDATE item SET n = ? WHERE id = ?"
BY_ID = "SELECT id, n, name FROM item WHERE id = ?"


def _unwatched(open_both: Open, size: Size) -> Pair:
    database, connection = open_both()
    items(database, connection, 1_000)
    execute, raw = database.execute, connection.execute
    return Pair(
        lambda: execute(UPDATE, (next(counter), next(counter) % 1_000 + 1)),
        lambda: raw(UPDATE, (next(counter), next(counter) % 1_000 + 1)),
        40,
    )


def _elsewhere(open_both: Open, size: Size) -> Pair:
    watched, connection = open_both()
    alone, other = open_both()
    live = LIVE[size]
    items(watched, connection, live + 1_000)
    items(alone, other, live + 1_000)
    for key in range(1, live + 1):
        watched.query(BY_ID, (key,)).subscribe(nothing)
    with_queries, without = watched.execute, alone.execute
    return Pair(
        lambda: with_queries(UPDATE, (next(counter), live + next(counter) % 1_000 + 1)),
        lambda: without(UPDATE, (next(counter), live + next(counter) % 1_000 + 1)),
        40,
    )


def _one_matches(open_both: Open, size: Size) -> Pair:
    database, connection = open_both()
    live = LIVE[size]
    items(database, connection, live)
    for key in range(1, live + 1):
        database.query(BY_ID, (key,)).subscribe(nothing)
    execute, raw = database.execute, connection.execute

    def base() -> None:
        key = next(counter) % live + 1
        raw(UPDATE, (next(counter), key))
        raw(BY_ID, (key,)).fetchall()

    return Pair(lambda: execute(UPDATE, (next(counter), next(counter) % live + 1)), base, 20)


def _subscribers(open_both: Open, size: Size) -> Pair:
    database, connection = open_both()
    items(database, connection, 1_000)
    count = FEW[size]
    subscribers = [lambda _: None for _ in range(count)]
    for subscriber in subscribers:
        database.query(BY_ID, (7,)).subscribe(subscriber)
    execute, raw = database.execute, connection.execute

    def base() -> None:
        rows = raw(BY_ID, (7,)).fetchall()
        for subscriber in subscribers:
            subscriber(rows)

    return Pair(lambda: execute(UPDATE, (next(counter), 7)), base, 4)


def _range_counts(open_both: Open, size: Size) -> Pair:
    database, connection = open_both()
    count = ROWS[size]
    items(database, connection, count)
    for target in (database, connection):
        target.execute("CREATE INDEX item_n ON item (n)")
    ranges = 2 * FEW[size]
    step = 1_000_000 * count // ranges
    for place in range(ranges):
        bounds = (place * step + 1, (place + 1) * step)
        database.query("SELECT count(*) FROM item WHERE n BETWEEN ? AND ?", bounds).subscribe(
            nothing
        )
    execute, raw = database.execute, connection.execute
    top = 1_000_000 * count

    def values() -> tuple[int, int]:
        return next(counter) * 999_983 % top + 1, next(counter) % count + 1

    return Pair(lambda: execute(UPDATE, values()), lambda: raw(UPDATE, values()), 10)


def _watch_others(database: ReactiveDatabase, size: Size, table: str, first: int) -> None:
    """1,000 queries by key that the writes do not match, and one count that they change."""
    for key in range(first, first + FEW[size]):
        database.query(f"SELECT id, name FROM {table} WHERE id = ?", (key,)).subscribe(nothing)
    database.query("SELECT count(*) FROM item WHERE n % 2 = 0").subscribe(nothing)


BULK_UPDATE = "UPDATE item SET n = n + 1 WHERE id <= ?"


def _bulk(open_both: Open, size: Size) -> Pair:
    database, connection = open_both()
    items(database, connection, BULK[size])
    _watch_others(database, size, "owner", 0)
    return Pair(
        lambda: database.execute(BULK_UPDATE, (BULK[size],)),
        lambda: connection.execute(BULK_UPDATE, (BULK[size],)),
        1,
    )


def _bulk_same_table(open_both: Open, size: Size) -> Pair:
    database, connection = open_both()
    count = BULK[size] + FEW[size]
    items(database, connection, count)
    _watch_others(database, size, "item", BULK[size] + 1)
    return Pair(
        lambda: database.execute(BULK_UPDATE, (BULK[size],)),
        lambda: connection.execute(BULK_UPDATE, (BULK[size],)),
        1,
    )


def _single_writes(
    database: ReactiveDatabase, connection: apsw.Connection, keys: range
) -> tuple[Work, Work]:
    execute, raw = database.execute, connection.execute

    def ours() -> None:
        with database.transaction():
            for key in keys:
                execute(UPDATE, (next(counter), key))

    def base() -> None:
        raw("BEGIN IMMEDIATE")
        for key in keys:
            raw(UPDATE, (next(counter), key))
        raw("COMMIT")

    return ours, base


def _transaction(open_both: Open, size: Size) -> Pair:
    database, connection = open_both()
    few = FEW[size]
    items(database, connection, 2 * few)
    _watch_others(database, size, "item", few + 1)
    return Pair(*_single_writes(database, connection, range(1, few + 1)))


def _transaction_all_watched(open_both: Open, size: Size) -> Pair:
    database, connection = open_both()
    few = FEW[size]
    items(database, connection, few)
    for key in range(1, few + 1):
        database.query(BY_ID, (key,)).subscribe(nothing)
    database.query("SELECT sum(n) FROM item").subscribe(nothing)
    return Pair(*_single_writes(database, connection, range(1, few + 1)))


def _maintained(sql: str, column: str) -> Callable[[Open, Size], Pair]:
    """One row changes; ours delivers the delta, the base runs the whole statement again."""

    def prepare(open_both: Open, size: Size) -> Pair:
        database, connection = open_both()
        count = ROWS[size]
        items(database, connection, count)
        delivered: list[object] = []
        database.query(sql).changes().subscribe(delivered.append)
        update = f"UPDATE item SET {column} = ? WHERE id = ?"
        top = 1_000_000 * count

        def values() -> tuple[int, int]:
            # an odd key: it passes `flag = 1`
            return next(counter) * 999_983 % top + 1, (next(counter) * 7_919 % count) | 1

        def ours() -> None:
            seen = len(delivered)
            database.execute(update, values())
            if len(delivered) == seen:
                raise AssertionError(f"no delta delivered for {sql}")
            delivered.clear()

        def base() -> None:
            connection.execute(update, values())
            connection.execute(sql).fetchall()

        return Pair(ours, base, ours_times=20)

    return prepare


def _top(open_both: Open, size: Size) -> Pair:
    sql = "SELECT id, n, name FROM item ORDER BY n, id LIMIT 50"
    database, connection = open_both()
    count = ROWS[size]
    items(database, connection, count)
    delivered: list[object] = []
    database.query(sql).changes().subscribe(delivered.append)

    def ours() -> None:
        # each mover becomes the first: the window always changes
        database.execute(UPDATE, (-next(counter), next(counter) * 7_919 % count + 1))
        if not delivered:
            raise AssertionError("no delta delivered for the top 50")
        delivered.clear()

    def base() -> None:
        connection.execute(UPDATE, (-next(counter), next(counter) * 7_919 % count + 1))
        connection.execute(sql).fetchall()

    return Pair(ours, base, ours_times=20)


ORDERED = "SELECT id, n, name FROM item ORDER BY n, id"
JOINED = (
    "SELECT item.id, item.n, owner.name FROM item JOIN owner ON owner.id = item.owner_id "
    "ORDER BY item.n, item.id"
)
FILTERED = "SELECT id, n, name FROM item WHERE flag = 1 ORDER BY n, id"
GROUPED = "SELECT owner_id, count(*), sum(amount), avg(amount) FROM item GROUP BY owner_id"

BARS = (
    Bar("unwatched", "a write, nobody watching / raw", 3, _unwatched),
    Bar("elsewhere", "a write with {live} live `id = ?` elsewhere / none", 1.3, _elsewhere),
    Bar("one_matches", "one of {live} matches, delivered / raw UPDATE + SELECT", 6, _one_matches),
    Bar("subscribers", "{few} subscribers / one SELECT + {few} calls", 6, _subscribers),
    Bar("range_counts", "{twice} live range counts, one row moves / raw UPDATE", 25, _range_counts),
    Bar("bulk", "{bulk} rows in a statement, {few} + 1 live queries / raw", 1.6, _bulk),
    Bar("bulk_same", "the same, all live queries on that table / raw", 1.6, _bulk_same_table),
    Bar("transaction", "{few} updates in a transaction, {few} + 1 live / raw", 4, _transaction),
    Bar("transaction_all", "the same, each row watched / raw", 4, _transaction_all_watched),
    Bar("sorted", "{rows} sorted, one moves", 200, _maintained(ORDERED, "n"), True),
    Bar("join", "{rows} joined on a key, sorted, one moves", 200, _maintained(JOINED, "n"), True),
    Bar("filter", "half of {rows} filtered, sorted", 100, _maintained(FILTERED, "n"), True),
    Bar("groups", "COUNT, SUM, AVG by group", 100, _maintained(GROUPED, "amount"), True),
    Bar("top", "top 50 of {rows} without an index", 20, _top, True),
)
