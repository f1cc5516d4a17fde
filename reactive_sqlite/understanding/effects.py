"""What statements that are no INSERT, UPDATE or DELETE may change of what queries return."""

from __future__ import annotations

import enum

from reactive_sqlite.errors import ReactiveSqliteError
from reactive_sqlite.understanding.statement import Statement, StatementKind
from reactive_sqlite.values.comparison import fold

#: They change the schema.
DDL = frozenset({StatementKind.CREATE, StatementKind.DROP, StatementKind.ALTER})
#: They may change anything.
WHOLESALE = frozenset(
    {
        StatementKind.ATTACH,
        StatementKind.DETACH,
        StatementKind.VACUUM,
        StatementKind.ANALYZE,
        StatementKind.REINDEX,
    }
)
#: What is written down in the journal, in one transaction with it, though it changes no rows.
_RECORDED = DDL | {StatementKind.ANALYZE, StatementKind.REINDEX}

#: Pragmas that change nothing of it, whatever value they are given.
_HARMLESS = frozenset(
    """analysis_limit auto_vacuum busy_timeout cache_size cache_spill cell_size_check
    checkpoint_fullfsync data_version database_list defer_foreign_keys foreign_key_check
    foreign_key_list freelist_count fullfsync function_list hard_heap_limit index_info index_list
    index_xinfo integrity_check journal_mode journal_size_limit locking_mode
    max_page_count mmap_size page_count page_size quick_check secure_delete
    shrink_memory soft_heap_limit synchronous table_info table_list table_xinfo threads
    wal_autocheckpoint wal_checkpoint""".split()  # noqa: SIM905  a list of 41 lines is no help
)
#: Pragmas that do something without being given a value.
_ACTIVE = frozenset({"incremental_vacuum", "optimize"})
#: Pragmas that change what others of them tell, and no row: the number in the file's header that
#: they store, or where in the file its pages are.
_STORING = frozenset({"application_id", "incremental_vacuum", "user_version"})
#: Pragmas of one connection that change what its queries return, or what its statements write.
_SHAPING = frozenset(
    {
        "automatic_index",
        "case_sensitive_like",
        "full_column_names",
        "recursive_triggers",
        "reverse_unordered_selects",
        "short_column_names",
        "trusted_schema",
    }
)
#: Pragmas whose argument is a name, or that act when they are run.
_WHEN_RUN = frozenset(
    """application_id foreign_key_check foreign_key_list incremental_vacuum index_info index_list
    index_xinfo integrity_check journal_mode max_page_count optimize quick_check schema_version
    table_info table_list table_xinfo user_version wal_checkpoint""".split()  # noqa: SIM905
)


class Effect(enum.Enum):
    """What a PRAGMA may change."""

    NONE = "nothing that a query returns"
    PRAGMAS = "what a pragma tells; a rollback undoes it"
    DATABASE = "anything; a rollback undoes it"
    CONNECTION = "what queries of this connection return, also after a rollback"


def effect_of(name: str, argument: str | None) -> Effect:
    """What ``PRAGMA name = argument`` may change; what is not known may change anything.

    https://sqlite.org/pragma.html

    >>> effect_of("user_version", "7")
    <Effect.PRAGMAS: 'what a pragma tells; a rollback undoes it'>
    """
    if name in _HARMLESS or (argument is None and name not in _ACTIVE):
        return Effect.NONE
    if name in _STORING:
        return Effect.PRAGMAS
    return Effect.CONNECTION if name in _SHAPING else Effect.DATABASE


def acts_when_prepared(name: str, argument: str | None) -> bool:
    """Whether SQLite does what ``PRAGMA name = argument`` says before it is run.

    https://sqlite.org/pragma.html

    >>> acts_when_prepared("foreign_keys", "off"), acts_when_prepared("user_version", "7")
    (True, False)
    """
    return argument is not None and name not in _WHEN_RUN


def is_recorded(statement: Statement) -> bool:
    """Whether it changes what the file holds, though it is no INSERT, UPDATE or DELETE."""
    pragma = statement.access.pragma
    if pragma is not None:
        return effect_of(*pragma) is Effect.PRAGMAS
    return statement.kind in _RECORDED and "main" in statement.access.databases


def refuse_lockout(name: str | None, argument: str | None, database: str | None) -> None:
    """Raise `ReactiveSqliteError` for a PRAGMA by which a file's own readers were locked out.

    To be asked while it is prepared, when SQLite already does it: https://sqlite.org/pragma.html
    """
    exclusive = fold(name or "") == "locking_mode" and fold(argument or "") == "exclusive"
    if exclusive and database in (None, "main"):
        raise ReactiveSqliteError(
            "locking_mode EXCLUSIVE would lock out the connections with which this database reads "
            "its own file"
        )
