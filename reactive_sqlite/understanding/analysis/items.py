"""The expressions of a SELECT: which are columns, what they are called, how they compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reactive_sqlite.understanding.analysis.clauses import SUBQUERY, split, text_of, word
from reactive_sqlite.understanding.analysis.from_clause import NAMES, FromTable, name_of
from reactive_sqlite.understanding.analysis.lexer import Token
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.understanding.listing import quoted
from reactive_sqlite.values.comparison import fold

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


def outputs_of(tokens: list[Token], tables: tuple[FromTable, ...]) -> Iterator[Item]:
    """The result columns of a select list, stars expanded."""
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
                    name = Token("quoted", quoted(column.name))
                    alias = Token("quoted", tables[number].alias)
                    yield item_of((alias, Token("operator", "."), name), tables)
            continue
        yield aliased(part, tables)


def aliased(part: list[Token], tables: tuple[FromTable, ...]) -> Item:
    """A part of a select list that is no star."""
    last = part[-1] if part else Token("", "")
    is_name = last.kind in (*NAMES, "string")
    if len(part) > 2 and word(part[-2]) == "as" and is_name:
        return item_of(part[:-2], tables, name_of(last))
    if len(part) < 2 or not is_name or word(last) in _OPERATORS:
        return item_of(part, tables)
    before = part[-2]
    # `x name`, `t.x name`, `… ) name`
    named = len(part) in (2, 4) and is_column(part[:-1]) and word(part[0]) not in _OPERATORS
    if named or before.text[-1] == ")":
        return item_of(part[:-1], tables, name_of(last))
    # `… + x`, `t.x`
    operand = before.kind == "operator" and before.text != "." and last.kind in NAMES
    if operand or is_column(part):
        return item_of(part, tables)
    raise NotUnderstoodError("an alias, perhaps")


def is_column(tokens: Sequence[Token]) -> bool:
    """Whether it looks like ``x`` or ``t.x``."""
    if len(tokens) == 3 and tokens[1].text == ".":
        return tokens[0].kind in NAMES and tokens[2].kind in NAMES
    return len(tokens) == 1 and tokens[0].kind in NAMES


def item_of(
    tokens: Sequence[Token], tables: tuple[FromTable, ...], alias: str | None = None
) -> Item:
    """An expression over these tables."""
    if not tokens:
        raise NotUnderstoodError("nothing")
    column, collation = None, None
    if is_column(tokens):
        column = column_of(tokens, tables)
        if column is not None:
            number, position = column
            info = tables[number].info
            collation = "BINARY" if position < 0 else info.columns[position].collation
    elif tokens[0].text not in ("(", "+") and not any(
        word(token) in ("collate", "cast") or token.kind == SUBQUERY for token in tokens
    ):
        # An operator or a function has no collation of its own
        # (https://sqlite.org/datatype3.html section 7.1).
        collation = "BINARY"
    return Item(tuple(tokens), column, collation, alias)


def column_of(tokens: Sequence[Token], tables: tuple[FromTable, ...]) -> tuple[int, int] | None:
    """(table, position) of the column that ``x`` or ``t.x`` names, None if that is not certain."""
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
