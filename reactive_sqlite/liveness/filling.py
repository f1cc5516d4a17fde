"""Rows made into what users want instead: their dataclasses and Structs, or whatever they call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from reactive_sqlite.liveness.opening import Convert
from reactive_sqlite.values.row import Row


def converter(row: Callable[..., Any] | None) -> Convert | None:
    """What makes of a `Row` what the user wants; None: the row itself. Raises TypeError."""
    if row is None:
        return None
    if not callable(row):
        raise TypeError(f"row is a type or a function that makes something of a row, not {row!r}")
    if isinstance(row, type) and (
        issubclass(row, msgspec.Struct) or hasattr(row, "__dataclass_fields__")
    ):
        kind: Any = row
        return _Filling(kind)
    return row


class _Filling:
    """Fills a dataclass or Struct from a row, by column name. Equal for equal types."""

    __slots__ = ("_kind",)

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind

    def __call__(self, row: Row) -> Any:
        try:
            return msgspec.convert(row.as_dict(), self._kind, strict=False)
        except msgspec.ValidationError as error:
            error.add_note(f"while making a {self._kind.__qualname__} of {row!r:.200}")
            raise

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Filling) and self._kind is other._kind

    def __hash__(self) -> int:
        return hash(self._kind)
