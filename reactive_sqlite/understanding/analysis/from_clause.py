"""The FROM clause: plain tables, joined from left to right, inner ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from reactive_sqlite.understanding.analysis.clauses import SUBQUERY, depths, text_of, word
from reactive_sqlite.understanding.analysis.lexer import Token, string_value
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.understanding.analysis.sources import ROWID_NAMES
from reactive_sqlite.understanding.catalog import Catalog, TableInfo
from reactive_sqlite.understanding.listing import quoted
from reactive_sqlite.values.comparison import ROWID, fold

#: The kinds of tokens that can be a name.
NAMES: Final = ("word", "quoted")
_JOINS: Final = frozenset({"join", "inner", "cross", "left", "outer", "on"})


#: The column that tells from which row of the table a row of a derived one comes.
IDENTITY: Final = '"(rowid)"'


class Derived(NamedTuple):
    """A SELECT that stands for a table: as a table, the table whose rows it shows, and its text."""

    info: TableInfo
    stored: TableInfo
    text: str


#: What a name or a subquery stands for, if it is no table; given a token and a database.
Derive: TypeAlias = Callable[[Token, str | None], Derived | None]


@dataclass(frozen=True, slots=True)
class FromTable:
    """One table of the FROM clause."""

    info: TableInfo
    alias: str
    """as SQL writes it"""
    nullable: bool
    """whether a row of NULLs may stand for it: the right side of a LEFT JOIN"""
    stored: TableInfo
    """the table whose rows it shows: itself, unless it is derived"""

    @property
    def derived(self) -> bool:
        """Whether it is a SELECT that stands for a table."""
        return self.stored is not self.info

    def rowid_text(self) -> str:
        """Its rowid as SQL writes it."""
        if self.derived:
            return f"{self.alias}.{IDENTITY}"
        free = [n for n in ("rowid", "oid", "_rowid_") if self.info.position(n) is None]
        if not free:
            raise NotUnderstoodError("a table whose rowid has no name")
        return f"{self.alias}.{free[0]}"

    @property
    def identity(self) -> tuple[int, ...]:
        """The columns that identify a row: its rowid, or its primary key without one."""
        info = self.info
        if info.without_rowid:
            return info.primary_key
        return (ROWID if info.rowid_column is None else info.rowid_column,)

    def column(self, name: str) -> int | None:
        """The position of a column by its folded name, `ROWID` for the rowid, None if neither."""
        position = self.info.position(name)
        hidden = self.info.without_rowid or self.derived
        if position is None and name in ROWID_NAMES and not hidden:
            position = self.info.rowid_column
            return ROWID if position is None else position
        return position


def tables_of(
    tokens: list[Token], catalog: Catalog, derive: Derive = lambda token, database: None
) -> tuple[tuple[FromTable, ...], str]:
    """The tables of a FROM clause and its text, in which derived ones show their identity.

    Raises `NotUnderstoodError` when it is anything else.
    """
    tables: list[FromTable] = []
    texts: list[str] = []
    position, nullable = 0, False
    while True:
        start = position
        table, text, position = _table(tokens, position, nullable, catalog, derive)
        texts.append(text or text_of(tokens[start:position]))
        start = position
        if any(fold(table.alias) == fold(other.alias) for other in tables):
            raise NotUnderstoodError("two tables of one name")
        tables.append(table)
        if tables[-1].nullable < any(other.nullable for other in tables):
            raise NotUnderstoodError("an inner join behind an outer one")
        position = _skip_condition(tokens, position)
        if position == len(tokens):
            return tuple(tables), " ".join([*texts, text_of(tokens[start:])])
        nullable = False
        if tokens[position].text != ",":
            kind = word(tokens[position])
            nullable = kind == "left"
            position += kind in ("inner", "cross", "left")
            if nullable and position < len(tokens) and word(tokens[position]) == "outer":
                position += 1
            if position >= len(tokens) or word(tokens[position]) != "join":
                raise NotUnderstoodError("a join of an unknown kind")
        position += 1
        texts.append(text_of(tokens[start:position]))


def _table(
    tokens: list[Token], position: int, nullable: bool, catalog: Catalog, derive: Derive
) -> tuple[FromTable, str, int]:
    """A table, its text if it is derived, and where it ends."""

    def take() -> Token | None:
        token = tokens[position] if position < len(tokens) else None
        return token if token and token.kind in NAMES and word(token) not in _JOINS else None

    first = tokens[position] if position < len(tokens) else None
    name, database = take(), None
    position += 1
    if name is not None and position < len(tokens) and tokens[position].text == ".":
        position += 1
        database, name = name, take()
        position += 1
    if first is None or (name is None and first.kind != SUBQUERY):
        raise NotUnderstoodError("something else than a table")
    within = None if database is None else name_of(database)
    derived = derive(name or first, within)
    if derived is None and name is not None:
        info = catalog.resolve(name_of(name), within)
        if info is None or info.kind != "table" or info.has_virtual_columns:
            raise NotUnderstoodError("not a plain table")
        derived = Derived(info, info, "")
    if derived is None:
        raise NotUnderstoodError("something else than a table")
    alias = name
    explicit = position < len(tokens) and word(tokens[position]) == "as"
    position += explicit
    found = take()
    if found is not None:
        alias = found
        position += 1
    elif explicit:
        raise NotUnderstoodError("AS without a name")
    if alias is None:
        alias = Token("quoted", f'"(subquery {position})"')  # nothing can name it
    written = quoted(_plain(alias))
    text = f"{derived.text} AS {written}" if derived.text else ""
    return FromTable(derived.info, written, nullable, derived.stored), text, position


def _skip_condition(tokens: list[Token], position: int) -> int:
    if position >= len(tokens) or word(tokens[position]) != "on":
        return position
    for offset, (depth, token) in enumerate(depths(tokens[position + 1 :]), position + 1):
        if not depth and (token.text == "," or word(token) in _JOINS):
            return offset
        if token.kind == SUBQUERY:
            raise NotUnderstoodError("a subquery in a condition")
    return len(tokens)


def _plain(token: Token) -> str:
    return string_value(token) if token.kind in ("quoted", "string") else token.text


def name_of(token: Token) -> str:
    """What a word or a quoted identifier names, folded; also a string, as in ``t.'x'``."""
    return fold(_plain(token))


def spells_identity(tokens: Sequence[Token]) -> bool:
    """Whether a text has the name of `IDENTITY`; if no column has it, it means itself, a text."""
    return any(token.kind == "quoted" and f'"{name_of(token)}"' == IDENTITY for token in tokens)
