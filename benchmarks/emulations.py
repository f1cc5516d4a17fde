"""Emulations, on our engine, of the two usual ways to decide what a commit touches.

They share everything else (the driver, the recorder, the row types, delivery only when the result
differs), so what they cost more is the price of the decision alone. They are not the libraries
that decide so: Room, Drift and PowerSync invalidate by table, resqlite by column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

from benchmarks.engines import Ours
from reactive_sqlite.predicate import ALWAYS
from reactive_sqlite.region import Region, TableRegion
from reactive_sqlite.statement import Statement

Params = Sequence[Any] | Mapping[str, Any]
_precise = Statement.region


class ByTable(Ours):
    """Any change of a table that a query reads runs it again."""

    keeps_columns = False

    def __init__(self) -> None:
        keeps_columns = self.keeps_columns

        def coarse(statement: Statement, params: Params = ()) -> Region:
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

    def close(self) -> None:
        super().close()
        self._patch.stop()


class ByColumn(ByTable):
    """Any change of a column that a query reads runs it again, whatever the row."""

    keeps_columns = True
