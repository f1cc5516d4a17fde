"""A SELECT cut into its clauses, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reactive_sqlite.understanding.analysis.lexer import Token
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.values.comparison import fold

#: The kind of a token that stands for ``(SELECT …)``.
SUBQUERY: Final = "subquery"
_WORDS = ("from", "where", "group", "having", "order", "limit")
# What makes another scope, another order, or a value that is not a value of the row alone.
_UNKNOWN: Final = frozenset(
    """with union intersect except values over window filter exists using natural right full raise
    indexed within likely unlikely likelihood subtype""".split()  # noqa: SIM905
)


def text_of(tokens: Sequence[Token]) -> str:
    """Tokens as SQL."""
    return " ".join(token.text for token in tokens)


def split(tokens: Sequence[Token]) -> list[list[Token]]:
    """Cut at the commas that stand outside parentheses."""
    parts: list[list[Token]] = [[]]
    for depth, token in depths(tokens):
        if token.text == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def word(token: Token) -> str:
    """A bare word in lower case, empty for everything else."""
    return fold(token.text) if token.kind == "word" else ""


def words_of(tokens: Sequence[Token]) -> list[str]:
    """The words of one plain SELECT, subqueries collapsed; empty for what is no word."""
    words = [word(token) for token in tokens]
    if words[:1] != ["select"] or words.count("select") != 1:
        raise NotUnderstoodError("not one SELECT")
    if not _UNKNOWN.isdisjoint(words):
        raise NotUnderstoodError("a clause that is not known here")
    if any(
        name == "in" and after.text != "(" for name, after in zip(words, tokens[1:], strict=False)
    ):
        raise NotUnderstoodError("IN a table")
    return words


def depths(tokens: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """Each token with the number of parentheses around it."""
    depth = 0
    for token in tokens:
        if token.text == ")":
            depth -= 1
        yield depth, token
        if token.text == "(":
            depth += 1


def end_of(tokens: Sequence[Token], start: int) -> int:
    """The place behind the parenthesis that closes the one at ``start``."""
    depth = 0
    for position in range(start, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[position].text, 0)
        if not depth:
            return position + 1
    raise NotUnderstoodError("an open parenthesis")


def clauses_of(tokens: Sequence[Token]) -> dict[str, list[Token]]:
    """Cut at the reserved words outside parentheses, each of which may stand once, in order."""
    expected = list(_WORDS)
    current: list[Token] = []
    clauses = {"select": current}
    before = ""
    for depth, token in depths(tokens):
        name = word(token)
        if (
            not depth
            and name in ("from", *expected)
            and not (name == "from" and before == "distinct")
        ):
            if name not in expected:
                raise NotUnderstoodError(f"{name} in an unknown place")
            del expected[: expected.index(name) + 1]
            current = clauses[name] = []
        else:
            current.append(token)
        before = name
    for name in ("group", "order"):
        if name in clauses:
            if word(clauses[name][0] if clauses[name] else Token("", "")) != "by":
                raise NotUnderstoodError(f"{name} without BY")
            del clauses[name][0]
    if "from" not in clauses or not all(clauses.values()):
        raise NotUnderstoodError("an empty clause, or no table")
    return clauses


def limit_of(tokens: list[Token]) -> tuple[Token | None, Token | None]:
    """LIMIT and OFFSET, each a number or a parameter."""
    if not tokens:
        return None, None
    if not all(token.kind in ("number", "variable") for token in tokens[::2]):
        raise NotUnderstoodError("a LIMIT to be calculated")
    if len(tokens) == 1:
        return tokens[0], None
    if len(tokens) == 3 and word(tokens[1]) == "offset":
        return tokens[0], tokens[2]
    if len(tokens) == 3 and tokens[1].text == ",":
        return tokens[2], tokens[0]
    raise NotUnderstoodError("a LIMIT to be calculated")
