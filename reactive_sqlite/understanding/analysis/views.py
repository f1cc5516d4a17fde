"""A `CREATE VIEW` taken apart: its query, and the names it gives to the columns."""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp

from reactive_sqlite.understanding.analysis.clauses import depths, split, word
from reactive_sqlite.understanding.analysis.lexer import Token, string_value, tokens_of
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError, parse
from reactive_sqlite.values.comparison import fold


class View(NamedTuple):
    """The query of a view, and the folded names of its columns; none if the query names them."""

    query: exp.Expression
    tokens: list[Token]
    names: list[str]


def parse_view(sql: str) -> View:
    """The view that this text makes; raises one of `FAILURES`."""
    tokens = tokens_of(sql)
    places = [
        n for n, (depth, token) in enumerate(depths(tokens)) if not depth and word(token) == "as"
    ]
    # A bare AS is no name: the first one begins the query.
    if not places:
        raise NotUnderstoodError("a view that is none")
    start, names = places[0], []
    if tokens[start - 1].text == ")":
        opening = max(n for n, token in enumerate(tokens[:start]) if token.text == "(")
        for part in split(tokens[opening + 1 : start - 1]):
            if len(part) != 1 or part[0].kind not in ("word", "quoted", "string"):
                raise NotUnderstoodError("something else than the name of a column")
            names.append(fold(part[0].text if part[0].kind == "word" else string_value(part[0])))
    body = tokens[start + 1 :]
    return View(parse(body), body, names)
