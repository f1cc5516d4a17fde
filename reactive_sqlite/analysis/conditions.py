"""WHERE and ON → templates: what a condition demands of each table reference on its own.

NOT is pushed down to the comparisons, so the parts that are about other references, or are not
understood, can be taken for true without making the rest wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from sqlglot import exp

from reactive_sqlite.analysis.lexer import PARAMETER
from reactive_sqlite.analysis.operands import (
    Calculated,
    Constant,
    Negated,
    OfType,
    Operand,
    Parameter,
    number,
)
from reactive_sqlite.analysis.terms import (
    Comparison,
    Disjunction,
    Equality,
    Identity,
    Membership,
    OperandIsNull,
    Pattern,
    Settled,
    Term,
    conjunction,
)
from reactive_sqlite.comparison import Column
from reactive_sqlite.predicate import IsNull, NotNull, Truth


class Binding(NamedTuple):
    """A column of a table reference; `owner` identifies the reference."""

    owner: object
    column: Column


Resolve: TypeAlias = Callable[[exp.Column], Binding | None]
_Leaf: TypeAlias = tuple[object, Term] | None

WORDS: Final = frozenset({"booleans", "patterns"})
"""TRUE and FALSE, which may be columns; LIKE and GLOB, which the application may have replaced."""

EVERY_ROW: Final = object()
"""The owner of terms that are about no row at all."""

_FLIPPED: Final = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPPOSITE: Final = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_COMPARISONS: Final[dict[type[exp.Expression], str]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_CALCULATIONS: Final[dict[type[exp.Expression], str]] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}
_CASTS: Final[dict[object, tuple[type, tuple[str, ...]]]] = {
    exp.DType.INT: (int, ("INTEGER", "REAL", "NUMERIC")),
    exp.DType.TEXT: (str, ("TEXT",)),
}


class Condition:
    """One WHERE or ON. `certain` are the words that mean what they say (see `WORDS`)."""

    def __init__(self, tree: exp.Expression, resolve: Resolve, certain: frozenset[str]) -> None:
        self._tree = tree
        self._resolve = resolve
        self._booleans = "booleans" in certain
        self._patterns = "patterns" in certain
        self._leaves: dict[tuple[int, bool], _Leaf] = {}

    def about(self, owner: object) -> Term | None:
        """What must be true of a row of this reference; None: nothing that is known."""
        return self._demand(self._tree, False, owner)

    def _demand(self, node: exp.Expression, negated: bool, owner: object) -> Term | None:
        node, negated = _bare(node, negated)
        if isinstance(node, exp.And | exp.Or):
            parts = [self._demand(part, negated, owner) for part in _operands_of(node)]
            if isinstance(node, exp.And) is not negated:
                return conjunction([part for part in parts if part is not None])
            known = [part for part in parts if part is not None]
            return Disjunction(known) if len(known) == len(parts) else None
        key = (id(node), negated)
        if key not in self._leaves:
            self._leaves[key] = self._leaf(node, negated)
        leaf = self._leaves[key]
        return leaf[1] if leaf is not None and leaf[0] in (owner, EVERY_ROW) else None

    def _leaf(self, node: exp.Expression, negated: bool) -> _Leaf:
        operator = _COMPARISONS.get(type(node))
        if operator is not None and _says_only(node, "this", "expression"):
            return self._comparison(node, _OPPOSITE[operator] if negated else operator)
        if isinstance(node, exp.Column):
            found = self._column(node)
            return found and (found.owner, Settled(Truth(found.column, not negated), True))
        if isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ | exp.Is):
            if not _says_only(node, "this", "expression"):
                return None
            return self._identity(node, isinstance(node, exp.NullSafeNEQ) is not negated)
        if isinstance(node, exp.In) and _says_only(node, "this", "expressions"):
            return self._membership(node, negated)
        if isinstance(node, exp.Between) and _says_only(node, "this", "low", "high"):
            return self._between(node, negated)
        if isinstance(node, exp.Like | exp.Glob) and self._patterns:
            return None if negated or node.args.get("negate") else self._pattern(node)
        return None

    def _comparison(self, node: exp.Expression, operator: str) -> _Leaf:
        left, right = node.this, node.args["expression"]
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            return self._row_comparison(left, right, operator)
        found = self._column(left)
        if found is None:
            found, right, operator = self._column(right), left, _FLIPPED[operator]
        operand = found and self._operand(_without_collation(right), found.column)
        if found is None or operand is None:
            return None
        column = _collated(found.column, left, right)
        if operator == "=":
            return found.owner, Equality(column, operand)
        return found.owner, Comparison(column, operator, operand)

    def _row_comparison(self, left: exp.Tuple, right: exp.Tuple, operator: str) -> _Leaf:
        if operator not in ("=", "<>") or len(left.expressions) != len(right.expressions):
            return None
        pairs = zip(left.expressions, right.expressions, strict=True)
        leaves = [self._comparison(exp.EQ(this=a, expression=b), operator) for a, b in pairs]
        terms = [leaf[1] for leaf in leaves if leaf is not None]
        owners = {id(leaf[0]): leaf[0] for leaf in leaves if leaf is not None}
        if len(owners) != 1 or (operator == "<>" and len(terms) != len(leaves)):
            return None
        term = conjunction(terms) if operator == "=" else Disjunction(terms)
        return None if term is None else (owners.popitem()[1], term)

    def _identity(self, node: exp.Expression, negated: bool) -> _Leaf:
        left, right = node.this, node.args["expression"]
        found = self._column(left)
        plain = _without_collation(right)
        if isinstance(plain, exp.Boolean):
            # `x IS TRUE` asks whether x is true, however it is worded.
            if found is None or negated or not self._booleans:
                return None
            return found.owner, Settled(Truth(found.column, bool(plain.this)), True)
        if isinstance(right, exp.Null):
            if found is not None:
                term = NotNull(found.column) if negated else IsNull(found.column)
                return found.owner, Settled(term, negated)
            operand = self._operand(left, None)
            return None if operand is None else (EVERY_ROW, OperandIsNull(operand, negated))
        if found is None:
            found, right = self._column(right), left
        operand = found and self._operand(_without_collation(right), found.column)
        if found is None or operand is None:
            return None
        return found.owner, Identity(_collated(found.column, left, right), operand, negated)

    def _membership(self, node: exp.In, negated: bool) -> _Leaf:
        found = self._column(node.this)
        if found is None or not node.expressions:
            return None
        operands = [self._operand(item, found.column) for item in node.expressions]
        known = [operand for operand in operands if operand is not None]
        if len(known) != len(operands):
            return None
        return found.owner, Membership(found.column, known, negated)

    def _between(self, node: exp.Between, negated: bool) -> _Leaf:
        ends = (node.args["low"], ">="), (node.args["high"], "<=")
        leaves = []
        for end, operator in ends:
            pair = exp.EQ(this=node.this, expression=end)
            leaf = self._comparison(pair, _OPPOSITE[operator] if negated else operator)
            leaves.append(leaf)
        known = [leaf for leaf in leaves if leaf is not None]
        if not known or len({id(leaf[0]) for leaf in known}) != 1:
            return None
        if not negated:
            term = conjunction([leaf[1] for leaf in known])
            return None if term is None else (known[0][0], term)
        return (known[0][0], Disjunction([leaf[1] for leaf in known])) if len(known) == 2 else None

    def _pattern(self, node: exp.Like | exp.Glob) -> _Leaf:
        found = self._column(node.this)
        operand = found and self._operand(node.args["expression"], None)
        if found is None or operand is None:
            return None
        return found.owner, Pattern(found.column, operand, isinstance(node, exp.Glob))

    def _column(self, node: exp.Expression) -> Binding | None:
        node, _ = _bare(node, False, through_not=False)
        if isinstance(node, exp.Collate):
            found = self._column(node.this)
            name = _collation_name(node)
            if found is None or name is None:
                return None
            return Binding(found.owner, _with_collation(found.column, name))
        return self._resolve(node) if isinstance(node, exp.Column) else None

    def _operand(self, node: exp.Expression, column: Column | None) -> Operand | None:
        node, _ = _bare(node, False, through_not=False)
        if isinstance(node, exp.Literal):
            return Constant(node.this if node.is_string else number(node.this))
        if isinstance(node, exp.Null):
            return Constant(None)
        if isinstance(node, exp.Boolean):
            return Constant(int(node.this)) if self._booleans else None
        if isinstance(node, exp.HexString):
            return Constant(bytes.fromhex(node.this))
        if isinstance(node, exp.Placeholder):
            name = node.this
            if isinstance(name, str) and name.startswith(PARAMETER):
                return Parameter(int(name.removeprefix(PARAMETER)))
            return None
        if isinstance(node, exp.Neg):
            inner = self._operand(node.this, column)
            return inner and Negated(inner)
        operator = _CALCULATIONS.get(type(node))
        if operator is not None:
            left = self._operand(node.this, column)
            right = self._operand(node.args["expression"], column)
            return left and right and Calculated(operator, left, right)
        if isinstance(node, exp.Cast) and column is not None:
            cast = _CASTS.get(node.args["to"].this)
            inner = self._operand(node.this, column)
            # A cast has an affinity, so it may act on the column; not if they agree.
            if cast is None or inner is None or column.affinity not in cast[1]:
                return None
            return OfType(inner, cast[0])
        return None


def _bare(
    node: exp.Expression, negated: bool, through_not: bool = True
) -> tuple[exp.Expression, bool]:
    while True:
        if isinstance(node, exp.Not) and through_not:
            node, negated = node.this, not negated
        elif isinstance(node, exp.Paren):
            node = node.this
        else:
            return node, negated


def _operands_of(node: exp.Expression) -> Iterator[exp.Expression]:
    """The operands of a chain of one connective, however long."""
    kind, waiting = type(node), [node]
    while waiting:
        part = waiting.pop()
        if type(part) is kind:
            waiting += [part.args["expression"], part.this]
        else:
            yield part


def _says_only(node: exp.Expression, *names: str) -> bool:
    return all(name in names for name, value in node.args.items() if value)


def _collation_name(node: exp.Collate) -> str | None:
    name = node.args["expression"].name
    return name.upper() if isinstance(name, str) and name else None


def _with_collation(column: Column, name: str) -> Column:
    return Column(column.name, column.position, column.affinity, name, column.utf8)


def _without_collation(node: exp.Expression) -> exp.Expression:
    node, _ = _bare(node, False, through_not=False)
    return node.this if isinstance(node, exp.Collate) else node


def _collated(column: Column, left: exp.Expression, right: exp.Expression) -> Column:
    """The column with the collation of the comparison: an explicit one, the left one first.

    https://sqlite.org/datatype3.html section 7.1
    """
    for side in (left, right):
        node, _ = _bare(side, False, through_not=False)
        if isinstance(node, exp.Collate):
            name = _collation_name(node)
            return _with_collation(column, name or "?")
    return column


def demands(condition: Condition | None, owners: Sequence[object]) -> Iterator[tuple[object, Term]]:
    """What a condition demands of each of these references."""
    if condition is not None:
        for owner in owners:
            term = condition.about(owner)
            if term is not None:
                yield owner, term
