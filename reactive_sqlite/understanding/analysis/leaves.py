"""Leaves: a term, and the one table reference that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from reactive_sqlite.understanding.analysis.operands import Operand
from reactive_sqlite.understanding.analysis.subjects import EVERY_ROW, Subject, Test
from reactive_sqlite.understanding.analysis.terms import (
    Comparison,
    Conjunction,
    Disjunction,
    Equality,
    Identity,
    Term,
)
from reactive_sqlite.values.comparison import Column

Leaf: TypeAlias = tuple[object, Term] | None
"""None is one of which nothing is known."""


def compared(column: Column, operator: str, operand: Operand) -> Term:
    """`column <op> operand`."""
    if operator == "=":
        return Equality(column, operand)
    return Comparison(column, operator, operand)


def equal_to(operand: Operand, column: Column) -> Term:
    """`column = operand`."""
    return Equality(column, operand)


def identical(operand: Operand, negated: bool, collation: str | None, column: Column) -> Term:
    """`column IS operand`, or IS NOT, perhaps with a COLLATE."""
    return Identity(column.collated(collation), operand, negated)


def tested(subject: Subject, test: Test) -> Leaf:
    """The test of a subject."""
    return subject.owner, subject.term(test)


def together(leaves: Sequence[Leaf], every: bool) -> Leaf:
    """All of these are true, or at least one of them is."""
    known = [leaf for leaf in leaves if leaf is not None]
    owners = {id(leaf[0]): leaf[0] for leaf in known if leaf[0] is not EVERY_ROW}
    if not known or len(owners) > 1 or (len(known) < len(leaves) and not every):
        return None
    owner = owners.popitem()[1] if owners else EVERY_ROW
    terms = [leaf[1] for leaf in known]
    return owner, (Conjunction(terms) if every else Disjunction(terms))
