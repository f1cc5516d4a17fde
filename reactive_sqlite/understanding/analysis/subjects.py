"""Subjects: what a condition compares, a column or an expression of one column and constants.

An expression has no affinity, and the collation BINARY (https://sqlite.org/datatype3.html), so it
compares in another way than its column does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from sqlglot import exp

from reactive_sqlite.understanding.analysis.operands import (
    Calculated,
    FirstKnown,
    Negated,
    Operand,
    operand_of,
)
from reactive_sqlite.understanding.analysis.parse import unwrapped
from reactive_sqlite.understanding.analysis.terms import (
    PLAIN,
    Conjunction,
    Disjunction,
    OfConstant,
    Settled,
    Term,
)
from reactive_sqlite.values.comparison import Column, Integers, Recased
from reactive_sqlite.values.predicate import IsNull


class Binding(NamedTuple):
    """A column of a table reference; `owner` identifies the reference."""

    owner: object
    column: Column


Resolve: TypeAlias = Callable[[exp.Column], Binding | None]
Test: TypeAlias = Callable[[Column], Term]
"""A comparison whose one side is still open."""

EVERY_ROW: Final = object()
"""The owner of terms that are about no row at all."""

FUNCTIONS: Final = frozenset(
    {"coalesce", "ifnull", "lower", "upper", "iif", "if", "likely", "unlikely"}
)
"""The functions that are looked into."""

FLIPPED: Final = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The comparison with its sides exchanged."""


class Subject(NamedTuple):
    """What is compared: a column, or `default` where the column is NULL, or `default` alone."""

    owner: object
    column: Column
    default: Operand | None = None

    def term(self, test: Test) -> Term:
        """The test of this subject."""
        if self.default is None:
            return test(self.column)
        constant = OfConstant(test(PLAIN), self.default)
        if self.owner is EVERY_ROW:
            return constant
        unknown = Settled(IsNull(self.column), False)
        return Disjunction([test(self.column), Conjunction([unknown, constant])])


class Solved(NamedTuple):
    """A comparison with an expression, solved for its column."""

    owner: object
    column: Column
    operator: str
    operand: Operand


class Subjects:
    """Finds the subjects of one condition."""

    def __init__(self, resolve: Resolve, booleans: bool, functions: bool) -> None:
        self._resolve = resolve
        self._booleans = booleans
        self._functions = functions

    def of(self, node: exp.Expression) -> Subject | None:
        """What this expression is, if that is certain."""
        node = unwrapped(node)
        if isinstance(node, exp.Collate):
            found = self.of(node.this)
            name = collation_name(node)
            if found is None or name is None or type(found.column) is not Column:
                return None
            return Subject(found.owner, found.column.collated(name), found.default)
        if isinstance(node, exp.Column):
            binding = self._resolve(node)
            return binding and Subject(binding.owner, binding.column)
        operand = operand_of(node, None, self._booleans)
        if operand is not None:
            return Subject(EVERY_ROW, PLAIN, operand)
        if not self._functions:
            return None
        if isinstance(node, exp.Coalesce):
            return self._coalesced(node)
        if isinstance(node, exp.Lower | exp.Upper):
            binding = self._column(node.this)
            if binding is None or binding.column.affinity not in ("TEXT", "BLOB"):
                return None
            return Subject(binding.owner, Recased(binding.column, isinstance(node, exp.Upper)))
        return None

    def is_hint(self, node: exp.Anonymous) -> bool:
        """Whether this is `likely(x)` or `unlikely(x)`, which is x."""
        name = str(node.this).lower()
        return self._functions and name in ("likely", "unlikely") and len(node.expressions) == 1

    def _column(self, node: exp.Expression) -> Binding | None:
        node = unwrapped(node)
        return self._resolve(node) if isinstance(node, exp.Column) else None

    def _coalesced(self, node: exp.Coalesce) -> Subject | None:
        binding = self._column(node.this)
        operands = [operand_of(item, None, self._booleans) for item in node.expressions]
        known = [operand for operand in operands if operand is not None]
        if binding is None or not known or len(known) != len(operands):
            return None
        column = binding.column
        bare_column = Column(column.name, column.position, "BLOB", utf8=column.utf8)
        return Subject(binding.owner, bare_column, FirstKnown(known))

    def solved(self, node: exp.Expression, operator: str, operand: Operand) -> Solved | None:
        """`column + 2 = operand` → `column = operand - 2`, for the whole numbers of the column."""
        node = unwrapped(node)
        if isinstance(node, exp.Column):
            binding = self._resolve(node)
            if binding is None:
                return None
            return Solved(binding.owner, Integers.of(binding.column), operator, operand)
        if isinstance(node, exp.Neg):
            return self.solved(node.this, FLIPPED[operator], Negated(operand))
        if not isinstance(node, exp.Add | exp.Sub):
            return None
        left, right = node.this, node.args["expression"]
        sign, opposite = ("+", "-") if isinstance(node, exp.Add) else ("-", "+")
        constant = operand_of(right, None, self._booleans)
        if constant is not None:
            return self.solved(left, operator, Calculated(opposite, operand, constant))
        constant = operand_of(left, None, self._booleans)
        if constant is None:
            return None
        if sign == "+":
            return self.solved(right, operator, Calculated("-", operand, constant))
        return self.solved(right, FLIPPED[operator], Calculated("-", constant, operand))


def collation_name(node: exp.Collate) -> str | None:
    """The name after COLLATE."""
    name = node.args["expression"].name
    return name.upper() if isinstance(name, str) and name else None


def without_collation(node: exp.Expression) -> exp.Expression:
    """The expression before COLLATE."""
    node = unwrapped(node)
    return node.this if isinstance(node, exp.Collate) else node


def collation_of(left: exp.Expression, right: exp.Expression) -> str | None:
    """The explicit collation of a comparison, that of the left side first.

    https://sqlite.org/datatype3.html section 7.1
    """
    for side in (left, right):
        node = unwrapped(side)
        if isinstance(node, exp.Collate):
            return collation_name(node) or "?"
    return None
