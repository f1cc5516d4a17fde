"""The scopes of a query: which table references it has, and what its WHEREs and ONs demand of each.

The rows of a reference that surely fail a demand contribute nothing to the scope, whatever else
the query does with it (grouping, windows, LIMIT …). Under an outer join a demand counts only where
a row of NULLs would fail it too: else a failing row is missed when it goes, as it kept a row of
NULLs away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from sqlglot import exp

from reactive_sqlite.understanding.analysis.conditions import Condition
from reactive_sqlite.understanding.analysis.equalities import Fact, Pair, carried, conjuncts
from reactive_sqlite.understanding.analysis.parse import is_star, only
from reactive_sqlite.understanding.analysis.sources import ROWID_NAMES, Source, Target, Translate
from reactive_sqlite.understanding.analysis.subjects import Binding, Resolve
from reactive_sqlite.values.comparison import fold


class Group:
    """Joins in parentheses, an item of FROM."""

    def __init__(self, items: Sequence[Joined]) -> None:
        self.items = tuple(items)


Joined: TypeAlias = "tuple[Source | Group, exp.Join | None]"


class _Matched(NamedTuple):
    """The right side of a LEFT JOIN, and what is true of its rows where they are matched."""

    targets: Sequence[Target]
    conditions: Sequence[exp.Expression] = ()
    pairs: Sequence[Pair] = ()


class Scope:
    """The sources of one SELECT, joined from left to right, and the names in it.

    `parent` is the scope around a subquery, if what is true of its rows holds wherever the value
    of the subquery matters.
    """

    def __init__(
        self, select: exp.Select, certain: frozenset[str], parent: Scope | None = None
    ) -> None:
        self._select = select
        self._certain = certain
        self._parent = parent
        self._merged: dict[str, Binding | None] = {}
        self._aliases: frozenset[str] | None = None
        self._pairs: list[Pair] = []
        self._lefts: list[_Matched] = []
        self._facts: list[exp.Expression] = []
        self._joined: list[Source] = []
        self.sources: list[Source] = []
        self.targets: list[Target] = []
        self.has_outer = False
        """a RIGHT or FULL JOIN: of any source a row of NULLs may be made up"""

    def join(self, items: Sequence[Joined]) -> None:
        """Take in the sources and what ON and WHERE demand of them."""
        self.has_outer = any(
            join is not None and join.args.get("side") in ("RIGHT", "FULL")
            for _, join in _flat(items)
        )
        # A name in an ON may mean a table to its right.
        self.sources = [item for item, _ in _flat(items) if isinstance(item, Source)]
        self.targets = self._chain(items, self._facts, alone=True)
        where = self._select.args.get("where")
        if where is not None:
            only(where, "this")
            if self.has_outer:
                for mention, _ in self.targets:
                    mention.nullable = True
            self._demand(where.this, self.targets)
            self._facts += conjuncts(where.this)
        self._carry()

    def _chain(
        self, items: Sequence[Joined], facts: list[exp.Expression], alone: bool
    ) -> list[Target]:
        """Join from left to right; `facts` takes in what is true of each row of it.

        A chain that is not `alone` may as a whole make way for a row of NULLs.
        """
        seen: list[Target] = []
        for item, join in items:
            left = join is not None and join.args.get("side") == "LEFT"
            inside: list[exp.Expression] = [] if left else facts
            if isinstance(item, Group):
                targets = self._chain(item.items, inside, alone and not left)
            else:
                pairs = self._merge(item, join) if join is not None else []
                self._joined.append(item)
                targets = list(item.targets)
                if not left:
                    self._pairs += pairs if alone else ()
                elif alone:
                    self._lefts.append(_Matched(targets, pairs=pairs))
            if not left:
                seen += targets
            on = join.args.get("on") if join is not None else None
            if on is not None and not self.has_outer:
                self._demand(on, targets if left else seen)
                if not left:
                    facts += conjuncts(on)
                elif alone:
                    self._lefts.append(_Matched(targets, [*conjuncts(on), *inside]))
            if left or self.has_outer:
                for mention, _ in targets:
                    mention.nullable = True
            if left:
                seen += targets
        return seen

    def _merge(self, right: Source, join: exp.Join) -> list[Pair]:
        """The columns of USING and NATURAL JOIN: each is the one of the leftmost table."""
        names = [fold(name.name) for name in join.args.get("using") or ()]
        if join.args.get("method") == "NATURAL":
            earlier = {name for source in self._joined for name in source.columns or ()}
            names = [name for name in right.columns or () if name in earlier]
        pairs = []
        for name in names:
            having = [source for source in self._joined if name in (source.columns or ())]
            unknown = any(source.columns is None for source in (*self._joined, right))
            if name not in self._merged:
                single = len(having) == 1 and not unknown and not self.has_outer
                self._merged[name] = having[0].column(name) if single else None
            one, other = self._merged[name], right.column(name)
            if one is not None and other is not None:
                pairs.append((one, other))
        return pairs

    def _demand(self, tree: exp.Expression, targets: Sequence[Target]) -> None:
        conditions: dict[object, Condition] = {}
        for mention, translate in targets:
            condition = conditions.get(translate)
            if condition is None:
                resolve = self._translated(translate)
                condition = conditions[translate] = Condition(tree, resolve, self._certain)
            term = condition.about(mention)
            if term is not None:
                mention.demand(term)

    def _translated(self, translate: Translate | None) -> Resolve:
        if translate is None:
            return self.resolve

        def resolve(column: exp.Column) -> Binding | None:
            binding = self.resolve(column)
            return binding and translate(binding)

        return resolve

    def demand_of_groups(self, having: exp.Expression, keys: Sequence[Binding]) -> None:
        """What HAVING demands of the columns that a group has in common."""

        def resolve(column: exp.Column) -> Binding | None:
            binding = self.resolve(column)
            return binding if binding in keys else None

        condition = Condition(having, resolve, self._certain)
        for mention, _ in self.targets:
            term = condition.about(mention)
            if term is not None:
                mention.demand(term)

    # -- what is equal to a column is known of it as well ----------------------------------------

    def facts(self) -> Iterator[Fact]:
        """What is true of every row of the result, also of those around it."""
        for tree in self._facts:
            yield Fact(tree, self.resolve)
        if self._parent is not None:
            yield from self._parent.facts()

    def _carry(self) -> None:
        own = [mention for mention, translate in self.targets if translate is None]
        facts = list(self.facts())
        for mention, term in carried(own, facts, self._pairs, self._certain):
            mention.demand(term)
        for left in self._lefts:
            # A row that meets only rows which fail cannot keep a row of NULLs away.
            right = [mention for mention, translate in left.targets if translate is None]
            matched = [Fact(tree, self.resolve) for tree in left.conditions]
            found = carried(right, facts, [*self._pairs, *left.pairs], self._certain, matched)
            for mention, term in found:
                mention.demands.append(term)

    # -- names -----------------------------------------------------------------------------------

    def resolve(self, column: exp.Column) -> Binding | None:
        """What a name in this SELECT means, if it certainly is a column of one of its sources."""
        if not isinstance(column.this, exp.Identifier) or column.args.get("catalog"):
            return None
        name = fold(column.name)
        if column.args.get("table"):
            alias, database = fold(column.table), fold(column.text("db")) or None
            named = [source for source in self.sources if source.name == alias]
            if not named:
                return self._outward(column)
            if len(named) > 1 or database not in (None, named[0].database):
                return None
            return named[0].column(name)
        if any(source.columns is None for source in self.sources):
            return None
        if name in self._merged:
            return self._merged[name]
        having = [source for source in self.sources if name in (source.columns or ())]
        if len(having) == 1:
            return having[0].column(name)
        if having:
            return None
        # A bare rowid means something else as soon as there are several tables.
        found = self.sources[0].column(name) if len(self.sources) == 1 else None
        if found is not None or name in ROWID_NAMES or name in self._names_given():
            return found
        return self._outward(column)

    def _outward(self, column: exp.Column) -> Binding | None:
        return self._parent.resolve(column) if self._parent is not None else None

    def _names_given(self) -> frozenset[str]:
        if self._aliases is None:
            self._aliases = frozenset(
                fold(item.alias) for item in self._select.expressions if isinstance(item, exp.Alias)
            )
        return self._aliases

    def outputs(self) -> list[tuple[str, Binding | None]] | None:
        """The result columns, None if their names are not certain."""
        result: list[tuple[str, Binding | None]] = []
        for item in self._select.expressions:
            if is_star(item):
                starred = self._starred(item)
                if starred is None:
                    return None
                result += starred
            elif isinstance(item, exp.Column):
                result.append((fold(item.name), self.resolve(item)))
            elif isinstance(item, exp.Alias):
                plain = isinstance(item.this, exp.Column)
                result.append((fold(item.alias), self.resolve(item.this) if plain else None))
            else:
                return None
        return result

    def _starred(self, item: exp.Expression) -> list[tuple[str, Binding | None]] | None:
        if isinstance(item, exp.Star):
            joins = self._select.args.get("joins") or ()
            if any(item.args.values()) or any(
                j.args.get("using") or j.args.get("method") for j in joins
            ):
                return None
            if any(isinstance(j.this, exp.Subquery) and _is_group(j.this) for j in joins):
                return None
            chosen = self.sources
        else:
            chosen = [source for source in self.sources if source.name == fold(item.text("table"))]
            if len(chosen) != 1:
                return None
        result: list[tuple[str, Binding | None]] = []
        for source in chosen:
            if source.columns is None:
                return None
            result += source.columns.items()
        return result


def _flat(items: Sequence[Joined]) -> Iterator[Joined]:
    for item, join in items:
        yield item, join
        if isinstance(item, Group):
            yield from _flat(item.items)


def _is_group(item: exp.Subquery) -> bool:
    return isinstance(item.this, exp.Table | exp.Subquery)
