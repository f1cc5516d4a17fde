"""What a file of the original holds, and what would be in the way of its conversion."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.errors import MigrationError
from smithers_db.rows import KEYS, ROW_TYPES
from smithers_db.unreadable import quoted

#: What the earliest files have, by which a file is known to be the original's.
_MARKS = {"executions": {"id", "file_path", "status"}, "state": {"key", "value"}}
#: How the names of tables begin that SQLite keeps, and that neighbours tell each other things in.
_NOT_CONTENT = ("sqlite_", "_reactive_")
#: How the names of tables begin that a conversion makes for itself.
ASIDE = ("original_", "constrained_")
#: Columns of this version that have another name in the original.
RENAMED = {("render_frames", "iteration"): "ralph_count"}
#: Tables whose key is an integer, and the place of the row.
INTEGER_KEYS = ("build_state", "vcs_queue")
_PLACES = ("rowid", "_rowid_", "oid")


class Column(msgspec.Struct, frozen=True):
    """A column as the schema declares it."""

    name: str
    type: str
    required: bool
    default: str | None
    is_rowid: bool


def columns_of(db: ReactiveDatabase, table: str) -> list[Column]:
    """The columns of a table; those that SQLite computes are left out."""
    sql = 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)'
    return [
        Column(_folded(row[0]), row[1], bool(row[2]), row[3], row[1] == "INTEGER" and row[4] == 1)
        for row in db.execute(sql, (table,)).rows
    ]


def _folded(name: str) -> str:
    """A name as SQLite compares it: the case of ASCII letters, and of no others, is nothing."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def tables(db: ReactiveDatabase) -> list[str]:
    """The tables of a file in lower case, SQLite's and the journal's left out."""
    names = db.execute("SELECT lower(name) FROM sqlite_schema WHERE type = 'table'").rows
    return [row[0] for row in names if not row[0].startswith(_NOT_CONTENT)]


def is_original(db: ReactiveDatabase) -> bool:
    """Whether a file without migrations was made by the original."""
    return all(
        marks <= {column.name for column in columns_of(db, table)}
        for table, marks in _MARKS.items()
    )


def place_in(columns: Collection[str]) -> str:
    """What SQL calls the place of a row in a table with these columns.

    Raises:
        MigrationError: each word for it is a column's name.
    """
    for word in _PLACES:
        if word not in columns:
            return word
    raise MigrationError(f"a table has columns with each of the names {', '.join(_PLACES)}")


def literal(value: str) -> str:
    """A text as SQL."""
    return "'" + value.replace("'", "''") + "'"


def key_of(table: str, columns: Collection[str]) -> str:
    """What a row of the original's table is known by: its key, or its place where it has none."""
    key, place = KEYS[table][-1], place_in(columns)
    if table not in INTEGER_KEYS:
        lost = f"'lost-{table}-' || {place}"
        # As text, which it becomes: 1 and '1' are one key.
        return f'coalesce(CAST("{key}" AS TEXT), {lost})' if key in columns else lost
    if key not in columns:
        return place
    integer = f"typeof(\"{key}\") = 'integer'"
    above = f'(SELECT coalesce(max("{key}"), 0) FROM original_{table} WHERE {integer})'
    return f'CASE WHEN {integer} THEN "{key}" ELSE {above} + {place} END'


def check(db: ReactiveDatabase, names: Collection[str]) -> None:
    """Looks for what a conversion would trip over; ``names`` are those of the new schema.

    Raises:
        MigrationError: a name is taken by something that is not the original's, or a table that is
            not the original's refers to one that would be made anew.
    """
    taken = {*names, *(prefix + table for prefix in ASIDE for table in ROW_TYPES)}
    for kind, name, table in db.execute(
        "SELECT type, name, lower(tbl_name) FROM sqlite_schema WHERE type IN ('table', 'index')"
    ).rows:
        if table in ROW_TYPES or table == "schema_migrations" or name.startswith(_NOT_CONTENT):
            continue
        if name.lower() in taken:
            raise MigrationError(
                f"the file has {kind} {name!r} that the original never made, and the name is "
                "needed: rename or drop it first"
            )
        if kind == "table":
            _check_references(db, name)


def _check_references(db: ReactiveDatabase, table: str) -> None:
    sql = 'SELECT lower("table") FROM pragma_foreign_key_list(?)'
    for (parent,) in db.execute(sql, (table,)).rows:
        if parent in ROW_TYPES:  # which is dropped: the rows that refer to it would go or dangle
            raise MigrationError(
                f"the table {table!r}, which the original never made, has a foreign key to "
                f"{parent!r}, which is made anew: take the key away first "
                f"(CREATE TABLE … AS SELECT * FROM {quoted(table)} makes a copy without)"
            )
