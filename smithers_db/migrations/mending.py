"""What an old table holds that no row can: made readable before it is carried over, and noted."""

from __future__ import annotations

from collections.abc import Sequence

from reactive_sqlite import ReactiveDatabase
from smithers_db.migrations.original import (
    RENAMED,
    columns_of,
    key_of,
    literal,
    place_in,
)
from smithers_db.unreadable import Flaw, Inspection, has_rowid, quoted

#: Text that is no number, not even where numbers are: there SQLite takes it for one if it can.
_IS_A_WORD = "typeof({0}) = 'text' AND CAST(9e999 AS REAL) < {0}"


class Notes:
    """The notes of one conversion."""

    def __init__(self, db: ReactiveDatabase, moment: str) -> None:
        self._db = db
        self._moment = moment

    def add(
        self, table: str, key: str, source: str, *, column: str = "", value: str = "NULL", why: str
    ) -> None:
        """Notes a value of each row of a source; ``key`` and ``value`` are expressions."""
        self._db.execute(
            "INSERT INTO conversion_notes "
            "(table_name, row_key, column_name, value, reason, created_at) "
            f"SELECT '{table}', {key}, ?, {value}, ?, ? {source}",
            (column or None, why, self._moment),
        )


def mend(db: ReactiveDatabase, table: str, notes: Notes) -> bool:
    """Makes readable what is not in an old table, and sees that each of its rows has a place.

    Returns whether the table is a copy now, and the old one is named ``constrained_…``: without
    constraints nothing is in the way of a value that is mended. The same bytes become the same
    text everywhere, so that what refers to a row still does.
    """
    name, former = f"original_{table}", f"constrained_{table}"
    columns = [column.name for column in columns_of(db, name)]
    place = place_in(columns)
    inspection = Inspection(db, name, columns, (place,), {"output_inline"})
    types = _types(db, table)
    words = {
        column: _IS_A_WORD.format(quoted(column))
        for column in columns
        if column != "id" and types.get(column) in ("INTEGER", "REAL")
    }
    copied = (
        not has_rowid(db, name)
        or any(True for _ in inspection.flaws_of_all(place))
        or any(
            db.execute(f"SELECT 1 FROM {name} WHERE {is_a_word} LIMIT 1").rows
            for is_a_word in words.values()
        )
    )
    if copied:
        db.execute(f"ALTER TABLE {name} RENAME TO {former}")
        db.execute(f"CREATE TABLE {name} AS SELECT * FROM {former}")
        for flaw in inspection.flaws_of_all(place):
            _mend_one(db, table, flaw, columns, notes)
        for column, is_a_word in words.items():
            key, source = key_of(table, columns), f"FROM {name} WHERE {is_a_word}"
            why = "this value is no number"
            notes.add(table, key, source, column=column, value=quoted(column), why=why)
            db.execute(f"UPDATE {name} SET {quoted(column)} = NULL WHERE {is_a_word}")
    return copied


def _types(db: ReactiveDatabase, table: str) -> dict[str, str]:
    """The types of this version's columns, by their names in the original."""
    return {RENAMED.get((table, new.name), new.name): new.type for new in columns_of(db, table)}


def _mend_one(
    db: ReactiveDatabase, table: str, flaw: Flaw, columns: Sequence[str], notes: Notes
) -> None:
    kind = _types(db, table).get(flaw.column)
    mended: str | None = None  # a number that is none
    if kind is None:  # no column of ours: its values are noted anyway
        mended = flaw.value.hex()
    elif kind == "TEXT":
        mended = flaw.value.decode(errors="backslashreplace").replace("\0", "\\0")
    name = f"original_{table}"
    db.execute(f"UPDATE {name} SET {quoted(flaw.column)} = ? WHERE {flaw.row}", (mended,))
    if kind is not None:
        notes.add(
            table,
            key_of(table, columns),
            f"FROM {name} WHERE {flaw.row}",
            column=flaw.column,
            value=literal(flaw.value.hex()),
            why=f"this value, here in hexadecimal, {flaw.what}",
        )
