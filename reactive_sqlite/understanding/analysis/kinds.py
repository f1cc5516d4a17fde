"""The kind of a statement: the engine's word, and the text only where the engine is silent."""

from __future__ import annotations

from reactive_sqlite.understanding import access as codes
from reactive_sqlite.understanding.access import Access
from reactive_sqlite.understanding.analysis.lexer import first_word
from reactive_sqlite.understanding.statement import StatementKind

_SAVEPOINT = {
    "BEGIN": StatementKind.SAVEPOINT,
    "RELEASE": StatementKind.RELEASE,
    "ROLLBACK": StatementKind.ROLLBACK_TO,
}
_DML = {
    codes.INSERT: StatementKind.INSERT,
    codes.UPDATE: StatementKind.UPDATE,
    codes.DELETE: StatementKind.DELETE,
}
# What the authorizer says nothing about.
_BY_TEXT = {
    "VACUUM": StatementKind.VACUUM,
    "REINDEX": StatementKind.REINDEX,
    "ANALYZE": StatementKind.ANALYZE,
    "PRAGMA": StatementKind.PRAGMA,
    "CREATE": StatementKind.CREATE,  # CREATE … IF NOT EXISTS, and it does
    "DROP": StatementKind.DROP,  # DROP … IF EXISTS, and it does not
    "ALTER": StatementKind.ALTER,
    "ATTACH": StatementKind.ATTACH,
    "DETACH": StatementKind.DETACH,
}


def kind_of(access: Access, sql: str) -> StatementKind:
    """What the statement does."""
    did = access.operations
    if access.is_explain and access.pragma is None:  # a PRAGMA may act all the same
        return StatementKind.EXPLAIN
    if access.transaction is not None:
        return StatementKind[access.transaction]
    if access.savepoint is not None:
        return _SAVEPOINT[access.savepoint[0]]
    if did & codes.CHANGES_SCHEMA:
        return _schema_kind(access, sql)
    if access.pragma is not None and access.first is None:
        return StatementKind.PRAGMA
    if access.first is not None:
        return _DML[access.first]
    by_text = _BY_TEXT.get(first_word(sql))
    if by_text is not None:
        return by_text
    return StatementKind.SELECT if codes.SELECT in did else StatementKind.EMPTY


def _schema_kind(access: Access, sql: str) -> StatementKind:
    did = access.operations
    if codes.ALTER_TABLE in did:
        return StatementKind.ALTER
    # ANALYZE creates its own tables, and CREATE INDEX builds with REINDEX.
    if codes.ANALYZE in did or (codes.CREATE_TABLE in did and first_word(sql) == "ANALYZE"):
        return StatementKind.ANALYZE
    for operations, kind in (
        (codes.CREATES, StatementKind.CREATE),
        (codes.DROPS, StatementKind.DROP),
        ({codes.REINDEX}, StatementKind.REINDEX),
        ({codes.ATTACH}, StatementKind.ATTACH),
    ):
        if did & operations:
            return kind
    return StatementKind.DETACH
