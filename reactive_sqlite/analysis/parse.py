"""One SQL text → sqlglot's tree, or None; never a word on anybody's log or screen."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from reactive_sqlite.analysis.lexer import Token, rewritten

# sqlglot says what it falls back to; here nothing depends on what it does not understand.
logging.getLogger("sqlglot").disabled = True

# A parser that meets a text it was not made for fails in more ways than it declares.
FAILURES = (
    SqlglotError,
    RecursionError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    NotImplementedError,
    ArithmeticError,
)


class NotUnderstoodError(ValueError):
    """The statement has a part whose meaning is not certain; it is never seen outside."""


def parse(tokens: Sequence[Token]) -> exp.Expression:
    """The tree of one statement; raises one of `FAILURES`."""
    trees = sqlglot.parse(rewritten(tokens), dialect="sqlite")
    found = [tree for tree in trees if tree is not None]
    if len(found) != 1 or not isinstance(found[0], exp.Expression):
        raise NotUnderstoodError("not one statement")
    return found[0]


def only(node: exp.Expression, *names: str) -> None:
    """Make sure that a node says nothing but these arguments."""
    for name, value in node.args.items():
        if value and name not in names:
            raise NotUnderstoodError(f"{type(node).__name__} with {name}")


def queries_in(node: exp.Expression) -> Iterator[exp.Expression]:
    """The outermost SELECTs and compounds below a node."""
    for child in node.iter_expressions():
        if isinstance(child, exp.Select | exp.SetOperation):
            yield child
        else:
            yield from queries_in(child)
