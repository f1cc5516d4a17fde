"""The shape of a SELECT: its clauses as texts, for those who keep its result from the changes.

Only what is surely understood has a shape: one SELECT over plain tables, cut at the words that
cannot stand elsewhere. Its expressions stay texts, which SQLite alone evaluates; what must be
known of them here is which are columns, and how an ORDER BY or GROUP BY term compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reactive_sqlite.understanding.analysis.clauses import (
    SUBQUERY,
    clauses_of,
    limit_of,
    split,
    text_of,
    word,
    words_of,
)
from reactive_sqlite.understanding.analysis.derived import Names
from reactive_sqlite.understanding.analysis.from_clause import (
    NAMES,
    FromTable,
    name_of,
    spells_identity,
    tables_of,
)
from reactive_sqlite.understanding.analysis.items import Item, item_of, outputs_of
from reactive_sqlite.understanding.analysis.lexer import Token, numbered, tokens_of
from reactive_sqlite.understanding.analysis.nested import (
    AGGREGATES,
    NONE,
    Nested,
    collapsed,
    nested_in,
)
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.understanding.catalog import Catalog
from reactive_sqlite.understanding.statement import Statement, StatementKind

#: The collations that are known here, https://sqlite.org/datatype3.html section 7.
COLLATIONS: Final = frozenset({"BINARY", "NOCASE", "RTRIM"})


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """A term of ORDER BY; ``output`` is the result column that it names, if it names one."""

    item: Item
    output: int | None
    descending: bool
    nulls_first: bool
    collation: str


@dataclass(frozen=True, slots=True)
class Shape:
    """The clauses of a SELECT. Parameters are written ``?1``, ``?2``, … whatever they were."""

    text: str
    """the statement"""
    tables: tuple[FromTable, ...]
    select: str
    outputs: tuple[Item, ...]
    """the result columns, stars expanded"""
    distinct: bool
    source: str
    where: tuple[Token, ...]
    group: tuple[Item, ...]
    having: tuple[Token, ...]
    order: tuple[OrderTerm, ...]
    order_text: str
    limit: Token | None
    offset: Token | None
    aggregated: bool
    nested: Nested = NONE
    """what the subqueries in the select list read; other ones have no shape"""

    def key(self) -> tuple[int, ...] | None:
        """The places of the result columns that tell its rows apart, None if they do not."""
        columns = [item.column for item in self.outputs]
        if self.distinct or (self.aggregated and not self.group):
            return tuple(range(len(columns))) if self.distinct else ()
        if self.aggregated:
            places = [_place_of(term, self.outputs) for term in self.group]
        else:
            places = []
            for number, table in enumerate(self.tables):
                keys = [(number, position) for position in table.identity]
                if not set(keys) <= set(columns) and table.info.primary_key:
                    keys = [(number, position) for position in table.info.primary_key]
                places += [columns.index(key) if key in columns else None for key in keys]
        found = tuple(place for place in places if place is not None)
        return found if len(found) == len(places) else None

    def item(self, tokens: Sequence[Token]) -> Item:
        """An expression of this SELECT."""
        return item_of(tokens, self.tables)


def _place_of(term: Item, outputs: Sequence[Item]) -> int | None:
    for place, item in enumerate(outputs):
        if item.tokens == term.tokens or (item.column is not None and item.column == term.column):
            return place
    return None


def shape_of(statement: Statement, catalog: Catalog) -> Shape | None:
    """The shape of a SELECT, None when there is any doubt about it."""
    if statement.kind is not StatementKind.SELECT or statement.volatile:
        return None
    try:
        return _shape(list(numbered(tokens_of(statement.sql))), statement, catalog)
    except NotUnderstoodError:
        return None


def _shape(tokens: list[Token], statement: Statement, catalog: Catalog) -> Shape:
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    text = text_of(tokens)
    names = Names(catalog)
    tokens, _ = collapsed(names.cut(tokens))
    words = words_of(tokens)
    if any(token.text == ";" for token in tokens):
        raise NotUnderstoodError("a second statement")
    clauses = clauses_of(tokens[1:])
    select = clauses["select"]
    distinct = word(select[0]) == "distinct"
    if distinct or word(select[0]) == "all":
        select = select[1:]
    tables, source = tables_of(clauses["from"], catalog, names.derive)
    derived = any(table.derived for table in tables)
    inside = [tokens_of(token.text)[1:-1] for token in select if token.kind == SUBQUERY]
    if derived and spells_identity(tokens):
        raise NotUnderstoodError("a text that would be a column")
    if inside and derived:
        raise NotUnderstoodError("subqueries in the select list and in FROM")
    nested = nested_in(inside, tables, catalog) if inside else NONE
    known = {table.info.key for table in tables} | nested.tables
    through = statement.access.views <= names.gone_through
    if known != statement.access.reads.keys() - names.views or not through:
        raise NotUnderstoodError("other tables than the engine's")
    if not catalog.utf8:
        raise NotUnderstoodError("text is compared as UTF-16")
    outputs = tuple(outputs_of(select, tables))
    if len(outputs) != len(statement.access.columns):
        raise NotUnderstoodError("other columns than the engine's")
    _check_conditions([*clauses["from"], *clauses.get("where", ())], outputs, tables)
    limit, offset = limit_of(clauses.get("limit", []))
    order = clauses.get("order", [])
    order_terms = tuple(_term(part, outputs, tables) for part in split(order)) if order else ()
    # The engine's functions are also those of the subqueries.
    called = words if inside else statement.access.functions
    aggregated = "group" in clauses or "having" in clauses or not AGGREGATES.isdisjoint(called)
    parts = [p for name, p in clauses.items() if name not in ("select", "from")]
    if any(token.kind == SUBQUERY for part in parts for token in part) or (inside and distinct):
        raise NotUnderstoodError("a subquery that is not just shown")
    if inside and (aggregated or any(_is_nested(term) for term in order_terms)):
        raise NotUnderstoodError("a subquery by which rows are grouped or sorted")
    return Shape(
        text=text,
        tables=tables,
        select=_without_stars(select, tables) if derived else text_of(select),
        outputs=outputs,
        distinct=distinct,
        source=source,
        where=tuple(clauses.get("where", ())),
        group=tuple(_group(clauses["group"], outputs, tables) if "group" in clauses else ()),
        having=tuple(clauses.get("having", ())),
        order=order_terms,
        order_text=text_of(order),
        limit=limit,
        offset=offset,
        aggregated=aggregated,
        nested=nested,
    )


def _check_conditions(
    tokens: Sequence[Token], outputs: Sequence[Item], tables: tuple[FromTable, ...]
) -> None:
    """In WHERE and ON `"x"` may mean a result column; asked without that, it is a string.

    https://sqlite.org/quirks.html#double_quoted_string_literals_are_accepted
    """
    names = {name_of(token) for token in tokens if token.text[0] == '"'}
    for name in names & {item.alias for item in outputs}:
        if all(table.column(name) is None for table in tables):
            raise NotUnderstoodError("an alias in a condition")


def _without_stars(select: list[Token], tables: tuple[FromTable, ...]) -> str:
    """The select list with stars expanded."""
    parts = []
    for part in split(select):
        star = part[-1].text == "*" and len(part) in (1, 3)
        parts += [item.text for item in outputs_of(part, tables)] if star else [text_of(part)]
    return ", ".join(parts)


def _is_nested(term: OrderTerm) -> bool:
    return any(token.kind == SUBQUERY for token in term.item.tokens)


def _group(
    tokens: list[Token], outputs: tuple[Item, ...], tables: tuple[FromTable, ...]
) -> Iterator[Item]:
    for part in split(tokens):
        if len(part) == 1 and part[0].kind == "number":
            yield outputs[_ordinal(part[0], outputs)]
            continue
        item = item_of(part, tables)
        if item.column is None:
            # A name that is no column may be an alias.
            named = _named(part, outputs, tables)
            if named is not None:
                yield named
                continue
            _check_names(part, outputs)
        yield item


def _named(
    part: list[Token], outputs: tuple[Item, ...], tables: tuple[FromTable, ...]
) -> Item | None:
    """The one result column of this alias, unless a table has a column of that name."""
    if not _may_be_alias(part):
        return None
    name = name_of(part[0])
    named = [item for item in outputs if item.alias == name]
    if len(named) != 1 or any(table.column(name) is not None for table in tables):
        return None
    return named[0]


def _may_be_alias(part: list[Token]) -> bool:
    return len(part) == 1 and part[0].kind in NAMES and word(part[0]) != "null"


def _ordinal(token: Token, outputs: tuple[Item, ...]) -> int:
    if not token.text.isdigit() or not 1 <= int(token.text) <= len(outputs):
        raise NotUnderstoodError("no such column")
    return int(token.text) - 1


def _check_names(tokens: Sequence[Token], outputs: Sequence[Item]) -> None:
    aliases = {item.alias for item in outputs if item.alias is not None}
    for token in tokens:
        if token.kind in NAMES and (name_of(token) in aliases or token.text[0] == '"'):
            raise NotUnderstoodError("an alias inside an expression")


def _term(part: list[Token], outputs: tuple[Item, ...], tables: tuple[FromTable, ...]) -> OrderTerm:
    part = list(part)
    nulls = ""
    if len(part) > 2 and word(part[-2]) == "nulls":
        nulls = word(part[-1])
        del part[-2:]
    descending = len(part) > 1 and word(part[-1]) == "desc"
    if len(part) > 1 and word(part[-1]) in ("asc", "desc"):
        del part[-1]
    collation = None
    if len(part) > 2 and word(part[-2]) == "collate":
        collation = name_of(part[-1]).upper()
        del part[-2:]
    output = None
    if len(part) == 1 and part[0].kind == "number":
        output = _ordinal(part[0], outputs)
    elif _may_be_alias(part):
        named = [n for n, item in enumerate(outputs) if item.alias == name_of(part[0])]
        output = named[0] if named else None
    if output is None:
        item = item_of(part, tables)
        if item.column is None:
            _check_names(part, outputs)
    else:
        item = outputs[output]
    if collation is not None and item.column is None and output is None:
        raise NotUnderstoodError("COLLATE inside an expression")
    collation = collation or item.collation
    if collation not in COLLATIONS:
        raise NotUnderstoodError("a collation that is not known here")
    nulls_first = nulls == "first" if nulls else not descending
    return OrderTerm(item, output, descending, nulls_first, collation)
