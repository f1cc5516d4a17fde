"""Random schemas: every kind of table, key, affinity, collation, trigger and view in few tables."""

# ruff: noqa: E501 - one form of SQL per line is easier to read than broken forms

from __future__ import annotations

from random import Random

from .model import Model, Table
from .values import literal, quoted, value_for

DECLARED = ("INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB", "", "VARCHAR(9)", "BOOLEAN", "ANY")
COLLATIONS = ("", "", "", " COLLATE NOCASE", " COLLATE RTRIM")
COLUMN_NAMES = ("a", "b", "c", "status", "n", "Name", "order", "é x")
TABLE_NAMES = ("t", "u", "Tasks", "group", "w")
CONFLICTS = ("REPLACE", "REPLACE", "IGNORE", "FAIL", "ROLLBACK", "ABORT")
ACTIONS = (
    "CASCADE",
    "SET NULL",
    "SET DEFAULT",
    "RESTRICT",
    "NO ACTION DEFERRABLE INITIALLY DEFERRED",
)


def columns(random: Random, count: int) -> list[tuple[str, str]]:
    """(name, definition) of `count` ordinary columns."""
    made = []
    for name in random.sample(COLUMN_NAMES, count):
        declared = random.choice(DECLARED)
        text = f"{quoted(name)} {declared}{random.choice(COLLATIONS)}"
        if random.random() < 0.25:
            text += f" DEFAULT {literal(value_for(random, declared))}"
        if random.random() < 0.06:
            text += f" NOT NULL ON CONFLICT {random.choice(('REPLACE', 'ABORT', 'IGNORE'))}"
            text += " DEFAULT 7" if "DEFAULT" not in text else ""
        if random.random() < 0.12:
            text += f" UNIQUE ON CONFLICT {random.choice(CONFLICTS)}"
        if random.random() < 0.06:
            text += f" CHECK ({quoted(name)} IS NOT 8)"
        made.append((name, text))
    return made


