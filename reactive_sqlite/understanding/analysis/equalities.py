"""What is known of a column is known of the columns that are equal to it.

`t.id = o.t_id AND o.t_id = 5` demands `t.id = 5` too; SQLite itself reasons so
(https://sqlite.org/optoverview.html#constant_propagation), and like it only where equal values are
alike to every comparison: columns of one affinity with the collation BINARY.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from sqlglot import exp

from reactive_sqlite.understanding.analysis.conditions import Condition
from reactive_sqlite.understanding.analysis.parse import operands_of, unwrapped
from reactive_sqlite.understanding.analysis.sources import Mention, is_binary
from reactive_sqlite.understanding.analysis.subjects import Binding, Resolve
from reactive_sqlite.understanding.analysis.terms import Term
from reactive_sqlite.values.comparison import Column

Pair: TypeAlias = tuple[Binding, Binding]
"""Two columns that are equal."""

_NUMERIC: Final = frozenset({"INTEGER", "REAL", "NUMERIC"})


class Fact(NamedTuple):
    """A condition that is true of every row, and what the names in it mean."""

    tree: exp.Expression
    resolve: Resolve


def conjuncts(tree: exp.Expression) -> list[exp.Expression]:
    """The parts of a condition that must all be true."""
    tree = unwrapped(tree)
    if not isinstance(tree, exp.And):
        return [tree]
    return [part for operand in operands_of(tree) for part in conjuncts(operand)]


def carried(
    mentions: Sequence[Mention],
    facts: Sequence[Fact],
    pairs: Sequence[Pair],
    certain: frozenset[str],
    matched: Sequence[Fact] | None = None,
) -> Iterator[tuple[Mention, Term]]:
    """What the facts about other columns demand of the columns of these mentions.

    `pairs` are columns known to be equal. `matched` is true of the rows that the mentions of a
    LEFT JOIN are matched with; then the facts may be true of a row of NULLs in their place, and
    count only as far as they are not about these mentions.
    """
    if not mentions:
        return
    known = list(pairs)
    said: list[Fact] = []
    for fact in facts:
        pair = _pair(fact)
        if pair is None:
            said.append(fact)
        else:
            known.append(pair)
    known += [pair for pair in map(_pair, matched or ()) if pair is not None]
    if not known or not said:
        return
    names = [(fact, _bindings(fact)) for fact in said]
    own = {id(mention) for mention in mentions}
    for group in _classes(known):
        for mine in group:
            mention = mine.owner
            if id(mention) not in own or not isinstance(mention, Mention):
                continue
            refused = own if matched is not None else frozenset[int]()
            for fact, bindings in names:
                foreign = [b for b in bindings if b in group and b.owner is not mention]
                if not foreign:
                    continue
                term = Condition(
                    fact.tree, _as_this(fact.resolve, group, mine, refused), certain
                ).about(mention)
                if term is not None:
                    yield mention, term


def _as_this(
    resolve: Resolve, group: Sequence[Binding], mine: Binding, refused: set[int] | frozenset[int]
) -> Resolve:
    def resolved(column: exp.Column) -> Binding | None:
        binding = resolve(column)
        if binding is None or binding not in group or id(binding.owner) in refused:
            return None
        return mine

    return resolved


def _pair(fact: Fact) -> Pair | None:
    if not isinstance(fact.tree, exp.EQ):
        return None
    found = []
    for side in (fact.tree.this, fact.tree.args["expression"]):
        node = unwrapped(side)
        binding = fact.resolve(node) if isinstance(node, exp.Column) else None
        if binding is None:
            return None
        found.append(binding)
    return found[0], found[1]


def _bindings(fact: Fact) -> list[Binding]:
    found = [fact.resolve(column) for column in fact.tree.find_all(exp.Column)]
    return [binding for binding in found if binding is not None]


def _alike(one: Column, other: Column) -> bool:
    if not (is_binary(one) and is_binary(other)):
        return False
    return one.affinity == other.affinity or {one.affinity, other.affinity} <= _NUMERIC


def _classes(pairs: Sequence[Pair]) -> list[list[Binding]]:
    classes: list[list[Binding]] = []
    for one, other in pairs:
        if not _alike(one.column, other.column) or one == other:
            continue
        joined = [group for group in classes if one in group or other in group]
        merged = list(dict.fromkeys([b for group in joined for b in group] + [one, other]))
        classes = [group for group in classes if group not in joined] + [merged]
    return classes
