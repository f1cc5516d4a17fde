"""A SELECT → its table references, each with the rows it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from sqlglot import exp

from reactive_sqlite.analysis.conditions import WORDS, Binding
from reactive_sqlite.analysis.lexer import Token, tokens_of
from reactive_sqlite.analysis.parse import FAILURES, NotUnderstoodError, only, parse
from reactive_sqlite.analysis.scopes import (
    Mention,
    Scope,
    Source,
    check_select,
    is_row_by_row,
    nested_queries,
    table_source,
)
from reactive_sqlite.catalog import Catalog, TableInfo
from reactive_sqlite.comparison import fold

_DEEPEST = 60
"""Levels of parentheses that the compiled parser is sent into; it has no limit of its own."""


def mentions_of(tokens: Sequence[Token], catalog: Catalog) -> list[Mention] | None:
    """Every mention of a table in a query, through views; None if it is not all understood."""
    try:
        if _depth(tokens) > _DEEPEST:
            return None
        walker = _Walker(catalog)
        walker.statement(parse(tokens))
    except FAILURES:
        return None
    return walker.mentions


def _depth(tokens: Sequence[Token]) -> int:
    depth = deepest = 0
    for token in tokens:
        if token.text in ("(", ")"):
            depth += 1 if token.text == "(" else -1
            deepest = max(deepest, depth)
    return deepest


_Columns: TypeAlias = "list[tuple[str, Binding | None]] | None"


class _Query(NamedTuple):
    """What a query in FROM offers: its columns if they are known, and what lies below."""

    columns: _Columns
    mentions: Sequence[Mention]


class _Common:
    """A common table expression, walked when it is first named."""

    def __init__(self, tree: exp.CTE, environment: _Environment) -> None:
        self.tree = tree
        self.environment = environment
        self.names: list[str] | None = None
        self.state = "new"
        self.recursive = False


class _Environment:
    """The names that can stand in FROM: common tables, and the database that views are bound to."""

    def __init__(self, parent: _Environment | None = None, database: str | None = None) -> None:
        self.parent = parent
        self.database: str | None = database if parent is None else parent.database
        self.tables: dict[str, _Common] = {}

    def find(self, name: str) -> _Common | None:
        if name in self.tables:
            return self.tables[name]
        return self.parent.find(name) if self.parent is not None else None


class _Walker:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.mentions: list[Mention] = []
        self._visited = 0
        self._depth = 0
        self._certain = WORDS

    def statement(self, tree: exp.Expression, database: str | None = None) -> _Query:
        """Walk one text: the statement itself, or the query of a view."""
        outside, outside_certain = self._visited, self._certain
        self._visited = 0
        self._certain = _certain_words(tree, self._catalog)
        result = self._query(tree, _Environment(database=database))
        # Subqueries stand in more places than are walked (ORDER BY of a compound, VALUES, arguments
        # of table-valued functions): a second mention of a table there would be missed.
        if self._visited != sum(1 for _ in tree.find_all(exp.Table)):
            raise NotUnderstoodError("a table in an unknown place")
        self._visited, self._certain = outside, outside_certain
        return result

    def _query(self, tree: exp.Expression, environment: _Environment) -> _Query:
        if isinstance(tree, exp.Subquery):
            only(tree, "this", "alias")
            return self._query(tree.this, environment)
        if isinstance(tree, exp.SetOperation):
            only(tree, "this", "expression", "distinct", "with_", "order", "limit", "offset")
            environment = self._with(tree, environment)
            left = self._query(tree.this, environment)
            self._query(tree.args["expression"], environment)
            return _Query(_unjudged(left.columns), ())
        if isinstance(tree, exp.Select):
            return self._select(tree, environment)
        if isinstance(tree, exp.Values):
            only(tree, "expressions", "alias")
            return _Query(None, ())
        raise NotUnderstoodError(f"a query made of {type(tree).__name__}")

    def _select(self, select: exp.Select, environment: _Environment) -> _Query:
        check_select(select)
        environment = self._with(select, environment)
        scope = Scope(select, self._certain)
        sources: list[tuple[Source, exp.Join | None]] = []
        start = select.args.get("from_")
        if start is not None:
            only(start, "this")
            sources.append((self._source(start.this, environment), None))
        joins = select.args.get("joins") or ()
        sources += [(self._source(join.this, environment), join) for join in joins]
        scope.join(sources)
        for query in nested_queries(select):
            self._query(query, environment)
        columns = scope.outputs()
        if is_row_by_row(select):
            return _Query(columns, [m for source in scope.sources for m in source.mentions])
        return _Query(_unjudged(columns), ())

    def _with(self, tree: exp.Expression, environment: _Environment) -> _Environment:
        clause = tree.args.get("with_")
        if clause is None:
            return environment
        only(clause, "expressions", "recursive")
        inner = _Environment(environment)
        for table in clause.expressions:
            only(table, "this", "alias", "materialized")
            inner.tables[fold(table.alias)] = _Common(table, inner)
        return inner

    def _source(self, item: exp.Expression, environment: _Environment) -> Source:
        if isinstance(item, exp.Subquery | exp.Values):
            alias = item.args.get("alias")
            if alias is not None:
                only(alias, "this")
            self._depth += 1
            query = self._query(item, environment)
            self._depth -= 1
            return _derived(fold(item.alias), query)
        if not isinstance(item, exp.Table):
            raise NotUnderstoodError(f"FROM {type(item).__name__}")
        self._visited += 1
        only(item, "this", "alias", "db")
        alias = item.args.get("alias")
        if alias is not None:
            only(alias, "this")
        if not isinstance(item.this, exp.Identifier):
            return self._function(item)
        name, database = fold(item.name), fold(item.db) or None
        common = None if database else environment.find(name)
        if common is not None:
            return self._common(common, fold(item.alias) or name)
        table = self._catalog.resolve(name, database or environment.database)
        if table is None:
            # A table-valued function without arguments; tables the engine's word would show.
            return Source(fold(item.alias) or name, None)
        return self._table(table, fold(item.alias) or name)

    def _function(self, item: exp.Table) -> Source:
        """A table-valued function; `f('word')` may be a virtual table with an argument."""
        if isinstance(item.this, exp.Anonymous):
            table = self._catalog.resolve(fold(item.this.name))
            if table is not None:
                self.mentions.append(Mention(table, True))
        return Source(fold(item.alias), None)

    def _table(self, table: TableInfo, alias: str) -> Source:
        if table.kind == "view":
            return self._view(table, alias)
        mention = Mention(table, self._depth > 0)
        self.mentions.append(mention)
        return table_source(mention, alias, self._catalog.utf8)

    def _view(self, view: TableInfo, alias: str) -> Source:
        tree = parse(tokens_of(view.sql or ""))
        if not isinstance(tree, exp.Create) or tree.args.get("kind") != "VIEW":
            raise NotUnderstoodError("a view that is none")
        # The names in a view mean the tables of its own database; in a TEMP one, of any.
        database = None if view.database == "temp" else view.database
        self._depth += 1
        query = self.statement(tree.expression, database)
        self._depth -= 1
        names = [fold(column.name) for column in tree.this.expressions]
        return _derived(alias, query, names)

    def _common(self, common: _Common, alias: str) -> Source:
        if common.state == "walking":
            common.recursive = True
        elif common.state == "new":
            common.state = "walking"
            first = len(self.mentions)
            self._depth += 1
            query = self._query(common.tree.this, common.environment)
            self._depth -= 1
            common.state = "done"
            clause = common.tree.args["alias"]
            only(clause, "this", "columns")
            names = [fold(column.name) for column in clause.args.get("columns") or ()]
            if not names and query.columns is not None:
                names = [name for name, _ in query.columns]
            common.names = names or None
            if common.recursive:
                # What a row leads to may satisfy a demand that it does not satisfy itself.
                for mention in self.mentions[first:]:
                    mention.demands.clear()
        if common.names is None or common.state == "walking":
            return Source(alias, None)
        return Source(alias, dict.fromkeys(common.names))


def _unjudged(columns: _Columns) -> _Columns:
    return None if columns is None else [(name, None) for name, _ in columns]


def _derived(alias: str, query: _Query, names: Sequence[str] = ()) -> Source:
    columns = query.columns
    if names:
        if columns is None or len(names) != len(columns):
            return Source(alias, dict.fromkeys(names))
        columns = [(name, binding) for name, (_, binding) in zip(names, columns, strict=True)]
    if columns is None:
        return Source(alias, None)
    found: dict[str, Binding | None] = {}
    for name, binding in columns:
        # Of two columns with one name neither is certain.
        found[name] = None if name in found else binding
    return Source(alias, found, query.mentions)


def _certain_words(tree: exp.Expression, catalog: Catalog) -> frozenset[str]:
    certain = WORDS
    # https://sqlite.org/lang_expr.html#boolean_expressions: a column of that name comes first.
    if tree.find(exp.Boolean) is not None:
        names = {fold(identifier.name) for identifier in tree.find_all(exp.Identifier)}
        if (names | catalog.column_names) & {"true", "false"}:
            certain -= {"booleans"}
    if catalog.application_functions & {"like", "glob"}:
        certain -= {"patterns"}
    return certain
