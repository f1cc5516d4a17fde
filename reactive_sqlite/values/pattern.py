"""Like: what a LIKE or GLOB of plain text between wildcards says of a column."""

from __future__ import annotations

from reactive_sqlite.values.change import Image
from reactive_sqlite.values.comparison import Column, fold, literal
from reactive_sqlite.values.predicate import Predicate


class Like(Predicate):
    """`column LIKE 'a%b%c'`, or GLOB: the pieces of text in this order, the first and the last
    one at the ends; with `negated` the opposite.

    Like `Prefix` it holds whatever `PRAGMA case_sensitive_like` says, and judges texts only.
    """

    __slots__ = ("_pieces", "column", "glob", "negated", "pieces")

    def __init__(
        self, column: Column, pieces: tuple[str, ...], glob: bool, negated: bool = False
    ) -> None:
        self.column = column
        self.pieces = pieces
        self.glob = glob
        self.negated = negated
        # NOT LIKE is refuted by what matches in either case.
        self._pieces = pieces if glob or negated else tuple(map(fold, pieces))

    def _identity(self) -> tuple[object, ...]:
        return (self.column, self._pieces, self.glob, self.negated)

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        value = 0 if self.column.position < 0 else image[self.column.position]
        if not isinstance(value, str) or "\0" in value:
            return value is not None
        text = value if self.glob or self.negated else fold(value)
        return self._fits(text) is not self.negated

    def _fits(self, text: str) -> bool:
        first, *middle = self._pieces
        if not middle:
            return text == first
        last = middle.pop()
        place, end = len(first), len(text) - len(last)
        if place > end or not text.startswith(first) or not text.endswith(last):
            return False
        for piece in middle:
            place = text.find(piece, place, end)
            if place < 0:
                return False
            place += len(piece)
        return True

    def __repr__(self) -> str:
        pattern = literal(("*" if self.glob else "%").join(self._pieces))
        return f"{self.column} {'NOT ' * self.negated}{'GLOB' if self.glob else 'LIKE'} {pattern}"
