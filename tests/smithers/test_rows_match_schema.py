"""Each table in SQL and each row type in Python say the same, both ways."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from smithers_db import SmithersDB
from smithers_db.rows import KEYS, ROW_TYPES, Count, Json

AFFINITIES: dict[Any, str] = {
    str: "TEXT",
    int: "INTEGER",
    bool: "INTEGER",
    float: "REAL",
    Count: "INTEGER",
}


def tables(db: SmithersDB) -> set[str]:
    return {
        row.name
        for row in db.query("SELECT name, type FROM pragma_table_list WHERE schema = 'main'").get()
        if row.type == "table" and not row.name.startswith("sqlite_")
    } - {"schema_migrations"}


def test_every_table_has_a_row_type_and_every_row_type_a_table(db: SmithersDB) -> None:
    assert tables(db) == set(ROW_TYPES)


@pytest.mark.parametrize("table", ROW_TYPES)
def test_columns_and_fields_agree(db: SmithersDB, table: str) -> None:
    row_type = ROW_TYPES[table]
    hints = get_type_hints(row_type, include_extras=True)
    columns = db.query(
        'SELECT name, type, "notnull" AS required, pk FROM pragma_table_info(?)', (table,)
    ).get()
    assert [column.name for column in columns] == list(row_type.__struct_fields__)
    for column in columns:
        hint: Any = hints[column.name]
        if hint == Json:
            assert column.type == "TEXT", column
            continue
        kinds = (hint,) if hint == Count else get_args(hint) or (hint,)
        assert column.type == AFFINITIES[kinds[0]], column
        nullable = not column.required and not (column.pk and column.type == "INTEGER")
        assert nullable == (type(None) in kinds), f"{table}.{column.name}: {hint}"


@pytest.mark.parametrize("table", ROW_TYPES)
def test_the_key_tells_rows_apart(db: SmithersDB, table: str) -> None:
    primary = "SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk"
    keys = [[row.name for row in db.query(primary, (table,)).get()]]
    for (index,) in db.query(
        'SELECT name FROM pragma_index_list(?) WHERE "unique"', (table,)
    ).get():
        columns = db.query("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,)).get()
        keys.append([row.name for row in columns])
    assert list(KEYS[table]) in keys


def test_rows_are_frozen(db: SmithersDB, run: str) -> None:
    row = db.execution.get(run)
    with pytest.raises(AttributeError, match="immutable"):
        row.status = "completed"  # type: ignore[union-attr,misc]
    assert isinstance(row, msgspec.Struct)
