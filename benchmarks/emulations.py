"""Emulations, on our engine, of the two usual ways to decide what a commit touches.

They run what is touched again, maintaining nothing, and share everything else (the driver, the
recorder, the row types, delivery only when the result differs). They are not the libraries
that decide so: Room, Drift and PowerSync invalidate by table, resqlite by column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

from benchmarks.engines import Ours
from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.predicate import ALWAYS
from reactive_sqlite.values.region import Region, TableRegion

Params = Sequence[Any] | Mapping[str, Any]
_precise = Statement.region


class ByTable(Ours):
    """Any change of a table that a query reads runs it again."""

    keeps_columns = False

    def __init__(self) -> None:
        keeps_columns = self.keeps_columns

        def coarse(statement: Statement, params: Params = ()) -> Region:
            statement.window = None  # or a full window would narrow the region again
            precise = _precise(statement, params)
            if precise.everything:
                return precise
            return Region.of(
                *(
                    TableRegion(
                        table.table,
                        table.columns if keeps_columns else None,
                        ALWAYS,
                        table.positions if keeps_columns else None,
                    )
                    for table in precise.tables
                )
            )

        self._patch = mock.patch.object(Statement, "region", coarse)
        self._patch.start()
        super().__init__()

    def _open(self, path: str) -> ReactiveDatabase:
        return ReactiveDatabase(path, maintain="never")

    def close(self) -> None:
        super().close()
        self._patch.stop()


class ByColumn(ByTable):
    """Any change of a column that a query reads runs it again, whatever the row."""

    keeps_columns = True
