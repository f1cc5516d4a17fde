"""The shape of a SELECT: its clauses as texts, for those who keep its result from the changes.

Only what is surely understood has a shape: one SELECT over plain tables, cut at the words that
cannot stand elsewhere. Its expressions stay texts, which SQLite alone evaluates; what must be
known of them here is which are columns, and how an ORDER BY or GROUP BY term compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reactive_sqlite.analysis.clauses import (
    clauses_of,
    limit_of,
    numbered,
    split,
    text_of,
    word,
)
from reactive_sqlite.analysis.from_clause import NAMES, FromTable, name_of, tables_of
from reactive_sqlite.analysis.lexer import Token, tokens_of
from reactive_sqlite.analysis.parse import NotUnderstoodError
from reactive_sqlite.catalog import Catalog
from reactive_sqlite.comparison import fold
from reactive_sqlite.statement import Statement, StatementKind

# https://sqlite.org/lang_aggfunc.html and what SQLite's extensions add
AGGREGATES: Final = frozenset(
    """avg count geopoly_group_bbox group_concat json_group_array json_group_object
    jsonb_group_array jsonb_group_object max median min percentile percentile_cont percentile_disc
    string_agg sum total""".split()  # noqa: SIM905
)
# What makes another scope, another order, or a value that is not a value of the row alone.
_UNKNOWN: Final = frozenset(
    """with union intersect except values over window filter exists using natural right full raise
    indexed within likely unlikely likelihood subtype""".split()  # noqa: SIM905
)
#: The collations that are known here, https://sqlite.org/datatype3.html section 7.
COLLATIONS: Final = frozenset({"BINARY", "NOCASE", "RTRIM"})
# Words behind which an operand comes, so that a name after them is no alias.
_OPERATORS: Final = frozenset(
    """and as between case collate distinct else escape from glob in is isnull like match not
    notnull null or regexp then when end""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Item:
    """An expression: of the select list, of GROUP BY, an argument.

    ``column`` is (table, position) if it is nothing but a column, ``collation`` how it compares,
    None when that is not certain.
    """

    tokens: tuple[Token, ...]
    column: tuple[int, int] | None = None
    collation: str | None = None
    alias: str | None = None

    @property
    def text(self) -> str:
        """As SQL writes it."""
        return text_of(self.tokens)


@dataclass(frozen=True, slots=True)
class Term:
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
    order: tuple[Term, ...]
    order_text: str
    limit: Token | None
    offset: Token | None
    aggregated: bool

    def key(self) -> tuple[int, ...] | None:
        """The places of the result columns that tell its rows apart, None if they do not."""
        columns = [item.column for item in self.outputs]
        if self.distinct or (self.aggregated and not self.group):
            return tuple(range(len(columns))) if self.distinct else ()
        if self.aggregated:
            places = [_place_of(term, self.outputs) for term in self.group]
        else:
            places = [
                columns.index((number, position)) if (number, position) in columns else None
                for number, table in enumerate(self.tables)
                for position in table.identity
            ]
        found = tuple(place for place in places if place is not None)
        return found if len(found) == len(places) else None

    def item(self, tokens: Sequence[Token]) -> Item:
        """An expression of this SELECT."""
        return _item(tokens, self.tables)


def _place_of(term: Item, outputs: Sequence[Item]) -> int | None:
    for place, item in enumerate(outputs):
        if item.tokens == term.tokens or (item.column is not None and item.column == term.column):
            return place
    return None


def shape_of(statement: Statement, catalog: Catalog) -> Shape | None:
    """The shape of a SELECT, None when there is any doubt about it."""
    access = statement.access
    if statement.kind is not StatementKind.SELECT or statement.volatile or access.views:
        return None
    try:
        return _shape(list(numbered(tokens_of(statement.sql))), statement, catalog)
    except NotUnderstoodError:
        return None


def _shape(tokens: list[Token], statement: Statement, catalog: Catalog) -> Shape:
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    words = [word(token) for token in tokens]
    if not words or words[0] != "select" or words.count("select") != 1:
        raise NotUnderstoodError("not one SELECT")
    if not _UNKNOWN.isdisjoint(words) or any(token.text == ";" for token in tokens):
        raise NotUnderstoodError("a clause that is not known here")
    for position, name in enumerate(words):
        if name == "in" and [t.text for t in tokens[position + 1 : position + 2]] != ["("]:
            raise NotUnderstoodError("IN a table")
    clauses = clauses_of(tokens[1:])
    select = clauses["select"]
    distinct = bool(select) and word(select[0]) == "distinct"
    if distinct or (select and word(select[0]) == "all"):
        select = select[1:]
    tables = tables_of(clauses["from"], catalog)
    if {table.info.key for table in tables} != set(statement.access.reads):
        raise NotUnderstoodError("other tables than the engine's")
    if not catalog.utf8:
        raise NotUnderstoodError("text is compared as UTF-16")
    outputs = tuple(_outputs(select, tables))
    if len(outputs) != len(statement.access.columns):
        raise NotUnderstoodError("other columns than the engine's")
    limit, offset = limit_of(clauses.get("limit", []))
    order = clauses.get("order", [])
    return Shape(
        text=text_of(tokens),
        tables=tables,
        select=text_of(select),
        outputs=outputs,
        distinct=distinct,
        source=text_of(clauses["from"]),
        where=tuple(clauses.get("where", ())),
        group=tuple(_group(clauses["group"], outputs, tables) if "group" in clauses else ()),
        having=tuple(clauses.get("having", ())),
        order=tuple(_term(part, outputs, tables) for part in split(order)) if order else (),
        order_text=text_of(order),
        limit=limit,
        offset=offset,
        aggregated="group" in clauses
        or "having" in clauses
        or not AGGREGATES.isdisjoint(statement.access.functions),
    )


