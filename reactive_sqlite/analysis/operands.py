"""Operands: constants of a statement, known when its parameters are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from reactive_sqlite.comparison import UNSURE, to_number

_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1


class Operand(Protocol):
    """A value that is the same for all rows."""

    def value(self, values: Sequence[Any]) -> Any:
        """The value for these parameters, or `UNSURE`."""


class Constant:
    """A literal."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def value(self, values: Sequence[Any]) -> Any:
        """The literal's value."""
        return self._value


class Parameter:
    """A parameter, by its position from 0."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def value(self, values: Sequence[Any]) -> Any:
        """What was given for it."""
        return values[self.index] if self.index < len(values) else UNSURE


class Calculated:
    """A sum, difference or product of two operands; of integers, in 64 bits."""

    __slots__ = ("left", "operator", "right")

    def __init__(self, operator: str, left: Operand, right: Operand) -> None:
        self.operator = operator
        self.left = left
        self.right = right

    def value(self, values: Sequence[Any]) -> Any:
        """The result, where SQLite calculates as Python does."""
        left, right = self.left.value(values), self.right.value(values)
        if type(left) is not int or type(right) is not int:
            if isinstance(left, float) and self.operator == "-" and right == 0:
                return left
            return UNSURE
        if self.operator == "+":
            result = left + right
        elif self.operator == "-":
            result = left - right
        else:
            result = left * right
        return result if _LEAST <= result <= _GREATEST else UNSURE


class Negated:
    """`-operand`."""

    __slots__ = ("operand",)

    def __init__(self, operand: Operand) -> None:
        self.operand = operand

    def value(self, values: Sequence[Any]) -> Any:
        """The negative of a number."""
        value = self.operand.value(values)
        if type(value) is int or type(value) is float:
            return -value
        return None if value is None else UNSURE


class OfType:
    """`CAST(operand AS type)` where the operand already is of the type."""

    __slots__ = ("operand", "type")

    def __init__(self, operand: Operand, kind: type) -> None:
        self.operand = operand
        self.type = kind

    def value(self, values: Sequence[Any]) -> Any:
        """The operand, if the cast leaves it as it is."""
        value = self.operand.value(values)
        return value if value is None or type(value) is self.type else UNSURE


def number(text: str) -> Any:
    """What a numeric literal means; integers beyond 64 bits, which SQLite reads as REAL, unsure."""
    if text.isdigit():
        # 2**63 itself is fine behind a minus sign, and out of range for any column otherwise.
        return int(text) if int(text) <= _GREATEST + 1 else UNSURE
    value = to_number(text)
    return UNSURE if isinstance(value, str) else value
