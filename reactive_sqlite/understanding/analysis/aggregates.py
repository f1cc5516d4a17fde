"""What a grouped SELECT makes of its groups: its aggregates, and the expressions over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reactive_sqlite.understanding.analysis.clauses import end_of, split, text_of, word
from reactive_sqlite.understanding.analysis.from_clause import NAMES, name_of
from reactive_sqlite.understanding.analysis.items import Item
from reactive_sqlite.understanding.analysis.lexer import Token, tokens_of
from reactive_sqlite.understanding.analysis.nested import AGGREGATES
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.understanding.analysis.shape import COLLATIONS, Shape

#: The aggregates whose results can be told from the changed rows.
KNOWN: Final = frozenset({"count", "sum", "total", "avg", "min", "max"})
# Words that are neither names nor functions, and mean the same about values as about columns.
_WORDS: Final = frozenset(
    """and as between blob case cast else end escape float glob in int integer is isnull like not
    notnull null numeric or real text then when""".split()  # noqa: SIM905
)
# Among these, a value does what a column does that has it: nothing compares.
_PLAIN: Final = frozenset({"+", "-", "*", "/", "%", "||", "(", ")", ","})


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate; ``argument`` is the place of its argument, None for ``count(*)``.

    ``distinct`` is said of a ``count`` alone.
    """

    function: str
    argument: int | None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class GroupExpression:
    """An expression over a group: one of its terms, an aggregate, or calculated of both.

    In ``text`` the aggregates are the parameters ``:a0``, ``:a1``, …, the terms ``:g0``, …, and
    the parameters of the statement ``:p1``, ….
    """

    term: int | None = None
    aggregate: int | None = None
    text: str = ""