def _outputs(tokens: list[Token], tables: tuple[FromTable, ...]) -> Iterator[Item]:
    for part in split(tokens):
        texts = [token.text for token in part]
        if texts == ["*"] or (len(part) == 3 and texts[1:] == [".", "*"]):
            chosen = [
                number
                for number, table in enumerate(tables)
                if len(part) == 1 or fold(table.alias) == f'"{name_of(part[0])}"'
            ]
            for number in chosen:
                for column in tables[number].info.columns:
                    name = Token("quoted", '"' + column.name.replace('"', '""') + '"')
                    alias = Token("quoted", tables[number].alias)
                    yield _item((alias, Token("operator", "."), name), tables)
            continue
        yield _aliased(part, tables)


def _aliased(part: list[Token], tables: tuple[FromTable, ...]) -> Item:
    last = part[-1] if part else Token("", "")
    if len(part) > 2 and word(part[-2]) == "as" and last.kind in (*NAMES, "string"):
        return _item(
            part[:-2], tables, name_of(last) if last.kind != "string" else fold(last.text[1:-1])
        )
    if len(part) > 1 and last.kind in (*NAMES, "string") and word(last) not in _OPERATORS:
        before = part[-2]
        named = len(part) in (2, 4) and _is_column(part[:-1]) and word(part[0]) not in _OPERATORS
        if not named and before.text != ")":
            if before.kind == "operator" and before.text != "." and last.kind in NAMES:
                return _item(part, tables)
            if len(part) == 3 and _is_column(part):
                return _item(part, tables)
            raise NotUnderstoodError("an alias, perhaps")
        return _item(part[:-1], tables, name_of(last))
    return _item(part, tables)


def _is_column(tokens: Sequence[Token]) -> bool:
    if len(tokens) == 3 and tokens[1].text == ".":
        return tokens[0].kind in NAMES and tokens[2].kind in NAMES
    return len(tokens) == 1 and tokens[0].kind in NAMES


def _item(tokens: Sequence[Token], tables: tuple[FromTable, ...], alias: str | None = None) -> Item:
    if not tokens:
        raise NotUnderstoodError("nothing")
    column, collation = None, None
    if _is_column(tokens):
        column = _column(tokens, tables)
        if column is not None:
            number, position = column
            info = tables[number].info
            collation = "BINARY" if position < 0 else info.columns[position].collation
    elif not any(word(token) in ("collate", "cast") for token in tokens) and tokens[0].text not in (
        "(",
        "+",
    ):
        # An operator or a function has no collation of its own
        # (https://sqlite.org/datatype3.html section 7.1).
        collation = "BINARY"
    return Item(tuple(tokens), column, collation, alias)


def _column(tokens: Sequence[Token], tables: tuple[FromTable, ...]) -> tuple[int, int] | None:
    name = name_of(tokens[-1])
    found = []
    for number, table in enumerate(tables):
        if len(tokens) == 3 and fold(table.alias) != f'"{name_of(tokens[0])}"':
            continue
        position = table.column(name)
        # A bare rowid means something else as soon as there are several tables.
        if position is not None and (
            len(tokens) == 3 or len(tables) == 1 or table.info.position(name) is not None
        ):
            found.append((number, position))
    return found[0] if len(found) == 1 else None


def _group(
    tokens: list[Token], outputs: tuple[Item, ...], tables: tuple[FromTable, ...]
) -> Iterator[Item]:
    for part in split(tokens):
        if len(part) == 1 and part[0].kind == "number":
            yield outputs[_ordinal(part[0], outputs)]
            continue
        item = _item(part, tables)
        if item.column is None:
            # A name that is no column may be an alias.
            _check_names(part, outputs)
        yield item


def _ordinal(token: Token, outputs: tuple[Item, ...]) -> int:
    if not token.text.isdigit() or not 1 <= int(token.text) <= len(outputs):
        raise NotUnderstoodError("no such column")
    return int(token.text) - 1


def _check_names(tokens: Sequence[Token], outputs: Sequence[Item]) -> None:
    aliases = {item.alias for item in outputs if item.alias is not None}
    for token in tokens:
        if token.kind in NAMES and (name_of(token) in aliases or token.text[0] == '"'):
            raise NotUnderstoodError("an alias inside an expression")


def _term(part: list[Token], outputs: tuple[Item, ...], tables: tuple[FromTable, ...]) -> Term:
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
    elif len(part) == 1 and part[0].kind in NAMES:
        named = [n for n, item in enumerate(outputs) if item.alias == name_of(part[0])]
        output = named[0] if named else None
    if output is None:
        item = _item(part, tables)
        if item.column is None:
            _check_names(part, outputs)
    else:
        item = outputs[output]
    if collation is not None and item.column is None and output is None:
        raise NotUnderstoodError("COLLATE inside an expression")
    collation = collation or item.collation
    if collation not in COLLATIONS:
        raise NotUnderstoodError("a collation that is not known here")
    return Term(item, output, descending, nulls == "first" if nulls else not descending, collation)
