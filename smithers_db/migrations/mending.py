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
    copied = not has_rowid(db, name)
    if copied or any(True for _ in inspection.flaws_of_all(place)):
        db.execute(f"ALTER TABLE {name} RENAME TO {former}")
        db.execute(f"CREATE TABLE {name} AS SELECT * FROM {former}")
        copied = True
        for flaw in inspection.flaws_of_all(place):
            _mend_one(db, table, flaw, columns, notes)
    return copied


def _mend_one(
    db: ReactiveDatabase, table: str, flaw: Flaw, columns: Sequence[str], notes: Notes
) -> None:
    types = {RENAMED.get((table, new.name), new.name): new.type for new in columns_of(db, table)}
    kind = types.get(flaw.column)
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
