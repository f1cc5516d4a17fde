"""How many rows a statement changes that is run for one parameter set after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reactive_sqlite.driver.connection import Connection, Params
from reactive_sqlite.understanding.catalog import Catalog
from reactive_sqlite.understanding.statement import Statement, StatementKind


class Tally:
    """Adds up what each run has changed: its own rows, as after a single statement.

    SQLite's total has the rows of triggers and of foreign-key actions too, and those of what the
    maker of the parameters runs meanwhile: it is taken only where there can be none of these.
    https://sqlite.org/c3ref/total_changes.html
    """

    def __init__(
        self, connection: Connection, statement: Statement, catalog: Catalog, sets: Iterable[Params]
    ) -> None:
        self._connection = connection
        self._changes_rows = statement.changes_rows
        self._rows = 0
        self._before: int | None = None
        if isinstance(sets, list | tuple) and _only_inserts(statement, catalog):
            self._before = connection.total_changes()
            self.sets: Iterable[Params] = sets
        else:
            self.sets = self._counted(sets)

    def rows(self) -> int:
        """The rows changed by all of the runs."""
        if self._before is not None:
            return self._connection.total_changes() - self._before
        return self._rows if self._changes_rows else 0

    def _counted(self, sets: Iterable[Params]) -> Iterator[Params]:
        changes = self._connection.changes
        for params in sets:
            yield params
            self._rows += changes()  # whoever asks for the next one has run this one


def _only_inserts(statement: Statement, catalog: Catalog) -> bool:
    """Whether nothing follows from it but its own rows, so that each of them is counted once."""
    access = statement.access
    if statement.kind is not StatementKind.INSERT or len(access.writes) != 1 or access.views:
        return False
    [(key, operations)] = access.writes.items()
    table = catalog.table(key)
    if operations != {"insert"} or table is None or table.kind != "table" or table.sql is None:
        return False
    return "replace" not in statement.sql.lower() and "replace" not in table.sql.lower()
