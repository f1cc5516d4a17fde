"""Statement: one SQL text understood: its kind, what it reads and writes, the region it sees.

To the engine's word, `access`, it adds what `analysis` found out.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from reactive_sqlite.understanding.access import Access
from reactive_sqlite.understanding.reference import Reference
from reactive_sqlite.values.change import Value
from reactive_sqlite.values.comparison import UNSURE
from reactive_sqlite.values.region import Region


class StatementKind(enum.Enum):
    """What a statement does. WITH … and VALUES are SELECT, REPLACE is INSERT, END is COMMIT."""

    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CREATE = "CREATE"
    DROP = "DROP"
    ALTER = "ALTER"
    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"
    SAVEPOINT = "SAVEPOINT"
    RELEASE = "RELEASE"
    ROLLBACK_TO = "ROLLBACK TO"
    PRAGMA = "PRAGMA"
    ATTACH = "ATTACH"
    DETACH = "DETACH"
    VACUUM = "VACUUM"
    ANALYZE = "ANALYZE"
    REINDEX = "REINDEX"
    EXPLAIN = "EXPLAIN"
    EMPTY = "EMPTY"


_CHANGES_ROWS: Final = (StatementKind.INSERT, StatementKind.UPDATE, StatementKind.DELETE)


class Window(Protocol):
    """The first rows by the result column at ``output``: what lies behind does not matter."""

    output: int

    def size(self, values: Sequence[Any]) -> int | None:
        """How many rows a full result has with these parameters, None if that is not certain."""

    def narrowed(self, region: Region, last: Value) -> Region:
        """The region without what is behind a full result, whose last value this is."""


class Statement:
    """One SQL text, understood.

    `reads` and `writes` are plain folded table names (views among the reads); `volatile`: the
    result depends on more than the tables (`random()`, the clock, an application function);
    `main_only`: it is a SELECT, and touches nothing outside database main.

    >>> from reactive_sqlite import ReactiveDatabase
    >>> db = ReactiveDatabase()
    >>> db.executescript("CREATE TABLE t(a, b); CREATE VIEW v AS SELECT a FROM t")
    >>> statement = db.analyze("SELECT a FROM v WHERE a = ?")
    >>> sorted(statement.reads), statement.kind.name
    (['t', 'v'], 'SELECT')
    >>> print(statement.region((5,)))
    t(a)[a=5]
    """

    __slots__ = (
        "_everything",
        "_fixed",
        "_references",
        "access",
        "changes_rows",
        "epoch",
        "kind",
        "main_only",
        "only_reads",
        "patch",
        "reads",
        "sql",
        "unhooked",
        "volatile",
        "window",
        "writes",
    )

    def __init__(
        self,
        sql: str,
        kind: StatementKind,
        access: Access,
        references: Sequence[Reference],
        *,
        reads: frozenset[str] = frozenset(),
        writes: frozenset[str] = frozenset(),
        everything: bool = False,
        volatile: bool = False,
        main_only: bool = True,
    ) -> None:
        self.sql = sql
        self.kind = kind
        # Asked for at each run, and an Enum is slow to look up in a set.
        self.only_reads = kind in (StatementKind.SELECT, StatementKind.EXPLAIN)
        self.changes_rows = kind in _CHANGES_ROWS
        self.epoch = 0
        """under which `Schema` it was analysed"""
        self.unhooked: tuple[str, ...] | None = None
        """what `Schema.prepare` found, once it has"""
        self.patch: Any = None
        """for results: what `incremental.patch_of` found, False for nothing"""
        self.window: Window | None = None
        """for a SELECT of which only the first rows count, if it is understood"""
        self.access = access
        self.reads = reads
        self.writes = writes
        self.volatile = volatile
        self.main_only = main_only
        self._everything = everything
        self._references = tuple(references)
        self._fixed: Region | None = None
        if everything or all(reference.template is None for reference in references):
            self._fixed = self._region(())

    def region(self, params: Sequence[Any] | Mapping[str, Any] = ()) -> Region:
        """What a run with these parameters looks at. A missing parameter narrows nothing."""
        fixed = self._fixed
        return self._region(self._positional(params)) if fixed is None else fixed

    def window_size(self, params: Sequence[Any] | Mapping[str, Any] = ()) -> int | None:
        """How many rows fill the window, None without one, or without a certain LIMIT."""
        return None if self.window is None else self.window.size(self._positional(params))

    def _positional(self, params: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any]:
        if not isinstance(params, Mapping):
            return params
        names = self.access.bindings
        return [UNSURE if name is None else params.get(name, UNSURE) for name in names]

    def _region(self, values: Sequence[Any]) -> Region:
        if self._everything:
            return Region.whole()
        if len(self._references) == 1:
            return Region((self._references[0].region(values),))
        return Region.of(*[reference.region(values) for reference in self._references])

    def __repr__(self) -> str:
        return f"<Statement {self.kind.value} {self.sql!r}>"
