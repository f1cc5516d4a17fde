"""One SELECT: what it may consist of, which subqueries it has, and what can be asked of its rows.

What is asked of a result may be asked of the rows it comes from if those that make one row of it
all answer alike: they are one combination of rows, or a group by the very column that is asked for.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError, only, queries_in
from reactive_sqlite.understanding.analysis.scopes import Scope
from reactive_sqlite.understanding.analysis.sources import Columns, Query, is_binary
from reactive_sqlite.understanding.analysis.subjects import Binding

# What is not listed might be an aggregate.
_ROW_BY_ROW: Final = (
    exp.Column,
    exp.Identifier,
    exp.Star,
    exp.Alias,
    exp.Literal,
    exp.Null,
    exp.Paren,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.Mod,
    exp.Neg,
    exp.DPipe,
    exp.Boolean,
    exp.Placeholder,
    exp.And,
    exp.Or,
    exp.Not,
    exp.EQ,
    exp.NEQ,
    exp.LT,
    exp.LTE,
    exp.GT,
    exp.GTE,
    exp.Is,
    exp.Between,
    exp.Case,
    exp.If,
    exp.Coalesce,
    exp.Nullif,
    exp.Lower,
    exp.Upper,
    exp.Length,
    exp.Abs,
    exp.Substring,
    exp.Trim,
    exp.Cast,
    exp.DataType,
)


def visible(select: exp.Select, scope: Scope) -> Query:
    """What the SELECT offers to a query around it, and of which columns conditions can judge."""
    query = Query(scope.outputs(), scope.targets)
    group, having = select.args.get("group"), select.args.get("having")
    keys: list[Binding] = []
    if group is not None:
        only(group, "expressions")
        keys = _keys(group.expressions, query.columns, scope)
        if having is not None:
            scope.demand_of_groups(having.this, keys)
    if query.columns is None:
        return query
    if any(select.args.get(name) for name in ("limit", "offset", "windows")):
        return query.unjudged()
    if group is not None:
        if select.find(exp.Window) is not None:
            return query.unjudged()
        return Query(_kept(query.columns, keys), query.targets)
    if having is not None or not all(is_row_by_row(item) for item in select.expressions):
        return query.unjudged()
    if select.args.get("distinct"):
        # Of equal rows one stays, and it speaks for the others.
        return Query(_kept(query.columns, None), query.targets)
    return query


def _keys(
    expressions: list[exp.Expression], outputs: Columns | None, scope: Scope
) -> list[Binding]:
    """The columns in which the rows of a group are alike."""
    found = []
    for item in expressions:
        binding = None
        if isinstance(item, exp.Column):
            binding = scope.resolve(item)
        elif isinstance(item, exp.Literal) and not item.is_string and item.this.isdigit():
            place = int(item.this) - 1
            if outputs is not None and 0 <= place < len(outputs):
                binding = outputs[place][1]
        if binding is not None and is_binary(binding.column):
            found.append(binding)
    return found


def _kept(columns: Columns, keys: list[Binding] | None) -> Columns:
    return [
        (
            name,
            binding
            if binding is not None
            and is_binary(binding.column)
            and (keys is None or binding in keys)
            else None,
        )
        for name, binding in columns
    ]


def is_row_by_row(item: exp.Expression) -> bool:
    """Whether a result column surely is of one row: no aggregate, no window, no subquery."""
    return all(isinstance(node, _ROW_BY_ROW) for node in item.walk())


def check_select(select: exp.Select) -> None:
    """Refuse what a SELECT in SQLite does not have: it was misread."""
    only(
        select,
        "expressions",
        "from_",
        "joins",
        "where",
        "group",
        "having",
        "windows",
        "order",
        "limit",
        "offset",
        "distinct",
        "with_",
    )
    if select.args.get("distinct"):
        only(select.args["distinct"])
    for join in select.args.get("joins") or ():
        check_join(join)


def check_join(join: exp.Join) -> None:
    """Refuse a join that SQLite does not have."""
    only(join, "this", "on", "using", "side", "kind", "method")
    known = (
        (join.args.get("side") or "") in ("", "LEFT", "RIGHT", "FULL")
        and (join.args.get("kind") or "") in ("", "INNER", "CROSS", "OUTER")
        and (join.args.get("method") or "") in ("", "NATURAL")
    )
    if not known:
        raise NotUnderstoodError("an unknown kind of join")


def nested_queries(select: exp.Select, has_outer: bool) -> list[tuple[exp.Expression, bool]]:
    """The subqueries of a SELECT outside its FROM items, and whether their values matter only for
    the rows that all conditions are true of.
    """
    found: list[tuple[exp.Expression, bool]] = []
    for name, value in select.args.items():
        if name in ("from_", "with_"):
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, exp.Join):
                on = part.args.get("on")
                if on is not None:
                    inner = not has_outer and not part.args.get("side")
                    found += [(query, inner) for query in queries_in(on)]
            elif isinstance(part, exp.Expression):
                found += [(query, True) for query in queries_in(part)]
    return found
