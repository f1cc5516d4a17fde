"""Whole queries: the shapes that are more than rows of a source (aggregates, compounds, CTEs, …)."""

# ruff: noqa: E501 - one form of SQL per line is easier to read than broken forms

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .model import Model
from .queries import QueryWriter


def query(
    random: Random,
    model: Model,
    samples: dict[str, list[Any]],
    shape: Callable[[QueryWriter], str] | None = None,
) -> tuple[str, Any]:
    """(SQL, parameters) of one random SELECT, of any shape or of the one given."""
    writer = QueryWriter(random, model, samples)
    if shape is None:
        shape = random.choices(list(SHAPES), weights=list(SHAPES.values()))[0]
    return writer.parameters.render(shape(writer))


def point(q: QueryWriter) -> str:
    """By key, the commonest live query of all."""
    table = q.random.choice(q.model.plain or q.model.tables)
    keys = table.keys or (q.random.choice(table.columns),)
    where = " AND ".join(
        q.random.choice(
            (
                f"{key.sql} = {q.constant(key)}",
                f"{key.sql} = {q.constant(key)}",
                f"{key.sql} IN ({q.constant(key)}, {q.constant(key)})",
            )
        )
        for key in keys
    )
    if table.has_rowid and q.random.random() < 0.15:
        where = f"rowid = {q.constant(keys[0])}"
    what = q.random.choice(("*", q.random.choice(table.columns).sql, "count(*)", "1"))
    return f"SELECT {what} FROM {table.sql} WHERE {where}"


def rows(q: QueryWriter) -> str:
    return q.plain()


def one_table(q: QueryWriter) -> str:
    """What can be maintained: filter, projection, order, limit over one table."""
    table = q.random.choice(q.model.plain or q.model.tables)
    scope = [(table.sql, table)] if table.database == "main" else [(table.name, table)]
    outputs = [q.random.choice(table.columns).sql for _ in range(q.random.randint(1, 3))]
    order = q.order(outputs, scope) if q.random.random() < 0.7 else ""
    return f"SELECT {', '.join(outputs)} FROM {table.sql}{q.where(scope)}{order}"


def aggregate(q: QueryWriter) -> str:
    text, scope = q.source()
    group = [q.expression(scope, 2) for _ in range(q.random.randint(0, 2))]
    name = lambda: q.expression(scope, 2)  # noqa: E731
    made = []
    for _ in range(q.random.randint(1, 3)):
        one = name()
        made.append(q.random.choice((
            "count(*)", f"count({one})", f"count(DISTINCT {one})", f"sum({one})", f"total({one})",
            f"avg({one})", f"min({one})", f"max({one})", f"sum(DISTINCT {one})",
            f"group_concat({one}, ',' ORDER BY quote({one}))",
            f"json_group_array({one} ORDER BY quote({one})) FILTER (WHERE typeof({one}) <> 'blob')",
            f"sum({one}) FILTER (WHERE {q.condition(scope, 2)})", f"count(*) + max({one})",
        )))  # fmt: skip
    if not group:
        return f"SELECT {', '.join(made)} FROM {text}{q.where(scope, 0.5)}"
    having = f" HAVING {q.random.choice(made)} > {q.parameters(q.random.choice((0, 1, 2)))}"
    having = having if q.random.random() < 0.35 else ""
    order = f" ORDER BY {q.random.choice([*group, *made])}" if q.random.random() < 0.4 else ""
    if order and q.random.random() < 0.5:
        order += "".join(f", quote({g})" for g in group) + f" LIMIT {q.parameters(2)}"
        # Two groups may be equal under NOCASE and so be one; min(quote()) of the group would tell.
    shown = [g if "LIMIT" not in order else f"max(quote({g}))" for g in group]
    where = q.where(scope, 0.5)
    return f"SELECT {', '.join(shown + made)} FROM {text}{where} GROUP BY {', '.join(group)}{having}{order}"


def compound(q: QueryWriter) -> str:
    parts = []
    for _ in range(q.random.randint(2, 3)):
        text, scope = q.source()
        parts.append(f"SELECT {q.expression(scope, 1)} AS v FROM {text}{q.where(scope)}")
    made = parts[0]
    for part in parts[1:]:
        made += f" {q.random.choice(('UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'))} {part}"
    if q.random.random() < 0.4:
        return f"SELECT v FROM ({made}) ORDER BY v, quote(v) LIMIT {q.parameters(3)}"
    return made + q.random.choice(("", " ORDER BY 1", " ORDER BY v COLLATE NOCASE DESC"))


def common(q: QueryWriter) -> str:
    """CTE, also of the names of real tables, and recursive walks over keys."""
    text, scope = q.source()
    name = q.random.choice(("cte", "cte", q.random.choice(q.model.tables).sql))
    if "." in name or q.random.random() < 0.4:
        table = q.random.choice(q.model.tables)
        one, two = q.random.choice(table.columns).sql, q.random.choice(table.columns).sql
        start = q.constant(table.columns[0])
        return (
            f"WITH RECURSIVE walk(k, depth) AS (SELECT {start}, 0 UNION SELECT x.{one}, depth + 1"
            f" FROM walk JOIN {table.sql} x ON x.{two} = walk.k WHERE depth < 4) SELECT k, depth FROM walk"
        )
    hint = q.random.choice(("", "MATERIALIZED ", "NOT MATERIALIZED "))
    inner = f"SELECT {q.expression(scope, 2)} AS k, {q.expression(scope, 2)} AS a FROM {text}{q.where(scope)}"
    other = q.table()
    joined = f" JOIN {other.sql} y ON y.{q.random.choice(other.columns).sql} = z.k"
    joined = joined if q.random.random() < 0.5 and other.sql != name else ""
    return f"WITH {name}(k, a) AS {hint}({inner}) SELECT z.k, z.a FROM {name} z{joined}"