class Grouping:
    """A grouped SELECT, understood; raises `NotUnderstoodError` when there is any doubt.

    A SELECT DISTINCT is a grouping by all its columns. Behind the terms of the GROUP BY, of which
    there are ``grouped``, stand columns that are the same in all rows of a group, as the group is
    of one row of their table.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.terms: tuple[Item, ...] = shape.group
        if shape.distinct:
            if shape.aggregated:
                raise NotUnderstoodError("DISTINCT groups")
            self.terms = shape.outputs
        self.grouped = len(self.terms)
        if any(term.collation not in COLLATIONS for term in self.terms):
            raise NotUnderstoodError("groups by a collation that is not known here")
        self.arguments: list[Item] = []
        self.aggregates: list[Aggregate] = []
        self.outputs = [self._result(item.tokens) for item in shape.outputs]
        self.order = [
            self.outputs[term.output] if term.output is not None else self._result(term.item.tokens)
            for term in shape.order
        ]
        self.first: int | None = None
        """the aggregate that says where a group comes first in the table, once it is asked for"""
        self.having: GroupExpression | None = None
        if shape.having:
            self.having = GroupExpression(text=f"({text_of(self._replaced(shape.having))}) IS TRUE")

    def order_by_first(self) -> None:
        """Groups come as they are met: by the least rowid of each."""
        rowid = self._shape.tables[0].rowid_text()
        argument = self._argument(self._shape.item(tokens_of(rowid)))
        self.aggregates.append(Aggregate("min", argument))
        self.first = len(self.aggregates) - 1

    def _result(self, tokens: Sequence[Token]) -> GroupExpression:
        term = self._term(tokens)
        if term is not None:
            return GroupExpression(term=term)
        found = self._aggregate(tokens, 0)
        if found is not None and found[1] == len(tokens):
            return GroupExpression(aggregate=found[0])
        return GroupExpression(text=text_of(self._replaced(tokens)))

    def _term(self, tokens: Sequence[Token]) -> int | None:
        item = self._shape.item(tokens)
        for place, term in enumerate(self.terms):
            if term.tokens == item.tokens or (
                item.column is not None and term.column == item.column
            ):
                return place
        if item.column is None or not self._is_of_one_row(item.column[0]):
            return None
        if item.collation not in COLLATIONS:
            raise NotUnderstoodError("a column of a collation that is not known here")
        self.terms = (*self.terms, item)
        return len(self.terms) - 1

    def _is_of_one_row(self, number: int) -> bool:
        """Whether all rows of a group come from the same row of this table, or from none."""
        table = self._shape.tables[number]
        # By another collation than that of the key, which need not be its column's, two may be
        # equal. To the rowid it is all the same.
        grouped = {
            term.column
            for term in self.terms[: self.grouped]
            if term.collation == "BINARY"
            or (term.column and term.column[1] == table.info.rowid_column)
        }
        keys = [table.identity]
        if all(table.info.columns[position].not_null for position in table.info.primary_key):
            keys.append(table.info.primary_key)
        return any(key and {(number, place) for place in key} <= grouped for key in keys)

    def _aggregate(self, tokens: Sequence[Token], start: int) -> tuple[int, int] | None:
        """The aggregate that begins here, and where it ends."""
        name = word(tokens[start])
        if name not in AGGREGATES or [t.text for t in tokens[start + 1 : start + 2]] != ["("]:
            return None
        end = end_of(tokens, start + 1)
        inside = tokens[start + 2 : end - 1]
        parts = split(inside)
        if name in ("min", "max") and len(parts) > 1:
            return None
        distinct = (
            bool(inside) and word(inside[0]) == "distinct" and name in ("count", "min", "max")
        )
        if distinct:
            inside = inside[1:]  # which extremes are not changed by
        words = {word(token) for token in inside}
        if name not in KNOWN or len(parts) != 1 or words & (AGGREGATES | {"distinct", "order"}):
            raise NotUnderstoodError("an aggregate that is not known here")
        argument = None
        if [token.text for token in inside] not in ([], ["*"]):
            argument = self._argument(self._shape.item(inside))
        elif name != "count":
            raise NotUnderstoodError("an aggregate of nothing")
        compared = distinct or name in ("min", "max")
        if compared and self.arguments[argument or 0].collation not in COLLATIONS:
            raise NotUnderstoodError("compared by a collation that is not known here")
        aggregate = Aggregate(name, argument, distinct and name == "count")
        if aggregate not in self.aggregates:
            self.aggregates.append(aggregate)
        return self.aggregates.index(aggregate), end

    def _argument(self, item: Item) -> int:
        for place, known in enumerate(self.arguments):
            if known.tokens == item.tokens:
                return place
        self.arguments.append(item)
        return len(self.arguments) - 1

    def _replaced(self, tokens: Sequence[Token], depth: int = 0) -> list[Token]:
        """The expression with aggregates and terms as parameters."""
        if depth > 8:
            raise NotUnderstoodError("aliases of aliases")
        parts: list[Token] = []
        position = 0
        while position < len(tokens):
            found = self._aggregate(tokens, position)
            if found is not None:
                parts.append(Token("variable", f":a{found[0]}"))
                position = found[1]
                continue
            token = tokens[position]
            if token.kind == "variable":
                token = Token("variable", f":p{token.text[1:]}")
            parts.append(token)
            position += 1
        followers = [token.text for token in parts[1:]] + [""]
        names = [
            token.kind in NAMES and word(token) not in _WORDS and follower != "("
            for token, follower in zip(parts, followers, strict=True)
        ]
        plain = all(
            name or token.text in _PLAIN or token.kind in ("number", "string", "variable")
            for token, name in zip(parts, names, strict=True)
        )
        result: list[Token] = []
        for token, name in zip(parts, names, strict=True):
            if token.text == ".":
                raise NotUnderstoodError("a qualified name in a calculation")
            result += self._named(token, plain, depth) if name else [token]
        return result

    def _named(self, token: Token, plain: bool, depth: int) -> list[Token]:
        term = self._term([token])
        if term is not None:
            if not plain:
                raise NotUnderstoodError("a column compared in a calculation")
            return [Token("variable", f":g{term}")]
        named = [output for output in self._shape.outputs if output.alias == name_of(token)]
        if self._shape.item([token]).column is not None or len(named) != 1:
            raise NotUnderstoodError("a column that is not grouped")
        inside = self._replaced(named[0].tokens, depth + 1)
        return [Token("operator", "("), *inside, Token("operator", ")")]
