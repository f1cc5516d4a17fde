"""Random writes: every verb, conflict clause, failure and DDL that SQLite has."""

# ruff: noqa: E501 - one form of SQL per line is easier to read than broken forms

from __future__ import annotations

from typing import Any

from . import schemas
from .model import Table
from .program import Op
from .queries import QueryWriter
from .values import Parameters, quoted, value_for

CONFLICTS = ("", "", "", " OR IGNORE", " OR REPLACE", " OR FAIL", " OR ROLLBACK", " OR ABORT")
WORDS = ("a", "b", "one two", "two", "on off", "ab one", "", "One", None)


class WriteWriter(QueryWriter):
    """Writes one statement that writes; conditions and expressions come from QueryWriter."""

    def target(self) -> Table:
        if self.model.views and self.random.random() < 0.12:
            return self.random.choice(self.model.views)
        return self.random.choice(self.model.plain)

    def condition_on(self, table: Table, chance: float = 0.85) -> str:
        if self.random.random() > chance:
            return ""
        scope = [(quoted(table.name), table)]
        if self.random.random() < 0.5:
            key = self.random.choice(table.keys or table.columns)
            return f" WHERE {key.sql} = {self.constant(key)}"
        return f" WHERE {self.condition(scope, 1)}"

    def returning(self, table: Table) -> str:
        return self.random.choice(
            ("", "", "", "", " RETURNING *", f" RETURNING {table.columns[0].sql}")
        )

    def tuple_of(self, table: Table, columns: tuple[Any, ...]) -> str:
        return "(" + ", ".join(self.parameters(self.fitting(column)) for column in columns) + ")"

    def fitting(self, column: Any) -> Any:
        known = self.samples.get(column.name)
        if column.name == "parent_id" and self.random.random() < 0.85:
            return self.random.choice(self.samples.get("id") or (None,))
        if known and self.random.random() < 0.35:
            return self.random.choice(known)
        if column.name == "id" and self.random.random() < 0.5 and "TEXT" not in column.declared:
            return self.random.choice((None, self.random.randint(1, 30)))
        return value_for(self.random, column.declared)

    def fill(self, table: Table) -> str:
        rows = ", ".join(
            self.tuple_of(table, table.writable) for _ in range(self.random.randint(2, 5))
        )
        names = ", ".join(column.sql for column in table.writable)
        return f"INSERT OR IGNORE INTO {table.sql}({names}) VALUES {rows}"

    def insert(self) -> str:
        table = self.target()
        columns = table.writable
        if self.random.random() < 0.3:
            columns = tuple(self.random.sample(columns, self.random.randint(1, len(columns))))
        names = ", ".join(c.sql for c in columns)
        rows = ", ".join(
            self.tuple_of(table, columns) for _ in range(self.random.choice((1, 1, 1, 2, 3, 6)))
        )
        pick = self.random.random()
        conflict = self.random.choice(CONFLICTS)
        if pick < 0.1:
            return f"REPLACE INTO {table.sql}({names}) VALUES {rows}{self.returning(table)}"
        if pick < 0.2 and len(table.writable) == len(columns):
            other = self.random.choice(self.model.plain)
            chosen = ", ".join(self.random.choice(other.columns).sql for _ in columns)
            return f"INSERT{conflict} INTO {table.sql}({names}) SELECT {chosen} FROM {other.sql} WHERE true LIMIT 5"
        if pick < 0.23:
            return f"INSERT{conflict} INTO {table.sql} DEFAULT VALUES{self.returning(table)}"
        if pick < 0.4:
            key = ", ".join(k.sql for k in table.keys)
            on = f"({key})" if key and self.random.random() < 0.8 else ""
            column = self.random.choice(table.writable)
            new = self.random.choice(
                (f"excluded.{column.sql}", self.parameters(self.fitting(column)), column.sql)
            )
            where = (
                f" WHERE excluded.{column.sql} IS NOT {column.sql}"
                if self.random.random() < 0.2
                else ""
            )
            action = (
                "NOTHING"
                if not on or self.random.random() < 0.3
                else f"UPDATE SET {column.sql} = {new}{where}"
            )
            return f"INSERT INTO {table.sql}({names}) VALUES {rows} ON CONFLICT{on} DO {action}{self.returning(table)}"
        if pick < 0.43:
            return f"WITH s AS (SELECT 1) INSERT{conflict} INTO {table.sql}({names}) VALUES {rows}"
        return f"INSERT{conflict} INTO {table.sql}({names}) VALUES {rows}{self.returning(table)}"

    def update(self) -> str:
        table = self.target()
        conflict = self.random.choice(CONFLICTS)
        chosen = self.random.sample(
            table.writable, min(len(table.writable), self.random.choice((1, 1, 2)))
        )
        scope = [(quoted(table.name), table)]
        sets = []
        for column in chosen:
            new = self.random.choice((
                lambda c=column: self.parameters(self.fitting(c)), lambda c=column: self.parameters(self.fitting(c)),
                lambda c=column: c.sql, lambda c=column: f"{c.sql} + 1", lambda c=column: f"{c.sql} || 'x'",
                lambda c=column: self.expression(scope, 2), lambda c=column: f"CAST({c.sql} AS REAL)",
                lambda c=column: f"CAST({c.sql} AS TEXT)", lambda c=column: f"nullif({c.sql}, {c.sql})",
            ))()  # fmt: skip
            sets.append(f"{column.sql} = {new}")
        if self.random.random() < 0.1:
            other = self.random.choice(self.model.plain)
            column = self.random.choice(other.columns).sql
            return (
                f"UPDATE{conflict} {table.sql} SET {chosen[0].sql} = f.{column} FROM {other.sql} AS f"
                f" WHERE f.{column} = {quoted(table.name)}.{self.random.choice(table.columns).sql}"
            )
        where = self.condition_on(table, 0.8)
        return f"UPDATE{conflict} {table.sql} SET {', '.join(sets)}{where}{self.returning(table)}"

    def delete(self) -> str:
        table = self.target()
        return f"DELETE FROM {table.sql}{self.condition_on(table, 0.9)}{self.returning(table)}"

    def full_text(self, table: Table) -> str:
        column = table.columns[0].sql
        word = lambda: self.parameters(self.random.choice(WORDS))  # noqa: E731
        row = self.parameters(self.random.randint(1, 9))
        return self.random.choice((
            lambda: f"INSERT INTO {table.sql}({column}) VALUES ({word()})",
            lambda: f"INSERT INTO {table.sql}(rowid, {column}) VALUES ({row}, {word()})",
            lambda: f"INSERT OR REPLACE INTO {table.sql}(rowid, {column}) VALUES ({row}, {word()})",
            lambda: f"UPDATE {table.sql} SET {column} = {word()} WHERE rowid = {row}",
            lambda: f"DELETE FROM {table.sql} WHERE rowid = {row}",
            lambda: f"DELETE FROM {table.sql} WHERE {table.sql} MATCH 'a'",
            lambda: f"INSERT INTO {table.sql}({table.sql}) VALUES ('{self.random.choice(('optimize', 'rebuild', 'delete-all'))}')",
        ))()  # fmt: skip

    def box(self, table: Table) -> str:
        number = lambda *v: self.parameters(self.random.choice(v))  # noqa: E731
        return self.random.choice((
            lambda: f"INSERT INTO {table.sql} VALUES ({number(1, 2, 3, 4)}, {number(0, 1, 2)}, {number(2, 4, 6)}, {number('a', 'b', None)})",
            lambda: f"UPDATE {table.sql} SET x1 = {number(3, 5)}, note = {number('a', 'c')} WHERE id = {number(1, 2, 3)}",
            lambda: f"DELETE FROM {table.sql} WHERE x0 > {number(0, 1)}",
        ))()  # fmt: skip

    def bulk(self) -> str:
        """More than a thousand rows in one statement, and the way back."""
        table = self.random.choice(self.model.plain)
        columns = table.writable[:3]
        terms = ", ".join(
            self.random.choice(("i", "i", "i % 7", "'k' || i", "i * 1.0")) for _ in columns
        )
        if len(self.samples.get("#" + table.name, ())) or self.random.random() < 0.4:
            return (
                f"DELETE FROM {table.sql} WHERE rowid > 40"
                if table.has_rowid
                else f"DELETE FROM {table.sql}"
            )
        many = self.random.choice((300, 300, 1200))  # rows are counted one by one up to 200
        return (
            f"WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {many})"
            f" INSERT OR IGNORE INTO {table.sql}({', '.join(c.sql for c in columns)}) SELECT {terms} FROM s"
        )

    def dml(self) -> str:
        pick = self.random.random()
        if pick < 0.08 and (found := self.model.of_kind("fts5")):
            return self.full_text(self.random.choice(found))
        if pick < 0.12 and (found := self.model.of_kind("rtree")):
            return self.box(self.random.choice(found))
        if pick < 0.135:
            return self.bulk()
        return self.random.choices((self.insert, self.update, self.delete), (45, 38, 17))[0]()

    def ddl(self) -> str:
        """A change of the schema."""
        random, model = self.random, self.model
        table = random.choice(model.plain)
        column = random.choice(table.columns).sql
        name = f"n{random.randrange(1000)}"
        made = [
            f"ALTER TABLE {table.sql} ADD COLUMN {name} {random.choice(('TEXT', 'INTEGER DEFAULT 3', 'DEFAULT NULL'))}",
            f"ALTER TABLE {table.sql} ADD COLUMN {name} AS (coalesce({column}, 'z')) VIRTUAL",
            f"ALTER TABLE {table.sql} RENAME COLUMN {column} TO {random.choice((name, 'a', 'b'))}",
            f"ALTER TABLE {table.sql} DROP COLUMN {column}",
            f"ALTER TABLE {table.sql} RENAME TO {random.choice(('t', 'u', 'w', name))}",
            f"CREATE TABLE {name} AS SELECT * FROM {self.table().sql}",
            f"CREATE TEMP TABLE {random.choice(('t', 'u', name))} AS SELECT * FROM {table.sql}",
            *schemas.table(random, random.choice(schemas.TABLE_NAMES), [table.name]),
            schemas.index(random, table.name, [column]) if table.database == "main" else "SELECT 1",
            schemas.view(random, model), schemas.view(random, model),
            schemas.trigger(random, model), schemas.trigger(random, model), schemas.trigger(random, model),
            f"DROP TABLE {table.sql}", f"DROP TABLE IF EXISTS {name}",
        ]  # fmt: skip
        made += [f"DROP INDEX {index}" for index in model.indexes[:1]]
        made += [f"DROP TRIGGER {trigger}" for trigger in model.triggers[:2]]
        made += [f"DROP VIEW {view.sql}" for view in model.views[:1]]
        return random.choice(made)

    def upkeep(self) -> str:
        """Statements that are neither reads nor writes of rows."""
        return self.random.choice((
            "VACUUM", "ANALYZE", "REINDEX", "PRAGMA optimize", "PRAGMA foreign_keys", "PRAGMA user_version = 7",
            "PRAGMA table_list", "PRAGMA wal_checkpoint", "PRAGMA incremental_vacuum", "ATTACH ':memory:' AS aux",
            "DETACH aux", "CREATE TABLE aux.far(id INTEGER PRIMARY KEY, a)", "DROP TABLE aux.far",
            "PRAGMA recursive_triggers", "PRAGMA foreign_key_check",
            "EXPLAIN SELECT 1", "PRAGMA case_sensitive_like = ON", "PRAGMA case_sensitive_like = OFF",
            "PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON", "PRAGMA reverse_unordered_selects = OFF",
        ))  # fmt: skip


def many(writer: WriteWriter) -> Op:
    """executemany of an INSERT, an UPDATE or a DELETE, which may fail half-way."""
    writer.parameters = Parameters(writer.random, style="")
    table = writer.random.choice(writer.model.plain)
    columns = table.writable
    one = writer.random.choice(columns)
    key = writer.random.choice(table.keys or columns)
    key = key if not key.generated else one
    conflict = writer.random.choice(CONFLICTS)
    text, used = writer.random.choice((
        (f"INSERT{conflict} INTO {table.sql}({', '.join(c.sql for c in columns)})"
         f" VALUES ({', '.join('?' for _ in columns)})", columns),
        (f"UPDATE{conflict} {table.sql} SET {one.sql} = ? WHERE {key.sql} = ?", (one, key)),
        (f"DELETE FROM {table.sql} WHERE {key.sql} = ?", (key,)),
    ))  # fmt: skip
    count = writer.random.choice((0, 1, 2, 4))
    return Op("many", text, [tuple(writer.fitting(c) for c in used) for _ in range(count)])