def table(random: Random, name: str, others: list[str]) -> list[str]:
    """CREATE TABLE, perhaps with an index; `others` have a key `id` that may be referred to."""
    made = columns(random, random.randint(2, 4))
    names = [quoted(column) for column, _ in made]
    parts = [text for _, text in made]
    tail = ""
    kind = random.random()
    if kind < 0.5:
        parts.insert(0, "id INTEGER PRIMARY KEY" + random.choice(("", "", " AUTOINCREMENT")))
    elif kind < 0.65:
        parts.insert(0, f"id TEXT PRIMARY KEY{random.choice(COLLATIONS)}")
        tail = random.choice(("", " WITHOUT ROWID"))
    elif kind < 0.8:
        conflict = random.choice(("", " ON CONFLICT REPLACE", " ON CONFLICT IGNORE"))
        direction = random.choice(("", " DESC"))
        parts.append(f"PRIMARY KEY ({names[0]}{direction}, {names[1]}){conflict}")
        tail = random.choice((" WITHOUT ROWID", " WITHOUT ROWID", ""))
    elif kind < 0.86:
        parts.insert(0, "id INTEGER PRIMARY KEY DESC")  # an ordinary column for historical reasons
    if random.random() < 0.2:
        expression = random.choice((f"{names[0]} || '!'", f"coalesce({names[0]}, 0) + 1",
                                    f"lower({names[1]})", f"{names[0]} IS NULL"))  # fmt: skip
        storage = random.choice(("VIRTUAL", "STORED"))
        parts.insert(len(made) // 2 + 1, f"gen AS ({expression}) {storage}")
    if others and random.random() < 0.5:
        parts.insert(1, f"parent_id {random.choice(('INTEGER', '', 'TEXT'))} DEFAULT 1")
        parts.append(
            f"FOREIGN KEY (parent_id) REFERENCES {quoted(random.choice(others))}(id)"
            f" ON DELETE {random.choice(ACTIONS[:4])} ON UPDATE {random.choice(ACTIONS)}"
        )
    if random.random() < 0.06 and all(" ANY" in p or " TEXT" in p or "INTEGER" in p for p in parts):
        tail = f"{tail}, STRICT" if tail else " STRICT"
    constraints = [p for p in parts if p.startswith(("PRIMARY KEY (", "FOREIGN KEY"))]
    parts = [p for p in parts if p not in constraints] + constraints
    statements = [f"CREATE TABLE {quoted(name)}({', '.join(parts)}){tail}"]
    if random.random() < 0.5:
        statements.append(index(random, name, names))
    return statements


def index(random: Random, table: str, names: list[str]) -> str:
    """CREATE INDEX: plain, unique, partial or over an expression."""
    name = f"i{random.randrange(10000)}"
    on = random.choice((names[0], f"{names[-1]} DESC", f"{names[0]}, {names[-1]}",
                        f"lower({names[0]})", f"{names[0]} COLLATE NOCASE"))  # fmt: skip
    where = random.choice(("", "", f" WHERE {names[-1]} IS NOT NULL", f" WHERE {names[0]} > 1"))
    unique = "UNIQUE " if random.random() < 0.15 else ""
    return f"CREATE {unique}INDEX {name} ON {quoted(table)}({on}){where}"


def view(random: Random, model: Model) -> str:
    """CREATE VIEW over one or two tables or views of `model`."""
    name = f"v{random.randrange(1000)}"
    temp = "TEMP " if random.random() < 0.1 else ""
    one = random.choice(model.tables)
    two = random.choice(model.tables)
    column, other = random.choice(one.columns).sql, random.choice(two.columns).sql
    body = random.choice((
        f"SELECT * FROM {one.sql}",
        f"SELECT {column} AS k, count(*) AS total FROM {one.sql} GROUP BY {column}",
        f"SELECT x.{column} AS k, y.{other} AS a FROM {one.sql} x LEFT JOIN {two.sql} y ON x.{column} = y.{other}",
        f"SELECT {column} AS k FROM {one.sql} UNION SELECT {other} FROM {two.sql}",
        f"SELECT {column} AS a, {column} AS b FROM {one.sql} WHERE {column} IN (SELECT {other} FROM {two.sql})",
    ))  # fmt: skip
    return f"CREATE {temp}VIEW {name} AS {body}"


def _insert_any(random: Random, table: Table, source: str) -> str:
    chosen = random.sample(table.writable, random.randint(1, len(table.writable)))
    values = [
        random.choice((literal(value_for(random, c.declared)), source, "NULL")) for c in chosen
    ]
    verb = random.choice(("INSERT OR IGNORE", "INSERT OR REPLACE", "INSERT"))
    return f"{verb} INTO {quoted(table.name)}({', '.join(c.sql for c in chosen)}) VALUES ({', '.join(values)})"


def trigger(random: Random, model: Model) -> str:
    """CREATE TRIGGER that writes another table, refuses a row, or makes a view writable."""
    name = f"g{random.randrange(10000)}"
    if model.views and random.random() < 0.4:
        on = random.choice(model.views)
        timing = "INSTEAD OF"
    elif model.plain:
        on = random.choice(model.plain)
        timing = random.choice(("AFTER", "BEFORE", "AFTER"))
    else:
        return "SELECT 1"
    event = random.choice(("INSERT", "UPDATE", "DELETE"))
    column = random.choice(on.columns).sql
    image = "OLD" if event == "DELETE" else "NEW"
    # A trigger body names tables of its own database only.
    targets = [t for t in model.plain if t.name != on.name and t.database == on.database] or [
        t for t in model.plain if t.database == on.database
    ]
    if not targets:
        return "SELECT 1"
    target = random.choice(targets)
    key = random.choice(target.writable).sql
    into = quoted(target.name)
    source = f"{image}.{column}"
    body = random.choice((
        _insert_any(random, target, source),
        _insert_any(random, target, source),
        f"UPDATE {into} SET {key} = {source} WHERE {random.choice(target.columns).sql} = {source}",
        f"UPDATE OR REPLACE {into} SET {key} = {source}",
        f"DELETE FROM {into} WHERE {key} = {source}",
        f"SELECT RAISE({random.choice(('ABORT', 'FAIL', 'ROLLBACK'))}, 'refused') WHERE {source} = 7",
        f"SELECT RAISE(IGNORE) WHERE {source} = 9",
    ))  # fmt: skip
    of = (
        f" OF {column}"
        if event == "UPDATE" and timing != "INSTEAD OF" and random.random() < 0.3
        else ""
    )
    when = f" WHEN {source} IS NOT NULL" if random.random() < 0.2 else ""
    temp = "TEMP " if random.random() < 0.08 or on.database == "temp" else ""
    return (
        f"CREATE {temp}TRIGGER {name} {timing} {event}{of} ON {on.sql if temp == '' else quoted(on.name)}"
        f"{when} BEGIN {body}; END"
    )


def full_text(random: Random, model: Model) -> list[str]:
    """FTS5: plain, external content fed by triggers, contentless."""
    kind = random.random()
    if kind < 0.5:
        return ["CREATE VIRTUAL TABLE ft USING fts5(title, body)"]
    if kind < 0.8:
        sources = [
            t for t in model.plain if t.has_rowid and t.database == "main" and len(t.columns) > 1
        ]
        if sources:
            source = random.choice(sources)
            name, column = quoted(source.name), source.columns[-1].sql
            bare = source.columns[-1].name.replace('"', "")
            return [
                f"CREATE VIRTUAL TABLE ft USING fts5(\"{bare}\", content='{source.name}')",
                f"CREATE TRIGGER ft_i AFTER INSERT ON {name} BEGIN INSERT INTO ft(rowid, {column})"
                f" VALUES (new.rowid, new.{column}); END",
                f"CREATE TRIGGER ft_d AFTER DELETE ON {name} BEGIN INSERT INTO ft(ft, rowid, {column})"
                f" VALUES ('delete', old.rowid, old.{column}); END",
                f"CREATE TRIGGER ft_u AFTER UPDATE ON {name} BEGIN INSERT INTO ft(ft, rowid, {column})"
                f" VALUES ('delete', old.rowid, old.{column}); INSERT INTO ft(rowid, {column})"
                f" VALUES (new.rowid, new.{column}); END",
            ]
    return ["CREATE VIRTUAL TABLE ft USING fts5(title, content='', contentless_delete=1)"]


def vocabulary() -> str:
    """A table that shows what is in the index of the full-text table."""
    return "CREATE VIRTUAL TABLE words USING fts5vocab('ft', 'row')"


def rtree() -> list[str]:
    return ["CREATE VIRTUAL TABLE rt USING rtree(id, x0, x1, +note)"]
