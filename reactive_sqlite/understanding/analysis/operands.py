"""Operands: constants of a statement, known when its parameters are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from sqlglot import exp

from reactive_sqlite.understanding.analysis.lexer import PARAMETER
from reactive_sqlite.understanding.analysis.parse import unwrapped
from reactive_sqlite.values.comparison import UNSURE, Column, to_number

_CALCULATIONS: Final[dict[type[exp.Expression], str]] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}
_CASTS: Final[dict[object, tuple[type, tuple[str, ...]]]] = {
    exp.DType.INT: (int, ("INTEGER", "REAL", "NUMERIC")),
    exp.DType.TEXT: (str, ("TEXT",)),
}
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


class Concatenated:
    """`left || right` of two texts."""

    __slots__ = ("left", "right")

    def __init__(self, left: Operand, right: Operand) -> None:
        self.left = left
        self.right = right

    def value(self, values: Sequence[Any]) -> Any:
        """Both, one after the other. What a number looks like as a text is SQLite's affair."""
        left, right = self.left.value(values), self.right.value(values)
        if left is None or right is None:
            return None
        texts = type(left) is str and type(right) is str
        # SQLite may end a text at a NUL character.
        return left + right if texts and "\0" not in left + right else UNSURE


class Stored:
    """An operand in the rows of a VALUES, where a column of type REAL makes REALs of integers."""

    __slots__ = ("operand",)

    def __init__(self, operand: Operand) -> None:
        self.operand = operand

    def value(self, values: Sequence[Any]) -> Any:
        """The value, if it is the same as a REAL."""
        value = self.operand.value(values)
        return UNSURE if isinstance(value, int) and abs(value) > 1 << 53 else value


class FirstKnown:
    """`coalesce(operand, …)`."""

    __slots__ = ("operands",)

    def __init__(self, operands: Sequence[Operand]) -> None:
        self.operands = tuple(operands)

    def value(self, values: Sequence[Any]) -> Any:
        """The first that is not NULL."""
        for operand in self.operands:
            value = operand.value(values)
            if value != value:  # NaN is bound as NULL
                continue
            if value is not None:
                return value
        return None


def number(text: str) -> Any:
    """What a numeric literal means; integers beyond 64 bits, which SQLite reads as REAL, unsure."""
    if text.isdigit():
        # 2**63 itself is fine behind a minus sign, and out of range for any column otherwise.
        return int(text) if int(text) <= _GREATEST + 1 else UNSURE
    value = to_number(text)
    return UNSURE if isinstance(value, str) else value


def operand_of(node: exp.Expression, column: Column | None, booleans: bool) -> Operand | None:
    """What an expression without columns means beside this column; None if that is not certain.

    `booleans` says that TRUE and FALSE are no columns.
    """
    node = unwrapped(node)
    if isinstance(node, exp.Literal):
        return Constant(node.this if node.is_string else number(node.this))
    if isinstance(node, exp.Null):
        return Constant(None)
    if isinstance(node, exp.Boolean):
        return Constant(int(node.this)) if booleans else None
    if isinstance(node, exp.HexString):
        return Constant(bytes.fromhex(node.this))
    if isinstance(node, exp.Placeholder):
        name = node.this
        if isinstance(name, str) and name.startswith(PARAMETER):
            return Parameter(int(name.removeprefix(PARAMETER)))
        return None

    def part(inner: exp.Expression) -> Operand | None:
        return operand_of(inner, column, booleans)

    if isinstance(node, exp.Neg):
        operand = part(node.this)
        return operand and Negated(operand)
    operator = _CALCULATIONS.get(type(node))
    if operator is not None:
        left, right = part(node.this), part(node.args["expression"])
        return left and right and Calculated(operator, left, right)
    if isinstance(node, exp.DPipe):
        left, right = part(node.this), part(node.args["expression"])
        return left and right and Concatenated(left, right)
    if isinstance(node, exp.Coalesce):
        operands = [part(item) for item in (node.this, *node.expressions)]
        known = [operand for operand in operands if operand is not None]
        return FirstKnown(known) if len(known) == len(operands) else None
    if isinstance(node, exp.Cast) and column is not None:
        cast = _CASTS.get(node.args["to"].this)
        operand = part(node.this)
        # A cast has an affinity, so it may act on the column; not if they agree.
        if cast is None or operand is None or column.affinity not in cast[1]:
            return None
        return OfType(operand, cast[0])
    return None
