"""Views, CTEs and subqueries in FROM that merely select, filter and name the rows of one table.

Such a one is written anew with one column more, which tells from which row each row comes; then it
is a table like others to those who follow its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from reactive_sqlite.understanding.analysis.clauses import (
    SUBQUERY,
    clauses_of,
    end_of,
    text_of,
    word,
    words_of,
)
from reactive_sqlite.understanding.analysis.from_clause import (
    IDENTITY,
    Derived,
    FromTable,
    name_of,
    spells_identity,
    tables_of,
)
from reactive_sqlite.understanding.analysis.items import Item, is_column, outputs_of
from reactive_sqlite.understanding.analysis.lexer import Token, tokens_of
from reactive_sqlite.understanding.analysis.nested import AGGREGATES, collapsed
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.understanding.analysis.sources import LOST_NAMES
from reactive_sqlite.understanding.catalog import Catalog, ColumnInfo, TableInfo
from reactive_sqlite.understanding.listing import quoted

Bodies = dict[str, list[Token]]


class Names:
    """What names in a FROM clause stand for besides tables. Notes what was gone through."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._common: Bodies = {}
        self.views: set[str] = set()
        """the keys of the views"""
        self.gone_through: set[str] = set()
        """the names of views and CTEs"""

    def cut(self, tokens: list[Token]) -> list[Token]:
        """The statement without its WITH clause, which is remembered."""
        if not tokens or word(tokens[0]) != "with":
            return tokens
        position = 1
        while True:
            parts = tokens[position : position + 3]
            if [*map(word, parts[1:2])] != ["as"] or parts[-1].text != "(":
                raise NotUnderstoodError("a CTE of another form")
            end = end_of(tokens, position + 2)
            name = name_of(parts[0])
            if name in self._common:
                raise NotUnderstoodError("two CTEs of one name")
            self._common[name] = tokens[position + 3 : end - 1]
            if end >= len(tokens):
                raise NotUnderstoodError("nothing behind WITH")
            if tokens[end].text != ",":
                return tokens[end:]
            position = end + 1

    def derive(self, token: Token, database: str | None) -> Derived | None:
        """What stands at the place of a table in the statement itself; None for a table."""
        return self._derive(self._common, False, token, database)

    def _derive(
        self, common: Bodies, in_view: bool, token: Token, database: str | None
    ) -> Derived | None:
        if token.kind == SUBQUERY:
            return self._derived(tokens_of(token.text)[1:-1], common, in_view)
        name = name_of(token)
        if database is None and name in common:
            self.gone_through.add(name)
            names = list(common)
            # Those before it are all that it may name, so that none is recursive.
            before = {other: common[other] for other in names[: names.index(name)]}
            later = set(names[names.index(name) :])
            body = common[name]
            if any(token.kind in ("word", "quoted") and name_of(token) in later for token in body):
                raise NotUnderstoodError("a CTE that may be recursive")
            return self._derived(body, before, in_view)
        info = self._catalog.resolve(name, database)
        if info is None or info.kind != "view":
            if in_view and info is not self._catalog.resolve(name, "main"):
                raise NotUnderstoodError("a name that means something else inside a view")
            return None
        if info.database != "main":
            raise NotUnderstoodError("a view of another database")
        self.views.add(info.key)
        self.gone_through.add(name)
        return self._derived(_body_of(info), {}, True)

    def _derived(self, body: list[Token], common: Bodies, in_view: bool) -> Derived:
        tokens, _ = collapsed(body)
        words = words_of(tokens)
        calls = {name for name, after in zip(words, tokens[1:], strict=False) if after.text == "("}
        if not AGGREGATES.isdisjoint(calls):
            raise NotUnderstoodError("not just rows of a table")
        clauses = clauses_of(tokens[1:])
        source, where = clauses.pop("from"), clauses.pop("where", [])
        select = clauses.pop("select")
        if clauses or word(select[0]) == "distinct":
            raise NotUnderstoodError("not just rows of a table")
        if any(token.kind == SUBQUERY for token in (*select, *where)):
            raise NotUnderstoodError("a subquery in a subquery")
        tables, text = tables_of(source, self._catalog, partial(self._derive, common, in_view))
        if len(tables) != 1 or tables[0].info.without_rowid:
            raise NotUnderstoodError("not just rows of a table with rowid")
        if word(select[0]) == "all":
            select = select[1:]
        items = tuple(outputs_of(select, tables))
        columns = [_column(item, tables[0]) for item in items]
        if len({quoted(column.name) for column in columns} | {IDENTITY}) <= len(columns):
            raise NotUnderstoodError("two columns of one name")
        if any(column.name in LOST_NAMES for column in columns):
            raise NotUnderstoodError("a column that gets another name")
        if tables[0].derived and spells_identity(body):
            raise NotUnderstoodError("a text that would be a column")
        shown = [f"{i.text} AS {quoted(c.name)}" for i, c in zip(items, columns, strict=True)]
        shown.append(f"{tables[0].rowid_text()} AS {IDENTITY}")
        condition = f" WHERE {text_of(where)}" if where else ""
        return Derived(
            _info(tables[0], items, columns),
            tables[0].stored,
            f"(SELECT {', '.join(shown)} FROM {text}{condition})",
        )


def _body_of(view: TableInfo) -> list[Token]:
    tokens = tokens_of(view.sql or "")
    head = [word(token) for token in tokens[:4]]
    if head[:2] != ["create", "view"] or head[3:] != ["as"]:
        raise NotUnderstoodError("a view with names for its columns")
    return tokens[4:]


def _column(item: Item, table: FromTable) -> ColumnInfo:
    name = item.alias
    if name is None and is_column(item.tokens):
        name = name_of(item.tokens[-1])
    if name is None:
        raise NotUnderstoodError("a column without a name")
    if item.column is None:
        return ColumnInfo(name, "", item.collation or "?", False, False)
    if item.column[1] < 0:
        return ColumnInfo(name, "INTEGER", "BINARY", False, True)
    return replace(table.info.columns[item.column[1]], name=name)


def _info(table: FromTable, items: Sequence[Item], columns: Sequence[ColumnInfo]) -> TableInfo:
    rowid = [n for n, item in enumerate(items) if item.column == (0, table.info.rowid_column)]
    return replace(
        table.info,
        columns=tuple(columns),
        rowid_column=rowid[0] if rowid else None,
        primary_key=(),
        has_virtual_columns=False,
    )
