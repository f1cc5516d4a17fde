"""What the generator knows of a database: read from the engine, never kept by hand."""

from __future__ import annotations

import dataclasses

import apsw

from .values import quoted


@dataclasses.dataclass(frozen=True)
class Column:
    name: str
    declared: str
    key: int
    generated: bool

    @property
    def sql(self) -> str:
        return quoted(self.name)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table, view or virtual table, as `PRAGMA table_list` and `table_xinfo` tell it."""

    database: str
    name: str
    kind: str  # table | view | fts5 | fts5vocab | rtree
    without_rowid: bool
    columns: tuple[Column, ...]
    sql_text: str

    @property
    def sql(self) -> str:
        plain = quoted(self.name)
        return plain if self.database == "main" else f"{self.database}.{plain}"

    @property
    def keys(self) -> tuple[Column, ...]:
        return tuple(sorted((c for c in self.columns if c.key), key=lambda c: c.key))

    @property
    def writable(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if not c.generated)

    @property
    def has_rowid(self) -> bool:
        return self.kind != "view" and not self.without_rowid


@dataclasses.dataclass(frozen=True)
class Model:
    tables: tuple[Table, ...]
    indexes: tuple[str, ...]
    triggers: tuple[str, ...]

    @property
    def plain(self) -> tuple[Table, ...]:
        return tuple(t for t in self.tables if t.kind == "table")

    @property
    def views(self) -> tuple[Table, ...]:
        return tuple(t for t in self.tables if t.kind == "view")

    def of_kind(self, kind: str) -> tuple[Table, ...]:
        return tuple(t for t in self.tables if t.kind == kind)


def load(connection: apsw.Connection) -> Model:
    """The schema of every database of `connection`; views that do not work are left out."""
    texts: dict[tuple[str, str], str] = {}
    indexes: list[str] = []
    triggers: list[str] = []
    databases = [row[1] for row in connection.execute("PRAGMA database_list")]
    for database in databases:
        rows = connection.execute(
            f"SELECT type, name, sql FROM {database}.sqlite_schema"
        ).fetchall()
        for kind, name, sql in rows:
            texts[database, name] = sql or ""
            prefix = "" if database == "main" else f"{database}."
            if kind == "index" and sql:
                indexes.append(prefix + quoted(name))
            elif kind == "trigger":
                triggers.append(prefix + quoted(name))
    tables: list[Table] = []
    listed = connection.execute(
        "SELECT schema, name, type, wr FROM pragma_table_list ORDER BY schema, name"
    ).fetchall()
    for database, name, kind, without_rowid in listed:
        if kind == "shadow" or name.startswith("sqlite_") or (database, name) not in texts:
            continue
        text = texts[database, name]
        if kind == "virtual":
            kind = next(k for k in ("rtree", "fts5vocab", "fts5") if k in text.lower())
        try:
            columns = connection.execute(
                f"PRAGMA {database}.table_xinfo({quoted(name)})"
            ).fetchall()
        except apsw.Error:
            continue
        found = tuple(
            Column(column[1], column[2], column[5], column[6] >= 2)
            for column in columns
            if column[6] != 1
        )
        if found:
            tables.append(Table(database, name, kind, bool(without_rowid), found, text))
    return Model(tuple(tables), tuple(indexes), tuple(triggers))
