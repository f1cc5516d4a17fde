"""analyse(sql, access, catalog) → Statement: the engine's word, narrowed by the parser.

Soundness comes from `Access`, what SQLite's authorizer said; sqlglot may only narrow it. Where it
fails, or understands other tables than the engine, the tables count as a whole.
"""

from __future__ import annotations

from reactive_sqlite.analysis.kinds import kind_of
from reactive_sqlite.analysis.lexer import tokens_of
from reactive_sqlite.analysis.reads import Reads, plain_name, reads_of
from reactive_sqlite.analysis.volatile import is_volatile, only_known_functions, view_tokens
from reactive_sqlite.catalog import SCHEMA_TABLES, Catalog
from reactive_sqlite.statement import Access, Reference, Statement, StatementKind

_NO_REGION = frozenset({StatementKind.PRAGMA, StatementKind.EXPLAIN})


def analyse(sql: str, access: Access, catalog: Catalog) -> Statement:
    """Understand one statement. Pure; cache it by text and schema version. Never raises."""
    tokens = tokens_of(sql)
    kind = kind_of(access, tokens)
    reads = reads_of(access, catalog)
    texts = [tokens, *view_tokens(view.sql for view in reads.views)]
    return Statement(
        sql,
        kind,
        access,
        whole_tables(reads, catalog),
        reads=_public(reads.names, access),
        writes=_written(access, catalog),
        # What these tell is not a matter of tables.
        everything=reads.everything or kind in _NO_REGION,
        volatile=is_volatile(access, catalog, texts),
        main_only=(
            kind is StatementKind.SELECT
            and not reads.elsewhere
            and only_known_functions(access, catalog)
        ),
    )


def whole_tables(reads: Reads, catalog: Catalog) -> list[Reference]:
    """Each table as a whole, as far as its rows go; of its columns those that are read."""
    references = []
    for key, columns in reads.tables.items():
        table = catalog.table(key)
        positions = None
        if table is None or table.kind != "table":
            columns = None
        elif columns is not None:
            found = [table.position(name) for name in columns]
            positions = tuple(sorted(place for place in found if place is not None))
        references.append(Reference(key, columns, positions))
    return references


def _public(names: frozenset[str], access: Access) -> frozenset[str]:
    # Every DDL statement reads and writes the table that holds the schema.
    return names - SCHEMA_TABLES if access.changes_schema else names


def _written(access: Access, catalog: Catalog) -> frozenset[str]:
    names = set()
    for key in access.writes:
        table = catalog.table(key)
        if table is None or table.kind != "view":
            names.add(plain_name(key))
    return _public(frozenset(names), access)
