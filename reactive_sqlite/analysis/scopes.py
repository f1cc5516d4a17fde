"""The scopes of a query: which table references it has, and what its WHEREs and ONs demand of each.

The rows of a reference that surely fail a demand contribute nothing to the scope, whatever else
the query does with it (grouping, windows, LIMIT …). Under an outer join a demand counts only where
a row of NULLs would fail it too: else a failing row is missed when it goes, as it kept a row of
NULLs away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from reactive_sqlite.analysis.conditions import Binding, Condition, demands
from reactive_sqlite.analysis.parse import NotUnderstoodError, only, queries_in
from reactive_sqlite.analysis.terms import Term
from reactive_sqlite.catalog import TableInfo
from reactive_sqlite.comparison import ROWID, Column, fold

ROWID_NAMES: Final = ("rowid", "oid", "_rowid_")


class Mention:
    """One mention of a real table: what is demanded of its rows.

    `nested` says that it stands below a FROM, where SQLite reads only the columns that are asked
    for from outside.
    """

    __slots__ = ("demands", "nested", "nullable", "table")

    def __init__(self, table: TableInfo, nested: bool) -> None:
        self.table = table
        self.nested = nested
        self.demands: list[Term] = []
        self.nullable = False

    def demand(self, term: Term) -> None:
        """Only rows that satisfy the term matter."""
        if not self.nullable or term.is_strict():
            self.demands.append(term)


class Source:
    """One item of a FROM clause.

    `columns` are its columns by folded name, None for one that cannot be judged; `columns` None
    means that not even their names are known. `mentions` are the tables below it whose rows its
    conditions can judge.
    """

    def __init__(
        self,
        name: str,
        columns: dict[str, Binding | None] | None,
        mentions: Sequence[Mention] = (),
        rowid: Binding | None = None,
    ) -> None:
        self.name = name
        self.columns = columns
        self.mentions = tuple(mentions)
        self.rowid = rowid

    def column(self, name: str) -> Binding | None:
        """The column of this name, if it can be judged."""
        if self.columns is None:
            return None
        if name in self.columns:
            return self.columns[name]
        return self.rowid if name in ROWID_NAMES else None


def table_source(mention: Mention, alias: str, utf8: bool) -> Source:
    """A table as a source."""
    table = mention.table
    if table.kind != "table":
        return Source(alias, None)
    columns: dict[str, Binding | None] = {
        info.name: Binding(mention, Column(info.name, place, info.affinity, info.collation, utf8))
        for place, info in enumerate(table.columns)
    }
    rowid = None
    if table.rowid_column is not None:
        rowid = columns[table.columns[table.rowid_column].name]
    elif not table.without_rowid:
        rowid = Binding(mention, Column("rowid", ROWID, "INTEGER"))
    if table.has_virtual_columns:
        # Such a row is never seen, so nothing can be judged of it.
        return Source(alias, dict.fromkeys(columns))
    return Source(alias, columns, [mention], rowid)


class Scope:
    """The sources of one SELECT, joined from left to right, and the names in it."""

    def __init__(self, select: exp.Select, certain: frozenset[str]) -> None:
        self._select = select
        self._certain = certain
        self.sources: list[Source] = []

    def join(self, sources: Sequence[tuple[Source, exp.Join | None]]) -> None:
        """Take in the sources and what ON and WHERE demand of them."""
        self.sources = [source for source, _ in sources]
        outer = False
        for _, join in sources:
            side = join.args.get("side") if join is not None else None
            outer = outer or side in ("RIGHT", "FULL")
        seen: list[Mention] = []
        for source, join in sources:
            left = join is not None and join.args.get("side") == "LEFT"
            if not left:
                seen += source.mentions
            on = join.args.get("on") if join is not None else None
            if on is not None and not outer:
                self._demand(on, source.mentions if left else seen)
            if left or outer:
                for mention in source.mentions:
                    mention.nullable = True
            if left:
                seen += source.mentions
        where = self._select.args.get("where")
        if where is not None:
            only(where, "this")
            if outer:
                for mention in seen:
                    mention.nullable = True
            self._demand(where.this, seen)

    def _demand(self, tree: exp.Expression, mentions: Sequence[Mention]) -> None:
        condition = Condition(tree, self.resolve, self._certain)
        for owner, term in demands(condition, mentions):
            assert isinstance(owner, Mention)
            owner.demand(term)

    def resolve(self, column: exp.Column) -> Binding | None:
        """What a name in this SELECT means, if it certainly is a column of one of its sources."""
        if column.args.get("db") or not isinstance(column.this, exp.Identifier):
            return None
        name = fold(column.name)
        if column.args.get("table"):
            alias = fold(column.table)
            named = [source for source in self.sources if source.name == alias]
            return named[0].column(name) if len(named) == 1 else None
        if any(source.columns is None for source in self.sources):
            return None
        having = [source for source in self.sources if name in (source.columns or ())]
        if len(having) == 1:
            return having[0].column(name)
        # A bare rowid means something else as soon as there are several tables.
        if not having and len(self.sources) == 1:
            return self.sources[0].column(name)
        return None

    def outputs(self) -> list[tuple[str, Binding | None]] | None:
        """The result columns, None if their names are not certain."""
        result: list[tuple[str, Binding | None]] = []
        for item in self._select.expressions:
            if isinstance(item, exp.Star) or (
                isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
            ):
                starred = self._starred(item)
                if starred is None:
                    return None
                result += starred
            elif isinstance(item, exp.Column):
                result.append((fold(item.name), self.resolve(item)))
            elif isinstance(item, exp.Alias):
                plain = isinstance(item.this, exp.Column)
                result.append((fold(item.alias), self.resolve(item.this) if plain else None))
            else:
                return None
        return result

    def _starred(self, item: exp.Expression) -> list[tuple[str, Binding | None]] | None:
        if isinstance(item, exp.Star):
            joins = self._select.args.get("joins") or ()
            if item.args or any(j.args.get("using") or j.args.get("method") for j in joins):
                return None
            chosen = self.sources
        else:
            chosen = [source for source in self.sources if source.name == fold(item.text("table"))]
            if len(chosen) != 1:
                return None
        result: list[tuple[str, Binding | None]] = []
        for source in chosen:
            if source.columns is None:
                return None
            result += source.columns.items()
        return result


def is_row_by_row(select: exp.Select) -> bool:
    """Whether each row of the result comes from one combination of rows, and none is left out.

    Only then may what is asked of the result be asked of the rows it comes from.
    """
    if any(
        select.args.get(name)
        for name in ("distinct", "group", "having", "limit", "offset", "windows", "with_")
    ):
        return False
    return all(_is_plain(item) for item in select.expressions)


def _is_plain(item: exp.Expression) -> bool:
    # What is not listed might be an aggregate.
    plain = (
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
        exp.Neg,
        exp.DPipe,
        exp.Boolean,
        exp.Placeholder,
    )
    return all(isinstance(node, plain) for node in item.walk())


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
        only(join, "this", "on", "using", "side", "kind", "method")
        known = (
            (join.args.get("side") or "") in ("", "LEFT", "RIGHT", "FULL")
            and (join.args.get("kind") or "") in ("", "INNER", "CROSS", "OUTER")
            and (join.args.get("method") or "") in ("", "NATURAL")
        )
        if not known:
            raise NotUnderstoodError("an unknown kind of join")


def nested_queries(select: exp.Select) -> list[exp.Expression]:
    """The subqueries of a SELECT outside its FROM items."""
    found: list[exp.Expression] = []
    for name, value in select.args.items():
        if name in ("from_", "with_"):
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, exp.Join):
                on = part.args.get("on")
                if on is not None:
                    found += _queries(on)
            elif isinstance(part, exp.Expression):
                found += _queries(part)
    return found


def _queries(node: exp.Expression) -> list[exp.Expression]:
    if isinstance(node, exp.Select | exp.SetOperation):
        return [node]
    return list(queries_in(node))
