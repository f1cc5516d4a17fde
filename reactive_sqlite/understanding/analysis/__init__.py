"""analyse(sql, access, catalog) → Statement: the engine's word, narrowed by the parser.

Soundness comes from `Access`, what SQLite's authorizer said; sqlglot may only narrow it. Where it
fails, or understands other tables than the engine, the tables count as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reactive_sqlite.understanding.access import Access
from reactive_sqlite.understanding.analysis.joins import tables_joined_by_name
from reactive_sqlite.understanding.analysis.kinds import kind_of
from reactive_sqlite.understanding.analysis.lexer import Token, tokens_of
from reactive_sqlite.understanding.analysis.narrow import mentions_of
from reactive_sqlite.understanding.analysis.reads import Reads, plain_name, reads_of
from reactive_sqlite.understanding.analysis.sources import ROWID_NAMES, Mention
from reactive_sqlite.understanding.analysis.terms import conjunction
from reactive_sqlite.understanding.analysis.volatile import is_volatile, only_known_functions
from reactive_sqlite.understanding.analysis.window import window_of
from reactive_sqlite.understanding.catalog import SCHEMA_TABLES, Catalog, TableInfo
from reactive_sqlite.understanding.reference import Reference
from reactive_sqlite.understanding.statement import Statement, StatementKind
from reactive_sqlite.values.comparison import fold

_NO_REGION = frozenset({StatementKind.PRAGMA, StatementKind.EXPLAIN})
_COUNTED = 63
"""Columns that SQLite's planner knows one by one; those behind them it takes for one."""


def analyse(sql: str, access: Access, catalog: Catalog) -> Statement:
    """Understand one statement. Pure; cache it by text and schema version. Never raises."""
    kind = kind_of(access, sql)
    tokens: Sequence[Token] = ()
    unnamed: Sequence[TableInfo] = ()
    # What other statements do the engine has said; a script may hold hundreds of them.
    if kind is StatementKind.SELECT:
        tokens = tokens_of(sql)
        unnamed = tables_joined_by_name(tokens, catalog, bool(access.views))
    reads = reads_of(access, catalog, unnamed)
    # What these tell is not a matter of tables.
    everything = reads.everything or kind in _NO_REGION
    statement = Statement(
        sql,
        kind,
        access,
        [] if everything else _references(kind, tokens, reads, catalog),
        reads=_public(frozenset(reads.names), access),
        writes=_written(access, catalog),
        everything=everything,
        volatile=is_volatile(access, catalog, [sql, *(view.sql for view in reads.views.values())]),
        main_only=(
            kind is StatementKind.SELECT
            and not reads.elsewhere
            and only_known_functions(access, catalog)
        ),
    )
    if kind is StatementKind.SELECT and not everything:
        statement.window = window_of(statement, tokens, catalog)
    return statement


def _references(
    kind: StatementKind, tokens: Sequence[Token], reads: Reads, catalog: Catalog
) -> list[Reference]:
    """The tables that are read, as narrow as they are certain."""
    mentions: Sequence[Mention] = ()
    if kind is StatementKind.SELECT and reads.tables:
        mentions = mentions_of(tokens, catalog) or ()
    # A mention below a FROM counts as several: it may be read for less than its columns.
    often: Counter[str] = Counter()
    for mention in mentions:
        often[mention.table.key] += 2 if mention.nested else 1
    joined = not mentions or any(mention.joined for mention in mentions)  # or not understood
    columns = {
        key: _columns(catalog.table(key), names, often[key] == 1, joined)
        for key, names in reads.tables.items()
    }
    whole = dict.fromkeys(reads.tables)
    references = []
    for mention in mentions if _are_those_read(mentions, reads, catalog) else ():
        key = mention.table.key
        if mention.table.kind == "table" and key not in reads.hidden:
            whole.pop(key, None)
            found = columns[key]
            if mention.asked is not None:
                found = _asked_for(mention, reads.tables[key], mention.asked)
            references.append(_narrowed(mention, *found))
    return references + [Reference(key, *columns[key]) for key in whole]


