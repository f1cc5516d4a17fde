"""The engine as the oracle: fresh runs, whole dumps, and equality that knows 1 from 1.0."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping
from typing import Any

import apsw

from .values import quoted

#: Steps of SQLite's virtual machine after which a query counts as too dear for a random test.
BUDGET = 3_000_000

#: Before version 3 equal objects give equal bytes, also when they are one object.
MARSHAL = 2


def exact(rows: Iterable[Iterable[Any]]) -> bytes:
    """The rows as bytes that tell 1 from 1.0, '1' and b'1', and 0.0 from -0.0; quick to compare."""
    return marshal.dumps([tuple(row) for row in rows], MARSHAL)


def plain(exactly: bytes) -> Any:
    """What `exact` was made from, to be shown."""
    return marshal.loads(exactly)


class Failure:
    """What a fresh run gives when the statement does not work."""

    def __init__(self, error: apsw.Error) -> None:
        self.error = error

    def __repr__(self) -> str:
        return f"fails with {type(self.error).__name__}: {self.error}"


class Engine(apsw.Connection):
    """A plain connection on which a statement that costs more than BUDGET is interrupted.

    It keeps no statement: one that was prepared before another table got its name would read on.
    """

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(path, statementcachesize=0, **options)
        self._spent = 0
        self.set_progress_handler(self._step, 10_000)

    def _step(self) -> bool:
        self._spent += 10_000
        return self._spent > BUDGET

    def run(self, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
        """Every row of `sql`, whose statements are all run."""
        self._spent = 0
        return self.execute(sql, params).fetchall()

    def named(self, sql: str, params: Any = ()) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """The column names, empty when there are no rows, and every row of a query."""
        self._spent = 0
        cursor = self.execute(sql, params)
        rows = []
        names: tuple[str, ...] = ()
        for row in cursor:
            names = names or tuple(column[0] for column in cursor.get_description())
            rows.append(row)
        return names, rows


def fresh(engine: Engine, sql: str, params: Any = ()) -> bytes | Failure:
    """The rows of a fresh run on `engine`, as `exact` gives them, or its Failure."""
    try:
        return exact(engine.run(sql, params))
    except apsw.Error as error:
        return Failure(error)


class Content:
    """The rows of one table: (key, row) pairs in order of the key."""

    def __init__(self, width: int, rows: list[tuple[Any, ...]]) -> None:
        self.width = width
        self.rows = rows
        self.exactly = exact(rows)

    def keyed(self) -> dict[bytes, tuple[Any, ...]]:
        return {exact([row[: self.width]]): row[self.width :] for row in self.rows}

    def __len__(self) -> int:
        return len(self.rows)


Dump = Mapping[str, Content]


def keyed_tables(engine: Engine) -> list[tuple[str, str, str]]:
    """(key, SQL name, key expression) of each b-tree table: shadow tables too, views not."""
    found = []
    listed = engine.run(
        "SELECT schema, name, type, wr FROM pragma_table_list ORDER BY schema, name"
    )
    for database, name, kind, without_rowid in listed:
        if kind not in ("table", "shadow") or name in ("sqlite_schema", "sqlite_temp_schema"):
            continue
        # ANALYZE writes its tables in the order of a hash table; the journal for other processes
        # is made when there are any, or were on a file that had this inode.
        if name.startswith(("sqlite_stat", "_reactive_")):
            continue
        key = name.lower() if database == "main" else f"{database}.{name.lower()}"
        if without_rowid:
            columns = engine.run(
                "SELECT name FROM pragma_table_xinfo(?, ?) WHERE pk > 0 ORDER BY pk",
                (name, database),
            )
            expression = ", ".join(quoted(column[0]) for column in columns)
        else:
            expression = "rowid"
        found.append((key, f"{database}.{quoted(name)}", expression))
    return found


def dump(engine: Engine) -> Dump:
    """Every row of every b-tree table, by rowid or primary key, and the texts of the schema."""
    result: dict[str, Content] = {}
    for key, name, expression in keyed_tables(engine):
        width = expression.count(",") + 1
        # FTS5 counts rows without words in memory, from one commit to the next, and adds them to a
        # segment of a later one (a rollback forgets them), in its structure record: number 10.
        where = " WHERE id <> 10" if key == "ft_data" else ""
        rows = engine.run(f"SELECT {expression}, * FROM {name}{where}")
        result[key] = Content(width, rows)
    for database in ("main", "temp"):
        key = "sqlite_schema" if database == "main" else "temp.sqlite_schema"
        rows = engine.run(
            f"SELECT type || name, type, name, tbl_name, sql FROM {database}.sqlite_schema"
            " WHERE name NOT GLOB '_reactive*' ORDER BY 1"
        )
        result[key] = Content(1, rows)
    return result


def same(one: Dump, two: Dump) -> bool:
    """Whether two dumps hold the same rows, storage classes included."""
    return one.keys() == two.keys() and all(one[key].exactly == two[key].exactly for key in one)


def difference(before: Dump, after: Dump) -> dict[str, list[tuple[str, str]]]:
    """Per table the net (old row, new row) of each key, as text, '' where there is none."""
    result: dict[str, list[tuple[str, str]]] = {}
    for table in before.keys() | after.keys():
        one, two = before.get(table), after.get(table)
        if one is not None and two is not None and one.exactly == two.exactly:
            continue
        old, new = one.keyed() if one else {}, two.keyed() if two else {}
        pairs = [
            (repr(old[key]) if key in old else "", repr(new[key]) if key in new else "")
            for key in {**old, **new}
        ]
        pairs = [(was, now) for was, now in pairs if was != now]
        if pairs:
            result[table] = pairs
    return result


def accessed(
    connection: apsw.Connection, sql: str, params: Any = ()
) -> tuple[frozenset[str], frozenset[str]]:
    """Lower-case names of the tables that `sql` reads, and writes, by authorizer and bytecode.

    The authorizer does not tell of a table of which only the columns of USING or NATURAL are read;
    the bytecode opens it. The bytecode does not tell of what was optimised away.
    """
    reads: set[str] = set()
    writes: set[str] = set()

    def authorize(op: int, one: str | None, two: str | None, *_: str | None) -> int:
        if op == apsw.SQLITE_READ and one:
            reads.add(one.lower())
        elif op in (apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE) and one:
            writes.add(one.lower())
        return apsw.SQLITE_OK

    previous = connection.authorizer
    connection.authorizer = authorize
    try:
        steps = connection.execute(sql, params, can_cache=False, explain=1).fetchall()
    finally:
        connection.authorizer = previous
    roots = dict(connection.execute("SELECT rootpage, tbl_name FROM sqlite_schema").fetchall())
    opened = {roots.get(p2) for _, code, _, p2, p3, *_ in steps if code == "OpenRead" and p3 == 0}
    reads |= {name.lower() for name in opened if name} - writes
    return frozenset(reads), frozenset(writes)