def window(q: QueryWriter) -> str:
    text, scope = q.source()
    one, two = q.expression(scope, 2), q.expression(scope, 2)
    function = q.random.choice(("count(*)", "row_number()", "rank()", "dense_rank()", f"lag({one})", f"max({two})",
                                f"first_value({one})", f"sum(length({one}))"))  # fmt: skip
    partition = f"PARTITION BY {two} " if q.random.random() < 0.5 else ""
    over = f"({partition}ORDER BY {one}, quote({one}), quote({two}))"
    return f"SELECT {one}, {two}, {function} OVER {over} FROM {text}{q.where(scope)}"


def derived(q: QueryWriter) -> str:
    text, scope = q.source()
    inner = f"SELECT {q.expression(scope, 2)} AS k FROM {text}{q.where(scope)}"
    return q.random.choice((
        f"SELECT k, count(*) FROM ({inner}) GROUP BY k",
        f"SELECT DISTINCT k FROM ({inner})",
        f"SELECT EXISTS ({inner})",
        f"SELECT ({inner} ORDER BY quote(k) LIMIT 1), (SELECT count(*) FROM {q.table().sql})",
        f"SELECT count(*), sum(typeof(k) = 'text') FROM ({inner})",
        f"SELECT * FROM ({inner} ORDER BY quote(k) LIMIT 2) AS d JOIN {q.table().sql} AS e ON true",
        f"SELECT k FROM ({inner}) WHERE k IS NOT {q.parameters(q.random.choice((1, 'a', None)))}",
        f"WITH one AS ({inner}), two AS (SELECT k FROM one WHERE k > 0) SELECT * FROM two UNION ALL SELECT count(*) FROM one",
    ))  # fmt: skip


def special(q: QueryWriter) -> str:
    """json_each over a column, full text, boxes, the schema, pragmas, VALUES, no table at all."""
    text, scope = q.source()
    column = q.column(scope)[0]
    table = q.random.choice(q.model.tables)
    made = [
        f"SELECT {column}, e.value FROM {text}, json_each(json_array({column}, 1)) e WHERE typeof({column}) <> 'blob'",
        f"SELECT name, type FROM pragma_table_info('{table.name.replace(chr(39), chr(39) * 2)}')",
        "SELECT type, name, tbl_name FROM sqlite_schema WHERE name NOT GLOB '_reactive*' ORDER BY name",
        "SELECT count(*) FROM sqlite_master WHERE type = 'index'",
        f"VALUES ({q.constant(table.columns[0])}, (SELECT count(*) FROM {table.sql}))",
        f"SELECT (SELECT count(*) FROM {table.sql}), (SELECT max({table.columns[0].sql}) FROM {table.sql})",
        f"SELECT count(*) FROM {table.sql}",
        f"SELECT 1 FROM {table.sql}",
        f"SELECT * FROM {table.sql} NOT INDEXED WHERE {table.columns[0].sql} = {q.constant(table.columns[0])}",
        f"SELECT * FROM generate_series(1, (SELECT count(*) FROM {table.sql}))",
    ]
    for full_text in q.model.of_kind("fts5"):
        word = q.parameters(q.random.choice(("a", "b", "ab", "one", "two OR a", "on*")))
        made += [
            f"SELECT rowid FROM {full_text.sql} WHERE {full_text.sql} MATCH {word} ORDER BY rowid",
            f"SELECT count(*) FROM {full_text.sql}({word})",
            f"SELECT * FROM {full_text.sql}",
            f"SELECT rowid, * FROM {full_text.sql} WHERE rowid = {q.parameters(1)}",
            f"SELECT rowid, round(rank, 3) FROM {full_text.sql} WHERE {full_text.sql} MATCH {word} ORDER BY rank, rowid",
            f"SELECT highlight({full_text.sql}, 0, '[', ']') FROM {full_text.sql}({word})",
        ] * 2
    for words in q.model.of_kind("fts5vocab"):
        made += [
            f"SELECT term, doc, cnt FROM {words.sql} ORDER BY term",
            f"SELECT count(*) FROM {words.sql}",
        ] * 3
    if any("AUTOINCREMENT" in t.sql_text for t in q.model.plain):
        made += [
            "SELECT name, seq FROM sqlite_sequence ORDER BY name",
            "SELECT max(seq) FROM sqlite_sequence",
        ]
    for boxes in q.model.of_kind("rtree"):
        made += [
            f"SELECT id FROM {boxes.sql} WHERE x0 >= {q.parameters(1)} AND x1 <= {q.parameters(5)} ORDER BY id",
            f"SELECT * FROM {boxes.sql} ORDER BY id",
            f"SELECT note FROM {boxes.sql} WHERE id = {q.parameters(2)}",
        ] * 2
    return q.random.choice(made)


SHAPES = {
    point: 20, one_table: 22, rows: 20, aggregate: 16, compound: 6, common: 6, window: 4, derived: 5,
    special: 9,
}  # fmt: skip
