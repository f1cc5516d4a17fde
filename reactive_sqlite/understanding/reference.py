"""Reference: one mention of a table in a statement; its rows are known with the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from reactive_sqlite.values.predicate import ALWAYS, Predicate
from reactive_sqlite.values.region import TableRegion


class Template(Protocol):
    """A predicate whose parameters are not yet known."""

    def bind(self, values: Sequence[Any]) -> Predicate:
        """The predicate for these parameters, by position."""


class Reference:
    """One mention of a table in a statement: its key, the columns read, the rows looked at."""

    __slots__ = ("columns", "positions", "table", "template")

    def __init__(
        self,
        table: str,
        columns: frozenset[str] | None = None,
        positions: tuple[int, ...] | None = None,
        template: Template | None = None,
    ) -> None:
        self.table = table
        self.columns = columns
        self.positions = positions
        self.template = template

    def region(self, values: Sequence[Any]) -> TableRegion:
        """The rows that these parameters select."""
        predicate = ALWAYS if self.template is None else self.template.bind(values)
        return TableRegion(self.table, self.columns, predicate, self.positions)
