"""WHERE and ON → templates: what a condition demands of each table reference on its own.

NOT is pushed down to the comparisons, so the parts that are about other references, or are not
understood, can be taken for true without making the rest wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlglot import exp

from reactive_sqlite.understanding.analysis.choices import Branch, branches_of
from reactive_sqlite.understanding.analysis.leaves import (
    Leaf,
    compared,
    equal_to,
    identical,
    tested,
    together,
)
from reactive_sqlite.understanding.analysis.operands import Operand, Stored, operand_of
from reactive_sqlite.understanding.analysis.parse import operands_of, unwrapped
from reactive_sqlite.understanding.analysis.patterns import Pattern
from reactive_sqlite.understanding.analysis.subjects import (
    EVERY_ROW,
    FLIPPED,
    Resolve,
    Subject,
    Subjects,
    collation_of,
    without_collation,
)
from reactive_sqlite.understanding.analysis.terms import (
    Conjunction,
    Disjunction,
    Membership,
    Settled,
    Term,
    conjunction,
)
from reactive_sqlite.values.comparison import Column, Recased
from reactive_sqlite.values.predicate import IsNull, NotNull, Truth

WORDS: Final = frozenset({"booleans", "patterns", "functions"})
"""TRUE and FALSE, which may be columns; LIKE and GLOB, and the functions that are looked into,
which the application may have replaced."""

_OPPOSITE: Final = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_COMPARISONS: Final[dict[type[exp.Expression], str]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


class Condition:
    """One WHERE or ON. `certain` are the words that mean what they say (see `WORDS`)."""

    def __init__(self, tree: exp.Expression, resolve: Resolve, certain: frozenset[str]) -> None:
        self._tree = tree
        self._booleans = "booleans" in certain
        self._patterns = "patterns" in certain
        self._subjects = Subjects(resolve, self._booleans, "functions" in certain)
        self._leaves: dict[tuple[int, bool], Leaf] = {}
        self._branches: dict[int, list[Branch]] = {}

    def about(self, owner: object) -> Term | None:
        """What must be true of a row of this reference; None: nothing that is known."""
        return self._demand(self._tree, False, owner)

    def _demand(self, node: exp.Expression, negated: bool, owner: object) -> Term | None:
        node = unwrapped(node)
        while isinstance(node, exp.Not):
            node, negated = unwrapped(node.this), not negated
        if isinstance(node, exp.And | exp.Or):
            parts = [self._demand(part, negated, owner) for part in operands_of(node)]
            if isinstance(node, exp.And) is not negated:
                return conjunction([part for part in parts if part is not None])
            known = [part for part in parts if part is not None]
            return Disjunction(known) if len(known) == len(parts) else None
        if isinstance(node, exp.Anonymous) and self._subjects.is_hint(node):
            return self._demand(node.expressions[0], negated, owner)
        made = self._branches.get(id(node))
        if made is None:
            made = self._branches[id(node)] = branches_of(node)
        if made:
            return self._chosen(made, negated, owner)
        key = (id(node), negated)
        if key not in self._leaves:
            self._leaves[key] = self._leaf(node, negated)
        leaf = self._leaves[key]
        return leaf[1] if leaf is not None and leaf[0] in (owner, EVERY_ROW) else None

    def _leaf(self, node: exp.Expression, negated: bool) -> Leaf:
        operator = _COMPARISONS.get(type(node))
        if operator is not None and _says_only(node, "this", "expression"):
            left, right = node.this, node.args["expression"]
            return self._comparison(left, right, _OPPOSITE[operator] if negated else operator)
        if isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ | exp.Is):
            if not _says_only(node, "this", "expression"):
                return None
            return self._identity(node, isinstance(node, exp.NullSafeNEQ) is not negated)
        if isinstance(node, exp.In) and _says_only(node, "this", "expressions"):
            return self._membership(node, negated)
        if isinstance(node, exp.Between) and _says_only(node, "this", "low", "high"):
            return self._between(node, negated)
        if isinstance(node, exp.Like | exp.Glob | exp.Escape):
            return self._pattern(node, negated) if self._patterns else None
        subject = self._subjects.of(node)
        # A constant that is no number is a condition of its own sort.
        return subject and tested(subject, lambda column: Settled(Truth(column, not negated), True))

    def _comparison(self, left: exp.Expression, right: exp.Expression, operator: str) -> Leaf:
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            return self._row_comparison(left.expressions, right.expressions, operator)
        # A column on either side, then an expression with one, then constants alone.
        sides = ((left, right, operator), (right, left, FLIPPED[operator]))
        for one, other, as_seen in sides:
            subject = self._subjects.of(one)
            if subject is None or subject.owner is EVERY_ROW:
                continue
            operand = operand_of(without_collation(other), subject.column, self._booleans)
            return self._compared(subject, as_seen, operand, left, right) if operand else None
        for one, other, as_seen in sides:
            operand = operand_of(other, None, self._booleans)
            solved = operand and self._subjects.solved(one, as_seen, operand)
            if solved:
                return solved.owner, compared(solved.column, solved.operator, solved.operand)
        subject = self._subjects.of(left)
        operand = operand_of(without_collation(right), None, self._booleans)
        if subject is None or operand is None:
            return None
        return self._compared(subject, operator, operand, left, right)

    def _compared(
        self,
        subject: Subject,
        operator: str,
        operand: Operand,
        left: exp.Expression,
        right: exp.Expression,
    ) -> Leaf:
        collation = collation_of(left, right)
        if collation is not None and type(subject.column) is not Column:
            return None
        return tested(
            subject, lambda column: compared(column.collated(collation), operator, operand)
        )

    def _row_comparison(
        self, left: Sequence[exp.Expression], right: Sequence[exp.Expression], operator: str
    ) -> Leaf:
        if len(left) != len(right):
            return None
        pairs = list(zip(left, right, strict=True))
        if operator in ("=", "<>"):
            return together([self._comparison(*pair, operator) for pair in pairs], operator == "=")
        # The first pair that differs decides: a < x OR (a = x AND (b, …) < (y, …)).
        first = pairs[0]
        if len(pairs) == 1:
            return self._comparison(*first, operator)
        strictly = self._comparison(*first, operator[0])
        equal = self._comparison(*first, "=")
        if strictly is None or equal is None:
            return None
        rest = self._row_comparison(left[1:], right[1:], operator)
        behind = [equal[1]]
        if rest is not None and rest[0] in (strictly[0], EVERY_ROW):
            behind.append(rest[1])
        return strictly[0], Disjunction([strictly[1], Conjunction(behind)])

    def _identity(self, node: exp.Expression, negated: bool) -> Leaf:
        left, right = node.this, node.args["expression"]
        plain = without_collation(right)
        if isinstance(plain, exp.Boolean):
            # `x IS TRUE` asks whether x is true, however it is worded.
            subject = self._subjects.of(left)
            if subject is None or negated or not self._booleans:
                return None
            wanted = bool(plain.this)
            return tested(subject, lambda column: Settled(Truth(column, wanted), True))
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            if len(left.expressions) != len(right.expressions):
                return None
            pairs = zip(left.expressions, right.expressions, strict=True)
            return together(
                [self._identity(exp.Is(this=a, expression=b), negated) for a, b in pairs],
                not negated,
            )
        if isinstance(right, exp.Null):
            subject = self._subjects.of(left)
            return subject and tested(
                subject,
                lambda column: Settled((NotNull if negated else IsNull)(column), negated),
            )
        collation = collation_of(left, right)
        for one, other in ((left, right), (right, left)):
            subject = self._subjects.of(one)
            operand = subject and operand_of(
                without_collation(other), subject.column, self._booleans
            )
            if subject and operand:
                if collation is not None and type(subject.column) is not Column:
                    return None
                return tested(subject, partial(identical, operand, negated, collation))
        return None

    def _membership(self, node: exp.In, negated: bool) -> Leaf:
        items = list(node.expressions)
        stored = False
        if len(items) == 1 and isinstance(items[0], exp.Values):
            if not _says_only(items[0], "expressions"):
                return None
            items, stored = list(items[0].expressions), True
            if not isinstance(node.this, exp.Tuple):
                if any(len(item.expressions) != 1 for item in items):
                    return None
                items = [item.expressions[0] for item in items]
        if isinstance(node.this, exp.Tuple):
            if negated or not all(isinstance(item, exp.Tuple) for item in items):
                return None
            return together([self._stored_row(node.this, item) for item in items], every=False)
        subject = self._subjects.of(node.this)
        if subject is None or not items:
            return None
        operands = [operand_of(item, subject.column, self._booleans) for item in items]
        known = [operand for operand in operands if operand is not None]
        if len(known) != len(operands):
            return None
        found = [Stored(operand) for operand in known] if stored else known
        return tested(subject, lambda column: Membership(column, found, negated))

    def _stored_row(self, left: exp.Tuple, right: exp.Tuple) -> Leaf:
        """`(a, b)` is this row of a VALUES."""
        if len(left.expressions) != len(right.expressions):
            return None
        leaves: list[Leaf] = []
        for one, other in zip(left.expressions, right.expressions, strict=True):
            subject = self._subjects.of(one)
            operand = subject and operand_of(other, subject.column, self._booleans)
            if subject and operand and subject.owner is not EVERY_ROW:
                leaves.append(tested(subject, partial(equal_to, Stored(operand))))
        return together(leaves, every=True)

    def _between(self, node: exp.Between, negated: bool) -> Leaf:
        ends = (node.args["low"], ">="), (node.args["high"], "<=")
        leaves = [
            self._comparison(node.this, end, _OPPOSITE[operator] if negated else operator)
            for end, operator in ends
        ]
        return together(leaves, not negated)

    def _pattern(self, node: exp.Expression, negated: bool) -> Leaf:
        escape: Operand | None = None
        if isinstance(node, exp.Escape):
            escape = operand_of(node.args["expression"], None, self._booleans)
            node = node.this
            if escape is None or not isinstance(node, exp.Like):
                return None
        if not _says_only(node, "this", "expression", "negate"):
            return None
        negated = bool(node.args.get("negate")) is not negated
        glob = isinstance(node, exp.Glob)
        subject = self._subjects.of(node.this)
        operand = operand_of(node.args["expression"], None, self._booleans)
        if subject is None or operand is None or subject.owner is EVERY_ROW:
            return None
        # What a pattern says of lower(x) it says of x, but only if it does not ask for case.
        if isinstance(subject.column, Recased) and (glob or negated):
            return None
        return tested(subject, lambda column: Pattern(column, operand, glob, escape, negated))

    def _chosen(self, made: Sequence[Branch], negated: bool, owner: object) -> Term | None:
        """One of the branches is taken: its condition is true, and its result satisfies this."""
        found: list[Term] = []
        for asked, outcome in made:
            leaf = self._leaf(outcome, negated)
            terms = [] if leaf is None or leaf[0] is not EVERY_ROW else [leaf[1]]
            demand = None if asked is None else self._demand(asked, False, owner)
            if demand is not None:
                terms.append(demand)
            term = conjunction(terms)
            if term is None:
                return None
            found.append(term)
        return Disjunction(found)


def _says_only(node: exp.Expression, *names: str) -> bool:
    return all(name in names for name, value in node.args.items() if value)
