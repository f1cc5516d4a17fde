"""A SELECT → its table references, each with the rows it looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

from sqlglot import exp

from reactive_sqlite.understanding.analysis.columns import Wanted, spelled, unspelled
from reactive_sqlite.understanding.analysis.conditions import WORDS
from reactive_sqlite.understanding.analysis.lexer import Token
from reactive_sqlite.understanding.analysis.parse import (
    FAILURES,
    NotUnderstoodError,
    Survey,
    only,
    parse,
    survey,
)
from reactive_sqlite.understanding.analysis.scopes import Group, Joined, Scope
from reactive_sqlite.understanding.analysis.selects import (
    check_join,
    check_select,
    nested_queries,
    visible,
)
from reactive_sqlite.understanding.analysis.sources import (
    Mention,
    Query,
    Source,
    compound,
    table_source,
)
from reactive_sqlite.understanding.analysis.subjects import FUNCTIONS
from reactive_sqlite.understanding.analysis.views import parse_view
from reactive_sqlite.understanding.catalog import Catalog, TableInfo
from reactive_sqlite.values.comparison import fold

_DEEPEST = 60
"""Levels of parentheses that the compiled parser is sent into; it has no limit of its own."""
_MENTIONS = 60
"""Mentions after which a common table that is named once more is not walked again."""


def mentions_of(tokens: Sequence[Token], catalog: Catalog) -> list[Mention] | None:
    """Every mention of a table in a query, through views; None if it is not all understood."""
    try:
        if _depth(tokens) > _DEEPEST:
            return None
        walker = _Walker(catalog)
        walker.statement(parse(tokens), tokens)
    except FAILURES:
        return None
    for mention in walker.mentions:
        mention.joined = walker.joins
    return walker.mentions


def _depth(tokens: Sequence[Token]) -> int:
    depth = deepest = 0
    for token in tokens:
        if token.text in ("(", ")"):
            depth += 1 if token.text == "(" else -1
            deepest = max(deepest, depth)
    return deepest


class _Common:
    """A common table expression, walked for each time that it is named."""

    def __init__(self, tree: exp.CTE, environment: _Environment) -> None:
        self.tree = tree
        self.environment = environment
        self.names: list[str] = []
        self.walking = self.walked = self.recursive = False


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
        self.joins = False
        self._visited: set[int] = set()
        self._commons: list[_Common] = []
        self._depth = 0
        self._certain = WORDS
        self._asked: Callable[[], frozenset[str] | None] = lambda: None
        self._unsure: Callable[[], frozenset[str]] = frozenset
        self._survey = Survey(set(), 0, False)

    def statement(
        self,
        tree: exp.Expression,
        tokens: Sequence[Token],
        database: str | None = None,
        wanted: Wanted | None = None,
    ) -> Query:
        """Walk one text: the statement itself, or the query of a view."""
        outside = self._visited, self._commons, self._certain, self._survey, self._unsure
        self._unsure = cache(partial(unspelled, tokens, tree))
        self._visited, self._commons = set(), []
        self._survey = survey(tree)
        self._certain = _certain_words(tree, self._survey, self._catalog)
        result = self._query(tree, _Environment(database=database), wanted=wanted)
        for common in self._commons:
            if not common.walked:  # nobody reads it, and nor does SQLite
                self._visited |= survey(common.tree).tables
        # Subqueries stand in more places than are walked (ORDER BY of a compound, VALUES, arguments
        # of table-valued functions): a second mention of a table there would be missed.
        if not self._survey.tables <= self._visited:
            raise NotUnderstoodError("a table in an unknown place")
        self._visited, self._commons, self._certain, self._survey, self._unsure = outside
        return result

    def _query(
        self,
        tree: exp.Expression,
        environment: _Environment,
        parent: Scope | None = None,
        wanted: Wanted | None = None,
    ) -> Query:
        if isinstance(tree, exp.Subquery):
            only(tree, "this", "alias")
            return self._query(tree.this, environment, parent, wanted)
        if isinstance(tree, exp.SetOperation):
            only(tree, "this", "expression", "distinct", "with_", "order", "limit", "offset")
            environment = self._with(tree, environment)
            left = self._query(tree.this, environment, parent)
            right = self._query(tree.args["expression"], environment, parent)
            if tree.args.get("limit") or tree.args.get("offset"):
                return left.unjudged()
            return compound(left, right)
        if isinstance(tree, exp.Select):
            return self._select(tree, environment, parent, wanted)
        if isinstance(tree, exp.Values):
            only(tree, "expressions", "alias")
            return Query(None)
        raise NotUnderstoodError(f"a query made of {type(tree).__name__}")

    def _select(
        self,
        select: exp.Select,
        environment: _Environment,
        parent: Scope | None,
        wanted: Wanted | None,
    ) -> Query:
        check_select(select)
        outside, self._asked = self._asked, cache(partial(spelled, select, wanted, self._unsure))
        environment = self._with(select, environment)
        scope = Scope(select, self._certain, parent)
        items: list[Joined] = []
        start = select.args.get("from_")
        if start is not None:
            only(start, "this")
            items.append((self._item(start.this, environment), None))
        joins = select.args.get("joins") or ()
        self.joins |= bool(joins)
        items += [(self._item(join.this, environment), join) for join in joins]
        self._asked = outside
        scope.join(items)
        if self._survey.queries > 1:
            for query, with_rows in nested_queries(select, scope.has_outer):
                self._query(query, environment, scope if with_rows else None)
        return visible(select, scope)

    def _with(self, tree: exp.Expression, environment: _Environment) -> _Environment:
        clause = tree.args.get("with_")
        if clause is None:
            return environment
        only(clause, "expressions", "recursive")
        inner = _Environment(environment)
        for table in clause.expressions:
            only(table, "this", "alias", "materialized")
            common = inner.tables[fold(table.alias)] = _Common(table, inner)
            self._commons.append(common)
        return inner

    def _item(self, item: exp.Expression, environment: _Environment) -> Source | Group:
        """An item of FROM; joins in parentheses are several."""
        if not isinstance(item, exp.Subquery) or not isinstance(
            item.this, exp.Table | exp.Subquery
        ):
            return self._source(item, environment)
        only(item, "this")
        first = item.this
        joins = first.args.get("joins") or ()
        if isinstance(first, exp.Table) and joins:
            table = exp.Table()
            table.args.update(
                {name: value for name, value in first.args.items() if name != "joins"}
            )
            self._visited.add(id(first))
            first = table
        items: list[Joined] = [(self._item(first, environment), None)]
        self.joins |= bool(joins)
        for join in joins:
            check_join(join)
            items.append((self._item(join.this, environment), join))
        return Group(items)

    def _source(self, item: exp.Expression, environment: _Environment) -> Source:
        if isinstance(item, exp.Subquery | exp.Values):
            alias = item.args.get("alias")
            if alias is not None:
                only(alias, "this")
            self._depth += 1
            query = self._query(item, environment, wanted=self._wanted())
            self._depth -= 1
            return query.source(fold(item.alias))
        if not isinstance(item, exp.Table):
            raise NotUnderstoodError(f"FROM {type(item).__name__}")
        self._visited.add(id(item))
        only(item, "this", "alias", "db")
        alias = item.args.get("alias")
        if alias is not None:
            only(alias, "this")
        if not isinstance(item.this, exp.Identifier):
            return self._function(item)
        name, database = fold(item.name), fold(item.text("db")) or None
        common = None if database else environment.find(name)
        if common is not None:
            return self._common(common, fold(item.alias) or name)
        table = self._catalog.resolve(name, database or environment.database)
        if table is None:
            # A table-valued function without arguments; tables the engine's word would show.
            return Source(fold(item.alias) or name, None)
        return self._table(table, fold(item.alias) or name)

    def _wanted(self, names: Sequence[str] = ()) -> Wanted | None:
        """What the SELECT that is walked wants of a source with these names."""
        asked = self._asked()
        return None if asked is None else Wanted(asked, tuple(names))

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
        mention = Mention(table, self._depth > 0, self._asked() if self._depth else None)
        self.mentions.append(mention)
        return table_source(mention, alias, self._catalog.utf8)

    def _view(self, view: TableInfo, alias: str) -> Source:
        query, tokens, names = parse_view(view.sql or "")
        # The names in a view mean the tables of its own database; in a TEMP one, of any.
        database = None if view.database == "temp" else view.database
        self._depth += 1
        found = self.statement(query, tokens, database, self._wanted(names))
        self._depth -= 1
        return found.source(alias, names)

    def _common(self, common: _Common, alias: str) -> Source:
        if common.walking:
            common.recursive = True
            return Source(alias, None)
        if common.walked and (common.recursive or len(self.mentions) > _MENTIONS):
            if not common.recursive:
                raise NotUnderstoodError("a common table that is named too often")
            return Source(alias, dict.fromkeys(common.names) if common.names else None)
        common.walking = common.walked = True
        first = len(self.mentions)
        clause = common.tree.args["alias"]
        only(clause, "this", "columns")
        names = [fold(column.name) for column in clause.args.get("columns") or ()]
        self._depth += 1
        query = self._query(common.tree.this, common.environment, wanted=self._wanted(names))
        self._depth -= 1
        common.walking = False
        if common.recursive:
            # What a row leads to may satisfy a demand that it does not satisfy itself.
            for mention in self.mentions[first:]:
                mention.demands.clear()
                mention.asked = None
            query = query.unjudged()
        source = query.source(alias, names)
        common.names = list(source.columns or ())
        return source


def _certain_words(tree: exp.Expression, found: Survey, catalog: Catalog) -> frozenset[str]:
    certain = WORDS
    # https://sqlite.org/lang_expr.html#boolean_expressions: a column of that name comes first.
    if found.has_booleans:
        names = {fold(identifier.name) for identifier in tree.find_all(exp.Identifier)}
        if (names | catalog.column_names) & {"true", "false"}:
            certain -= {"booleans"}
    if catalog.application_functions & {"like", "glob"}:
        certain -= {"patterns"}
    if catalog.application_functions & FUNCTIONS:
        certain -= {"functions"}
    return certain
