"""What another program left in a file and no row can hold: text that is no UTF-8, a stray BLOB."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from reactive_sqlite import ReactiveDatabase

#: Rows that are looked at in one go where a whole table is.
_AT_ONCE = 100


def quoted(name: str) -> str:
    """The name of a table or column as SQL, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


class Flaw(NamedTuple):
    """A value that cannot be read: in which column, what is wrong with it, and in which row."""

    column: str
    what: str
    row: str
    value: bytes

    def told(self, table: str) -> str:
        """What to say of it: where it is, what it is, and how it is mended."""
        return (
            f"{table}.{self.column} of the row {self.row} {self.what}, which another program left "
            f"there; every other row can be read, and this one again after: "
            f"UPDATE {table} SET {self.column} = … WHERE {self.row}"
        )


def has_rowid(db: ReactiveDatabase, table: str) -> bool:
    """Whether the rows of a table have places of their own."""
    rows = db.execute("SELECT wr FROM pragma_table_list WHERE name = ?", (table,)).rows
    return not rows[0][0]


class Inspection(NamedTuple):
    """A look at a table for what cannot be read."""

    db: ReactiveDatabase
    table: str
    columns: Sequence[str]
    key: Sequence[str]
    """the columns that tell a row"""
    binary: Collection[str]
    """the columns that may hold BLOBs"""

    def flaws(
        self, tail: str = "", params: Sequence[Any] | Mapping[str, Any] = ()
    ) -> Iterator[Flaw]:
        """Those of the rows that ``SELECT … FROM table`` and the tail give."""
        looked_at = [*self.key, *(column for column in self.columns if column not in self.key)]
        pairs = ", ".join(
            f"typeof({name}), CAST({name} AS BLOB)" for name in map(quoted, looked_at)
        )
        # Of text in UTF-16 SQLite makes UTF-8 itself, whatever was there.
        is_utf8 = self.db.execute("SELECT length(CAST('a' AS BLOB))").rows[0][0] == 1
        sql = f"SELECT {pairs} FROM {quoted(self.table)} {tail}"
        for row in self.db.execute(sql, params).rows:
            values = dict(zip(looked_at, zip(row[::2], row[1::2], strict=True), strict=True))
            for column in self.columns:
                kind, value = values[column]
                what = _wrong(kind, value, is_utf8, column in self.binary)
                if what is not None:
                    told = " AND ".join(f"{name} = {_literal(*values[name])}" for name in self.key)
                    yield Flaw(column, what, told, value)

    def flaws_of_all(self, place: str = "rowid") -> Iterator[Flaw]:
        """Those of the whole table, of which never more than a few rows are held at once.

        ``place`` is what SQL calls the place of a row in it, where rows have one.
        """
        if not has_rowid(self.db, self.table):
            yield from self.flaws()
            return
        table = quoted(self.table)
        part = f"SELECT {place} AS place FROM {table} WHERE {place} > ? ORDER BY 1 LIMIT ?"
        last = -(2**63)
        while True:
            sql = f"SELECT max(place) FROM ({part})"
            (end,) = self.db.execute(sql, (last, _AT_ONCE)).rows[0]
            if end is None:
                return
            yield from self.flaws(f"WHERE {place} > ? AND {place} <= ?", (last, end))
            last = end


def _wrong(kind: str, value: bytes, is_utf8: bool, may_be_binary: bool) -> str | None:
    if kind == "blob" and not may_be_binary:
        return f"holds a BLOB of {len(value)} bytes"
    if kind == "text" and is_utf8:
        try:
            value.decode()
        except UnicodeDecodeError as error:
            return f"is no UTF-8 text (byte 0x{value[error.start]:02x} at {error.start})"
    return None


def _literal(kind: str, value: bytes | None) -> str:
    """A value as SQL that is printable text itself."""
    if value is None:
        return "NULL"
    if kind == "blob":
        return f"x'{value.hex()}'"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or text.encode() != value:
        return f"CAST(x'{value.hex()}' AS TEXT)"
    return "'" + text.replace("'", "''") + "'" if kind == "text" else text
