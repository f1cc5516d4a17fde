"""Subqueries in a select list: whose rows matter to which rows of the result.

``(SELECT count(*) FROM comment WHERE issue_id = i.id)`` depends on those comments only of which
``issue_id`` is the ``id`` of the row that it is shown in. That equation is a `Link`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from reactive_sqlite.understanding.analysis.clauses import (
    SUBQUERY,
    clauses_of,
    depths,
    end_of,
    split,
    text_of,
    word,
    words_of,
)
from reactive_sqlite.understanding.analysis.from_clause import NAMES, FromTable, name_of, tables_of
from reactive_sqlite.understanding.analysis.items import aliased, column_of, is_column
from reactive_sqlite.understanding.analysis.lexer import Token
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.understanding.catalog import Catalog, ColumnInfo
from reactive_sqlite.values.change import RowChange

# https://sqlite.org/lang_aggfunc.html and what SQLite's extensions add
AGGREGATES: Final = frozenset(
    """avg count geopoly_group_bbox group_concat json_group_array json_group_object
    jsonb_group_array jsonb_group_object max median min percentile percentile_cont percentile_disc
    string_agg sum total""".split()  # noqa: SIM905
)
#: Functions that raise nothing, whatever they are given. An error over a row that does not matter
#: (https://sqlite.org/lang_corefunc.html#abs, malformed JSON) may be one of the whole query.
HARMLESS: Final = frozenset(
    """max min count like glob lower upper length octet_length coalesce ifnull nullif iif if typeof
    trim ltrim rtrim substr substring instr unicode round sign unixepoch date time datetime
    julianday strftime json_valid quote hex char concat concat_ws replace""".split()  # noqa: SIM905
)
# Operators that are functions, and may raise something.
_RISKY: Final = frozenset({"->", "->>", "match", "regexp"})
_NOT_AND: Final = frozenset({"or", "between", "case"})
_NUMBERS: Final = frozenset({int, float})


@dataclass(frozen=True, slots=True)
class Link:
    """A row of ``table`` matters to the rows of the result that hold the same value.

    ``column`` is its place in the table, ``outer`` that in the result's (table, position). Values
    of ``kinds`` are equal to Python if and only if they are to SQLite; of others it is not certain.
    """

    table: str
    column: int
    outer: tuple[int, int]
    kinds: frozenset[type]

    def values(self, rows: Iterable[RowChange]) -> set[Any] | None:
        """By what values changed rows of the table matter, None if that is not certain."""
        found: set[Any] = set()
        for row in rows:
            for image, rowid in ((row.old, row.old_rowid), (row.new, row.new_rowid)):
                if image is not None:
                    value = rowid if self.column < 0 else image[self.column]
                    if value is not None:  # NULL equals nothing
                        if type(value) not in self.kinds:
                            return None
                        found.add(value)
        return found


@dataclass(frozen=True, slots=True)
class Nested:
    """What subqueries read: the keys of all tables, of those without a link, and the links."""

    tables: frozenset[str] = frozenset()
    loose: frozenset[str] = frozenset()
    links: tuple[Link, ...] = ()


NONE: Final = Nested()


def collapsed(tokens: Sequence[Token]) -> tuple[list[Token], list[list[Token]]]:
    """The tokens with one for each ``(SELECT …)``, and what stood inside the parentheses.

    Raises `NotUnderstoodError` for a function in quotes, which is not looked for by its name.
    """
    found: list[Token] = []
    inside: list[list[Token]] = []
    position = 0
    while position < len(tokens):
        token, following = tokens[position], tokens[position + 1 : position + 2]
        if token.kind == "quoted" and following and following[0].text == "(":
            raise NotUnderstoodError("a function in quotes")
        if token.text != "(" or not following or word(following[0]) != "select":
            found.append(token)
            position += 1
            continue
        end = end_of(tokens, position)
        found.append(Token(SUBQUERY, text_of(tokens[position:end])))
        inside.append(list(tokens[position + 1 : end - 1]))
        position = end
    return found, inside


def nested_in(
    inside: Iterable[Sequence[Token]], tables: tuple[FromTable, ...], catalog: Catalog
) -> Nested:
    """What these subqueries in the select list of a SELECT over ``tables`` read."""
    reader = _Reader(tables, catalog)
    for tokens in inside:
        reader.read(tokens)
    return Nested(frozenset(reader.tables), frozenset(reader.loose), tuple(reader.links))


class _Reader:
    def __init__(self, outer: tuple[FromTable, ...], catalog: Catalog) -> None:
        self._outer = outer
        self._catalog = catalog
        self.tables: set[str] = set()
        self.loose: set[str] = set()
        self.links: list[Link] = []

    def read(self, tokens: Sequence[Token]) -> frozenset[str]:
        """Note what a subquery reads; gives the names of its columns."""
        tokens, inside = collapsed(tokens)
        words_of(tokens)
        clauses = clauses_of(tokens[1:])
        source, where = clauses["from"], clauses.get("where", [])
        tables: tuple[FromTable, ...] = ()
        aliases: set[str] = set()
        if source[0].kind == SUBQUERY and len(inside) == 1:
            alias = source[1:]
            if alias and word(alias[0]) == "as":
                del alias[0]
            if len(alias) > 1 or any(token.kind not in NAMES for token in alias):
                raise NotUnderstoodError("a join of a subquery")
            aliases = {name_of(token) for token in alias}
            names = self.read(inside[0])
        elif inside:
            raise NotUnderstoodError("a subquery in a subquery")
        else:
            tables, _ = tables_of(source, self._catalog)
            aliases = {_alias_of(table) for table in tables}
            names = frozenset(column.name for table in tables for column in table.info.columns)
            self._link(tables, aliases, where, [*source, *where])
        self._check_aggregates(tokens, tables, aliases, names)
        select = clauses["select"]
        if word(select[0]) in ("distinct", "all"):
            select = select[1:]
        return _names_of(select, tables, names)

    def _link(
        self,
        tables: tuple[FromTable, ...],
        aliases: set[str],
        where: Sequence[Token],
        judging: Sequence[Token],
    ) -> None:
        found: dict[int, Link] = {}
        # What does not raise for the rows that a link leaves out.
        if _is_harmless(judging):
            for left, right in _equations(where):
                for one, other in ((left, right), (right, left)):
                    if len(other) == 3 and name_of(other[0]) not in aliases:
                        inner, outer = column_of(one, tables), column_of(other, self._outer)
                        if inner is not None and outer is not None:
                            self._add(found, tables, inner, outer)
        self.links += found.values()
        self.tables.update(table.info.key for table in tables)
        self.loose.update(t.info.key for n, t in enumerate(tables) if n not in found)

    def _add(
        self,
        found: dict[int, Link],
        tables: tuple[FromTable, ...],
        inner: tuple[int, int],
        outer: tuple[int, int],
    ) -> None:
        table = tables[inner[0]].info
        of_inner, of_outer = _column(tables, inner), _column(self._outer, outer)
        kinds = _kinds(of_inner, of_outer)
        if kinds:
            found.setdefault(inner[0], Link(table.key, inner[1], outer, kinds))

    def _check_aggregates(
        self,
        tokens: Sequence[Token],
        tables: tuple[FromTable, ...],
        aliases: set[str],
        names: frozenset[str],
    ) -> None:
        """An aggregate of nothing but columns of the outer SELECT is one of the outer SELECT."""
        texts = ["", *(token.text for token in tokens), ""]
        for start, token in enumerate(tokens[:-1]):
            if word(token) not in AGGREGATES or tokens[start + 1].text != "(":
                continue
            for place in range(start + 2, end_of(tokens, start + 1) - 1):
                before, after = texts[place], texts[place + 2]
                if tokens[place].kind not in NAMES or before == "." or after == "(":
                    continue
                name = name_of(tokens[place])
                known = name in names or any(t.column(name) is not None for t in tables)
                if name not in aliases if after == "." else self._is_outer(name) and not known:
                    raise NotUnderstoodError("an aggregate of the outer SELECT, perhaps")

    def _is_outer(self, name: str) -> bool:
        return any(table.column(name) is not None for table in self._outer)


def _alias_of(table: FromTable) -> str:
    return name_of(Token("quoted", table.alias))


def _names_of(
    select: list[Token], tables: tuple[FromTable, ...], names: frozenset[str]
) -> frozenset[str]:
    found: set[str] = set()
    for part in split(select):
        if part and part[-1].text == "*":
            found |= names
            continue
        item = aliased(part, tables)
        if item.alias is not None:
            found.add(item.alias)
        elif is_column(item.tokens):
            found.add(name_of(item.tokens[-1]))
    return frozenset(found)


def _equations(where: Sequence[Token]) -> list[tuple[list[Token], list[Token]]]:
    """What is demanded of all rows in the form of ``column = column``."""
    parts: list[list[Token]] = [[]]
    for depth, token in depths(where):
        if not depth and word(token) in _NOT_AND:
            return []
        if not depth and word(token) == "and":
            parts.append([])
        else:
            parts[-1].append(token)
    found = []
    for part in parts:
        places = [n for n, token in enumerate(part) if token.text in ("=", "==")]
        if len(places) == 1:
            left, right = part[: places[0]], part[places[0] + 1 :]
            if is_column(left) and is_column(right):
                found.append((left, right))
    return found


def _is_harmless(tokens: Sequence[Token]) -> bool:
    for token, following in pairwise(tokens):
        name = word(token)
        if following.text == "(" and name not in HARMLESS | {"", "and", "in", "not", "on", "or"}:
            return False
    return not any(token.text in _RISKY or word(token) in _RISKY for token in tokens)


def _column(tables: tuple[FromTable, ...], place: tuple[int, int]) -> ColumnInfo | None:
    """The column, None for the rowid."""
    number, position = place
    return tables[number].info.columns[position] if position >= 0 else None


def _kinds(inner: ColumnInfo | None, outer: ColumnInfo | None) -> frozenset[type]:
    """Which values of ``inner`` are compared with ``outer`` as Python does; none: do not ask.

    https://sqlite.org/datatype3.html section 4.2.
    """
    one, other = ("INTEGER" if c is None else c.affinity for c in (inner, outer))
    if any(column is not None and column.collation != "BINARY" for column in (inner, outer)):
        return frozenset()
    if other == "BLOB":
        return frozenset({int, float, str, bytes}) if one == "BLOB" else frozenset()
    if other == "TEXT":
        return frozenset({str, bytes}) if one in ("TEXT", "BLOB") else frozenset()
    return _NUMBERS