def _are_those_read(mentions: Sequence[Mention], reads: Reads, catalog: Catalog) -> bool:
    """Whether the parser knows of no table that the engine does not read, and misses none."""
    named = {catalog.owner_of(mention.table.key) for mention in mentions}
    return named <= reads.tables.keys() and reads.tables.keys() - named <= reads.hidden


def _narrowed(
    mention: Mention, columns: frozenset[str] | None, positions: tuple[int, ...] | None
) -> Reference:
    """One mention of a table with what is demanded of its rows."""
    template = conjunction(mention.demands)
    if template is not None and columns is not None and positions is not None:
        # SQLite says nothing of what it never evaluates (`a IN () AND b`), but a row is judged by
        # it, so that it has to be looked at as well.
        judged = {column for column in template.columns() if column.position >= 0}
        if not {column.name for column in judged} <= columns:
            columns |= {column.name for column in judged}
            positions = tuple(sorted({*positions, *(column.position for column in judged)}))
    return Reference(mention.table.key, columns, positions, template)


def _asked_for(
    mention: Mention, names: frozenset[str] | None, asked: frozenset[str]
) -> tuple[frozenset[str] | None, tuple[int, ...] | None]:
    """The columns of a table below a FROM that are asked for from outside."""
    table = mention.table
    if names is not None and asked.isdisjoint(ROWID_NAMES):
        names &= asked
    return _columns(table, names, False, mention.joined)


def _columns(
    table: TableInfo | None, names: frozenset[str] | None, exact: bool, joined: bool
) -> tuple[frozenset[str] | None, tuple[int, ...] | None]:
    """The columns whose change can change a result, and their places in a row.

    `exact` says that SQLite reads these columns together; else it may read some of them only.
    `joined` says that the table may be joined with others.
    """
    if table is None or table.kind != "table" or names is None:
        return None, None
    watched = names
    if names:
        # Rows come in the order of an index if SQLite walks one; then its columns matter as well.
        # It may walk one that has a column in use, or that holds just the rows that are asked for,
        # or all of them; each ends with the row's key.
        key = {table.columns[place].name for place in table.primary_key}
        if not table.without_rowid:
            key.add("rowid")
        for index in table.indexes:
            used = bool(names & index.columns) or index.partial or names <= key or not exact
            if used and index.has_expressions:
                return None, None
            # An expression in use has all its columns in use.
            if used or index.has_expressions:
                # A row WITHOUT ROWID that gets another key is another row.
                watched |= index.columns - key if table.without_rowid else index.columns
        if joined and not table.without_rowid:
            watched |= _taken_along(table, names)
    places = [table.position(name) for name in watched]
    return watched, tuple(sorted(place for place in places if place is not None))


def _taken_along(table: TableInfo, names: frozenset[str]) -> frozenset[str]:
    """What an index that SQLite makes for a join holds besides the columns in use.

    All columns if one in use is generated, and if one is the 64th or a later one, all of those
    (`colUsed` in https://sqlite.org/src/file/src/sqliteInt.h).
    """
    used = [place for place, column in enumerate(table.columns) if column.name in names]
    if any(table.columns[place].generated for place in used):
        return frozenset(column.name for column in table.columns)
    far = any(place >= _COUNTED for place in used)
    return frozenset(column.name for column in table.columns[_COUNTED:] if far)


def _public(names: frozenset[str], access: Access) -> frozenset[str]:
    # Every DDL statement reads and writes the table that holds the schema.
    return names - SCHEMA_TABLES if access.changes_schema else names


def _written(access: Access, catalog: Catalog) -> frozenset[str]:
    names = set()
    for key in access.writes:
        table = catalog.table(key)
        if table is None:
            names.add(plain_name(key))
        elif table.kind != "view":
            names.add(fold(table.name))
    return _public(frozenset(names), access)
