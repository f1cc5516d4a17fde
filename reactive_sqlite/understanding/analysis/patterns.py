"""LIKE and GLOB: the template of what a pattern demands of a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reactive_sqlite.understanding.analysis.operands import Operand
from reactive_sqlite.understanding.analysis.terms import OfColumn
from reactive_sqlite.values.comparison import Column
from reactive_sqlite.values.pattern import Like
from reactive_sqlite.values.predicate import ALWAYS, NEVER, NotNull, Predicate, Prefix, all_of


class Pattern(OfColumn):
    """`column LIKE operand`, or GLOB, or NOT: judged as far as it is texts between `%`, or `*`."""

    __slots__ = ("escape", "glob", "negated", "operand")

    def __init__(
        self,
        column: Column,
        operand: Operand,
        glob: bool,
        escape: Operand | None = None,
        negated: bool = False,
    ) -> None:
        self.column = column
        self.operand = operand
        self.glob = glob
        self.escape = escape
        self.negated = negated

    def bind(self, values: Sequence[Any]) -> Predicate:
        pattern = self.operand.value(values)
        escape = "" if self.escape is None else self.escape.value(values)
        column, glob = self.column, self.glob
        if pattern is None or (escape is None and type(pattern) is str):
            # A blob is LIKE nothing, and that is known even of NULL, if SQLite is built with
            # https://sqlite.org/compile.html#like_doesnt_match_blobs
            return NotNull(column) if self.negated else NEVER
        if type(pattern) is not str or type(escape) is not str or "\0" in pattern:
            return ALWAYS
        pieces, complete = _pieces(pattern, "*" if glob else "%", "?[" if glob else "_", escape)
        first = pieces[0]
        if self.negated:
            return Like(column, pieces, glob, True) if complete else NotNull(column)
        prefix: Predicate = Prefix(column, first, glob) if first else NotNull(column)
        if not complete or pieces in ((first, ""), ("", "")):
            return prefix
        return all_of((prefix, Like(column, pieces, glob)))


def _pieces(pattern: str, many: str, odd: str, escape: str) -> tuple[tuple[str, ...], bool]:
    """The texts between the wildcards for any text, as far as there is nothing odd among them."""
    pieces = [""]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            # At the end of the pattern it makes that nothing matches.
            literal = next(characters, None)
            if literal is None:
                return tuple(pieces), False
            pieces[-1] += literal
        elif character == many:
            pieces.append("")
        elif character in odd:
            return tuple(pieces), False
        else:
            pieces[-1] += character
    # Several wildcards side by side are one.
    inner = [piece for piece in pieces[1:-1] if piece]
    return tuple(pieces[:1] + inner + pieces[-1:] if len(pieces) > 1 else pieces), True
