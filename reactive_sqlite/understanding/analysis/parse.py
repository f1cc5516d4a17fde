"""One query → sqlglot's tree; never a word on anybody's log or screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

from reactive_sqlite.understanding.analysis.lexer import Token, rewritten
from reactive_sqlite.values.comparison import fold

_SQLITE: Final = Dialect.get_or_raise("sqlite")
# sqlglot warns of two things: of JSON paths that it cannot read, unless told not to, and of
# statements that it does not know, but only queries come here. So its logger stays as it is.
_SQLITE.STRICT_JSON_PATH_SYNTAX = False

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
    """The tree of one query; raises one of `FAILURES`."""
    if not tokens or fold(tokens[0].text) not in ("select", "with", "values"):
        raise NotUnderstoodError("not a query")
    trees = _SQLITE.parse(rewritten(tokens))
    found = [tree for tree in trees if tree is not None]
    if len(found) != 1 or not isinstance(found[0], exp.Expression):
        raise NotUnderstoodError("not one statement")
    return found[0]


def only(node: exp.Expression, *names: str) -> None:
    """Make sure that a node says nothing but these arguments."""
    for name, value in node.args.items():
        if value and name not in names:
            raise NotUnderstoodError(f"{type(node).__name__} with {name}")


class Survey(NamedTuple):
    """What is found in a tree at one walk."""

    tables: set[int]
    """the `id` of each mention of a table"""
    queries: int
    """SELECTs"""
    has_booleans: bool


def survey(tree: exp.Expression) -> Survey:
    """Walk a tree once."""
    tables: set[int] = set()
    queries, booleans = 0, False
    waiting: list[exp.Expression] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.Table):
            tables.add(id(node))
        elif isinstance(node, exp.Select):
            queries += 1
        elif isinstance(node, exp.Boolean):
            booleans = True
        waiting += children(node)
    return Survey(tables, queries, booleans)


def children(node: exp.Expression) -> list[exp.Expression]:
    """The nodes right below."""
    found = []
    for value in node.args.values():
        if isinstance(value, exp.Expression):
            found.append(value)
        elif type(value) is list:
            found += [item for item in value if isinstance(item, exp.Expression)]
    return found


def queries_in(node: exp.Expression) -> list[exp.Expression]:
    """The outermost SELECTs and compounds in a tree."""
    found: list[exp.Expression] = []
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, exp.Select | exp.SetOperation):
            found.append(part)
        else:
            waiting += reversed(children(part))
    return found


def operands_of(node: exp.Expression) -> Iterator[exp.Expression]:
    """The operands of a chain of one connective, however long."""
    kind, waiting = type(node), [node]
    while waiting:
        part = waiting.pop()
        if type(part) is kind:
            waiting += [part.args["expression"], part.this]
        else:
            yield part


def is_star(item: exp.Expression) -> bool:
    """Whether a result column is `*` or `t.*`."""
    return isinstance(item, exp.Star) or (
        isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
    )


def unwrapped(node: exp.Expression) -> exp.Expression:
    """What stands inside parentheses."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node
