"""One table and its row type: the mapper between rows of SQL and typed rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar, get_args, get_type_hints

import msgspec

from reactive_sqlite import ReactiveDatabase, Result
from smithers_db.checks import finite, flag, natural, number_of_rows, text, time, whole
from smithers_db.errors import InvalidValue, NotFound, UnreadableRow
from smithers_db.rows import KEYS, Count, Json
from smithers_db.unreadable import Flaw, Inspection
from smithers_db.values import decode, encode_optional

R = TypeVar("R", bound=msgspec.Struct)
Params = Sequence[Any] | Mapping[str, Any]


def truth(value: Any) -> bool:
    """A stored boolean as a bool, whichever way the driver returned it: 0, 1, "0" or "1"."""
    return bool(int(value)) if isinstance(value, str) and value.isdigit() else bool(value)


def _json(_name: str, value: Any) -> Any:
    return encode_optional(value)


#: What must be there for a row that refers to it: a query, and the columns that it asks for.
_PARENT = {
    "execution_id": ("SELECT 1 FROM executions WHERE id = ?", ("execution_id",)),
    # An agent of another run is no agent of this one.
    "agent_id": (
        "SELECT 1 FROM agents WHERE id = ? AND execution_id = ?",
        ("agent_id", "execution_id"),
    ),
}
_ADAPTERS: dict[Any, Callable[[str, Any], Any]] = {
    str: text,
    int: whole,
    bool: flag,
    float: finite,
    Count: natural,
}


class _Shape(NamedTuple):
    """What is known of a row type, worked out once for all databases."""

    adapters: dict[str, Callable[[str, Any], Any]]
    optional: frozenset[str]
    decoders: tuple[tuple[int, Callable[[Any], Any]], ...]
    binary: frozenset[str]


@cache
def _shape_of(row_type: type[msgspec.Struct]) -> _Shape:
    adapters: dict[str, Callable[[str, Any], Any]] = {}
    optional = set()
    decoders: list[tuple[int, Callable[[Any], Any]]] = []
    binary = set()
    hints = get_type_hints(row_type, include_extras=True)
    for position, column in enumerate(row_type.__struct_fields__):
        hint = hints[column]
        if hint == Json:
            adapters[column] = _json
            decoders.append((position, decode))
            optional.add(column)
            continue
        kinds = (hint,) if hint in _ADAPTERS else get_args(hint)
        adapters[column] = time if column.endswith("_at") else _ADAPTERS[kinds[0]]
        if type(None) in kinds:
            optional.add(column)
        if bytes in kinds:
            binary.add(column)
        if kinds[0] is bool:
            decoders.append((position, truth))
    return _Shape(adapters, frozenset(optional), tuple(decoders), frozenset(binary))


class Table(Generic[R]):
    """The rows of one table, typed.

    ``select`` is the SELECT that every read of the table starts with; a family writes the rest.
    All that is known of the row type is worked out once, here. ``parents`` says whether its
    ``execution_id`` and ``agent_id`` must name rows that exist.

    Every read raises `UnreadableRow` where another program left what no row can hold.
    """

    def __init__(
        self,
        db: ReactiveDatabase,
        name: str,
        row_type: type[R],
        *,
        parents: bool = True,
    ) -> None:
        self.db = db
        self.name = name
        self.row_type = row_type
        self.columns: tuple[str, ...] = row_type.__struct_fields__
        self.select = f"SELECT {', '.join(self.columns)} FROM {name} "
        self._key = KEYS[name]
        self._by_key = f"WHERE {self._key[-1]} = ?"
        self._adapters, self._optional, self._decoders, self._binary = _shape_of(row_type)
        self._inspection = Inspection(db, name, self.columns, self._key, self._binary)
        self._inserts: dict[tuple[str, ...], str] = {}
        self._parents = [name for name in _PARENT if name in self.columns] if parents else []

    def typed(self, row: Sequence[Any]) -> R:
        """A row of SQL, its columns in the table's order, as a typed row."""
        if bytes in map(type, row):
            self._refuse_bytes(row)
        if not self._decoders:
            return self.row_type(*row)
        values = list(row)
        for position, decoded in self._decoders:
            if values[position] is not None:
                values[position] = decoded(values[position])
        return self.row_type(*values)

    def all(self, tail: str = "", params: Params = ()) -> list[R]:
        """The rows that ``SELECT … FROM table`` and this tail give."""
        return [self.typed(row) for row in self._rows(self.select, tail, params)]

    def values(self, columns: str, tail: str, params: Params = ()) -> Sequence[Any]:
        """The rows as SQL gives them: some columns of those that the tail gives."""
        rows = self._rows(f"SELECT {columns} FROM {self.name} ", tail, params)
        if not self._binary and any(bytes in map(type, row) for row in rows):
            raise self.unreadable(tail, params)
        return rows

    def _rows(self, select: str, tail: str, params: Params) -> Sequence[Any]:
        try:
            return self.db.execute(select + tail, params).rows
        except UnicodeDecodeError as error:
            raise self.unreadable(tail, params) from error
        except (TypeError, OverflowError, UnicodeEncodeError) as error:
            # What was asked for, not what is there.
            raise InvalidValue(f"no row of {self.name} can be found by this: {error}") from error

    def _refuse_bytes(self, row: Sequence[Any]) -> None:
        values = dict(zip(self.columns, row, strict=True))
        if any(type(value) is bytes for name, value in values.items() if name not in self._binary):
            tail = f"WHERE {' AND '.join(f'{name} = ?' for name in self._key)}"
            raise self.unreadable(tail, tuple(values[name] for name in self._key))

    def unreadable(self, tail: str, params: Params) -> UnreadableRow:
        """What is to be raised when a row that this tail gives cannot be read."""
        for flaw in self._inspection.flaws(tail, params):
            return UnreadableRow(flaw.told(self.name))
        return UnreadableRow(f"a row of {self.name} could not be read, and is mended by now")

    def flaws(self) -> Iterator[Flaw]:
        """All that cannot be read of the whole table."""
        return self._inspection.flaws_of_all()

    def page(self, condition: str, key: str, limit: int | None, before: str | None) -> Sequence[R]:
        """The rows of a list in the order in which they were recorded, or a page of it.

        A page is the last ``limit`` of the rows, of those recorded before the row ``before`` if
        that is given. ``condition`` has one mark, for ``key``.

        Raises:
            NotFound: there is no row ``before``. InvalidValue: the limit is no number of rows.
        """
        if limit is None and before is None:
            return self.all(f"WHERE {condition} ORDER BY rowid", (key,))
        if limit is not None:
            number_of_rows("limit", limit)
        params: list[Any] = [key]
        if before is not None:
            params.append(self.place(before))
            condition += " AND rowid < ?"
        tail = f"WHERE {condition} ORDER BY rowid DESC LIMIT ?"
        return self.all(tail, (*params, -1 if limit is None else limit))[::-1]

    def place(self, id: str) -> int:
        """Where in the order of recording the row with this id stands.

        Raises:
            NotFound: there is none.
        """
        rows = self._rows(f"SELECT rowid FROM {self.name} ", "WHERE id = ?", (id,))
        return int(rows[0][0]) if rows else self.missing(id)

    def first(self, tail: str, params: Params = ()) -> R | None:
        """The first of them, or None."""
        rows = self._rows(self.select, tail, params)
        return self.typed(rows[0]) if rows else None

    def get(self, key: Any) -> R | None:
        """The row with this key, or None."""
        rows = self._rows(self.select, self._by_key, (key,))
        return self.typed(rows[0]) if rows else None

    def one(self, key: Any) -> R:
        """The row with this key.

        Raises:
            NotFound: there is none.
        """
        row = self.get(key)
        return row if row is not None else self.missing(key)

    def missing(self, key: Any) -> NoReturn:
        """Raises the `NotFound` that names this table and key."""
        raise NotFound(f"no row of {self.name} has the id {key!r}")

    def adapted(self, column: str, value: Any) -> Any:
        """A value as the column stores it.

        Raises:
            InvalidValue: it does not fit the column's type.
        """
        adapter = self._adapters.get(column)
        if adapter is None:
            raise TypeError(
                f"{self.name} has no column {column!r}; it has {', '.join(self.columns)}"
            )
        if value is None and column in self._optional:
            return None
        return adapter(f"{self.name}.{column}", value)

    def insert(self, ending: str = "", /, **columns: Any) -> Result:
        """Inserts one row, each value checked against its column's type.

        ``ending`` is an ``ON CONFLICT`` or ``RETURNING`` clause to end the statement with.

        Raises:
            InvalidValue: a value does not fit. NotFound: a run or an agent that is named does not
            exist. TypeError: there is no such column.
        """
        values = [self.adapted(name, value) for name, value in columns.items()]
        named = [name for name in self._parents if columns.get(name) is not None]
        key = (*columns, "", *named)
        sql = self._inserts.get(key)
        if sql is None:
            marks = ", ".join("?" * len(columns))
            known = "".join(f" AND EXISTS ({_PARENT[name][0]})" for name in named)
            sql = (
                f"INSERT INTO {self.name} ({', '.join(columns)}) SELECT {marks} WHERE true{known} "
            )
            self._inserts[key] = sql
        asked = [columns[column] for name in named for column in _PARENT[name][1]]
        result = self.db.execute(sql + ending, (*values, *asked))
        if not result.changes:
            self._check_parents(columns)
        return result

    def _check_parents(self, columns: Mapping[str, Any]) -> None:
        for name in self._parents:
            sql, asked = _PARENT[name]
            wanted = [columns[column] for column in asked]
            if wanted[0] is not None and not self.db.execute(sql, wanted).rows:
                of_run = "" if name == "execution_id" else f" of the execution {wanted[1]!r}"
                raise NotFound(f"there is no {name} {wanted[0]!r}{of_run}")

    def update(self, key: Any, /, **columns: Any) -> None:
        """Sets columns of the row with this id.

        Raises:
            NotFound: there is none. InvalidValue: a value does not fit its column.
        """
        if not columns:
            raise TypeError(f"nothing to update in {self.name}: give at least one column")
        for name in columns.keys() & {*self._key, "seq", "execution_id", "agent_id"}:
            raise InvalidValue(f"{self.name}.{name} says which row it is and whose, and stays")
        values = [self.adapted(name, value) for name, value in columns.items()]
        marks = ", ".join(f"{name} = ?" for name in columns)
        sql = f"UPDATE {self.name} SET {marks} WHERE id = ?"
        if not self.db.execute(sql, (*values, text("id", key))).changes:
            self.missing(key)
