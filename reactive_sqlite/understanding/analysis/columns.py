"""Which columns of a view, or of a query in FROM, are asked for from outside.

SQLite names every column that a view reads, also for results that nobody looks at. What a text does
not spell it does not ask for; so this goes by names alone, and only where leaving a result out
changes nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlglot import exp

from reactive_sqlite.understanding.analysis.clauses import word
from reactive_sqlite.understanding.analysis.lexer import Token
from reactive_sqlite.understanding.analysis.parse import children, is_star
from reactive_sqlite.understanding.analysis.selects import is_row_by_row
from reactive_sqlite.understanding.analysis.sources import LOST_NAMES
from reactive_sqlite.values.comparison import fold


class Wanted(NamedTuple):
    """The names that the text around spells, and the names it has for the columns, if others."""

    names: frozenset[str]
    renamed: tuple[str, ...] = ()


def unspelled(tokens: Sequence[Token], tree: exp.Expression) -> frozenset[str]:
    """The words of a text that are no names in its tree.

    They may be names all the same: ``true`` is a column where there is one.
    """
    words = Counter(map(word, tokens))
    for name in tree.find_all(exp.Identifier):
        if not name.args.get("quoted"):
            words[fold(name.name)] -= 1
    return frozenset(name for name, times in words.items() if times > 0)


def spelled(
    select: exp.Select, wanted: Wanted | None, unsure: Callable[[], frozenset[str]]
) -> frozenset[str] | None:
    """The names by which a SELECT can ask its sources for columns; None: for all of them.

    ``unsure`` gives those that may be spelled although they are not in the tree.
    """
    items = select.expressions
    starred = [item for item in items if is_star(item)]
    # NATURAL JOIN asks for columns without a name.
    if any(join.args.get("method") for join in select.find_all(exp.Join)):
        return None
    if starred and wanted is None:
        return None
    rest = {*unsure(), *LOST_NAMES}  # they are asked for by others
    for name, value in select.args.items():
        for part in value if isinstance(value, list) else [value]:
            if name not in ("expressions", "with_") and isinstance(part, exp.Expression):
                rest |= _names(part)
    if wanted is None or not _are_separate(select):
        if starred:
            return None
        return frozenset(rest.union(*map(_names, items)))
    if starred:
        if wanted.renamed:
            return None
        rest |= wanted.names
    found = set(rest)
    for place, item in enumerate(items):
        # Any other expression is called by its text.
        name = fold(item.alias_or_name) if isinstance(item, exp.Alias | exp.Column) else ""
        if wanted.renamed:
            known = place < len(wanted.renamed)
            asked = not known or wanted.renamed[place] in wanted.names
        else:
            asked = not name or name in wanted.names
        if asked or name in rest:
            found |= _names(item)
    return frozenset(found)


def _are_separate(select: exp.Select) -> bool:
    """Whether each result is of one row and stands for itself."""
    if any(select.args.get(name) for name in ("distinct", "group", "having", "windows")):
        return False
    order = select.args.get("order")
    # What names no column may be the place of a result: `2`, `+2`, `(2)`, `2 COLLATE NOCASE`.
    if order is not None and any(term.find(exp.Column) is None for term in order.expressions):
        return False
    return all(is_row_by_row(item) for item in select.expressions)


def _names(tree: exp.Expression) -> set[str]:
    names: set[str] = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.Identifier) or (isinstance(node, exp.Literal) and node.is_string):
            # Of two results with one name SQLite calls the second `name:1`.
            names |= {fold(node.name), fold(node.name.partition(":")[0])}
        else:
            # One in a subquery may ask those around that.
            waiting += [p for p in children(node) if node is not tree or not _is_apart(node, p)]
    return names


def _is_apart(node: exp.Expression, part: exp.Expression) -> bool:
    """Whether this is a query in FROM, which cannot ask those beside it."""
    if part is not node.args.get("this") or not isinstance(node, exp.From | exp.Join):
        return False
    return isinstance(part, exp.Subquery) and isinstance(part.this, exp.Select | exp.SetOperation)
