"""Keeps groups of rows: counts, sums, averages, extremes, and distinct rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from reactive_sqlite.liveness.incremental.accumulators import Accumulators, Argument, Group
from reactive_sqlite.liveness.incremental.contributions import Contributions
from reactive_sqlite.liveness.incremental.difference import (
    Edits,
    Entry,
    edited,
    ordered_step,
    window_step,
)
from reactive_sqlite.liveness.incremental.ordered import OrderedRows
from reactive_sqlite.liveness.incremental.rows import Slice
from reactive_sqlite.liveness.incremental.scratch import Scratch
from reactive_sqlite.liveness.incremental.sortkey import Direction, Key, SortKeys
from reactive_sqlite.liveness.incremental.step import Deferred, NotMaintainable, Step
from reactive_sqlite.liveness.incremental.texts import Read, taken_by
from reactive_sqlite.understanding.analysis.aggregates import GroupExpression, Grouping
from reactive_sqlite.understanding.analysis.clauses import text_of
from reactive_sqlite.understanding.analysis.shape import Shape
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.delta import same_rows
from reactive_sqlite.values.row import Row


class GroupsMaintainer:
    """The groups of one SELECT.

    ``in_order`` says that SQLite goes through the rows of a group in the order of their rowids,
    as it does for a group that is asked for alone; else nothing may depend on that order.
    ``keeps`` says that the values of extremes are kept, so that it is not asked when one has gone.
    ``ties`` are the directions of the terms in which groups come that the ORDER BY leaves equal.
    """

    def __init__(
        self,
        shape: Shape,
        grouping: Grouping,
        params: Sequence[Any],
        make: Callable[[Iterable[Any]], Row],
        window: Slice | None,
        contributions: Contributions,
        scratch: Scratch,
        *,
        keeps: bool,
        in_order: bool,
        ties: Sequence[Direction],
    ) -> None:
        self.tables = frozenset(table.info.key for table in shape.tables)
        self._shape = shape
        self._grouping = grouping
        self._params = tuple(params)
        self._make = make
        self._window = window
        self._contributions = contributions
        self._scratch = scratch
        self._keeps = keeps
        self._in_order = in_order
        self._terms = SortKeys([Direction(collation=t.collation or "") for t in grouping.terms])
        self._ties = SortKeys(ties)
        self._order = SortKeys(
            [Direction(t.descending, t.nulls_first, t.collation) for t in shape.order]
        )
        self._accumulators = Accumulators(
            grouping.aggregates, [item.collation for item in grouping.arguments], keeps=keeps
        )
        self._named = {f"p{n}": value for n, value in enumerate(self._params, 1)}
        self._expressions = [*grouping.outputs, *grouping.order]
        if grouping.having is not None:
            self._expressions.append(grouping.having)
        texts = [e.text for e in self._expressions if e.text]
        self._calculation = f"SELECT {', '.join(texts)}" if texts else ""
        self._groups: dict[Key, Group] = {}
        self._entries: dict[Key, Entry] = {}
        self._rows = OrderedRows.of((), ())
        self._shown: tuple[Row, ...] = ()
        self._size = 0

    # -- from scratch ---------------------------------------------------------------------------

    def seed(self, read: Read) -> None:
        """Run the whole query, and once more for what is kept of its groups."""
        fresh = read(self._shape.text, self._params)
        self._groups = {}
        if self._keeps:
            self._count_all(read)
        else:
            query = groups_text(self._shape, self._grouping)
            for values in read(query, taken_by(query, self._params)):
                group = self._group(values)
                self._groups[self._terms.one(group.terms)] = group
        for key, group in [*self._groups.items()]:
            if self._accumulators.must_ask(group):
                if not (self._in_order and group.terms):
                    raise NotMaintainable("a sum of floats, which depends on the order of the rows")
                if self._keeps:
                    self._ask(key, group, read)
        self._size = sum(group.rows for group in self._groups.values())
        made = {key: self._entry(group) for key, group in self._groups.items()}
        self._entries = {key: entry for key, entry in made.items() if entry is not None}
        entries = sorted(self._entries.values(), key=lambda entry: entry.key)
        self._rows = OrderedRows.of([e.key for e in entries], [e.row for e in entries])
        rows = self._rows.values(*(self._window or (0, None)))
        # SQLite's own answer is the proof that everything was understood.
        if not same_rows(tuple(map(tuple, rows)), tuple(fresh)):
            raise NotMaintainable("the groups make another answer than the query")
        self._shown = rows if self._window is not None else ()

    def _count_all(self, read: Read) -> None:
        width = len(self._grouping.terms)
        given = self._contributions.every(read)
        keys: Sequence[Key] = [()] * len(given)
        if width and given:
            keys = self._terms.many(list(zip(*given, strict=True))[:width])
        members: dict[Key, list[tuple[Any, ...]]] = {} if width else {(): []}
        for key, values in zip(keys, given, strict=True):
            members.setdefault(key, []).append(values)
        for key, rows in members.items():
            heads = [values[:width] for values in rows]
            terms = heads[0] if heads else ()
            if not same_rows(heads[1:], heads[:-1]) or _has_zero(terms):
                raise NotMaintainable("a group of values that are equal and not the same")
            self._groups[key] = group = self._accumulators.empty(terms)
            width_of_all = width + len(group.arguments)
            self._accumulators.fill(group, [values[width:width_of_all] for values in rows])

    def _group(self, values: tuple[Any, ...]) -> Group:
        terms: list[Any] = []
        place = 0
        for _ in self._grouping.terms:
            value, kind, other, least, most = values[place : place + 5]
            if kind != other or least != most or (value == 0 and type(value) is float):
                raise NotMaintainable("a group of values that are equal and not the same")
            terms.append(value)
            place += 5
        rows = values[place]
        place += 1
        arguments = []
        for _ in self._grouping.arguments:
            present, integers, total, magnitude = values[place : place + 4]
            arguments.append(Argument(present, integers, total or 0, int(magnitude * 1.001) + 1))
            place += 4
        return Group(tuple(terms), rows, arguments, list(values[place:]))

    def rows(self) -> Deferred | tuple[Row, ...]:
        """The rows of the result now."""
        return self._shown if self._window is not None else Deferred(self._rows.values)

    def edge(self) -> Row | None:
        """None: all groups are kept."""
        return None

    # -- from the changes -----------------------------------------------------------------------

    def apply(self, change: ChangeSet, read: Read) -> Step:
        """The next state. Raises `NotMaintainable`; the state is of no use then."""
        touched: dict[Key, Group] = {}
        come, gone = self._contributions.changed(change, read, self._size)
        for values in come:
            self._count(values, touched, come=True)
        for values in gone:
            self._count(values, touched, come=False)
        edits: Edits = []
        for key, group in touched.items():
            if self._accumulators.must_ask(group):
                group = self._ask(key, group, read)
            before, after = self._entries.get(key), self._entry(group)
            if after is None:
                self._entries.pop(key, None)
            if not group.rows and self._grouping.terms:
                del self._groups[key]
            if before is not None and after is not None:
                if same_rows((before.row,), (after.row,)):
                    if before.key == after.key:
                        continue
                    after = Entry(after.key, before.row)
            elif before is after:
                continue
            if after is not None:
                self._entries[key] = after
            edits.append((before, after))
        if not edits:
            return Step(self.rows(), None)
        old = self._rows
        self._rows = new = edited(old, edits)
        if self._window is None:
            return ordered_step(old, new, edits)
        was, self._shown = self._shown, new.values(*self._window)
        return window_step(was, self._shown, edits)

    def _count(self, values: tuple[Any, ...], touched: dict[Key, Group], *, come: bool) -> None:
        width = len(self._grouping.terms)
        terms = values[:width]
        key = self._terms.one(terms)
        group = self._groups.get(key)
        if group is None:
            if not come:
                raise NotMaintainable("a row has gone from a group that is not known")
            group = self._groups[key] = self._accumulators.empty(terms)
        if not same_rows((group.terms,), (terms,)) or _has_zero(terms):
            raise NotMaintainable("a group of values that are equal and not the same")
        touched[key] = group
        self._size += 1 if come else -1
        if come:
            self._accumulators.add(group, values[width : width + len(group.arguments)])
        else:
            self._accumulators.remove(group, values[width : width + len(group.arguments)])

    def _ask(self, key: Key, group: Group, read: Read) -> Group:
        if group.rows == 0 and self._grouping.terms:
            return group
        if not self._in_order:
            raise NotMaintainable("a result that depends on the order of the rows")
        first = len(self._params) + 1
        condition = " AND ".join(
            f"({term.text}) IS ?{first + n}" for n, term in enumerate(self._grouping.terms)
        )
        # All of the parameters are there if there is one behind them.
        query = groups_text(self._shape, self._grouping, condition or f"?{first}")
        found = read(query, (*self._params, *(group.terms or (1,))))
        if len(found) != 1:
            raise NotMaintainable("a group that SQLite does not find")
        self._groups[key] = fresh = self._group(found[0])
        for argument, before in zip(fresh.arguments, group.arguments, strict=True):
            argument.values = before.values
        return fresh

    def _entry(self, group: Group) -> Entry | None:
        """The row of a group, None when it has none."""
        if not group.rows and self._grouping.terms:
            return None
        results = self._accumulators.results(group)
        calculated = iter(self._calculated(group, results))
        values = [self._value(e, group, results, calculated) for e in self._expressions]
        if self._grouping.having is not None and not values.pop():
            return None
        width = len(self._grouping.outputs)
        first = self._grouping.first
        tie = self._ties.one(group.terms[: self._grouping.grouped])
        if first is not None:
            tie = (results[first],)
        return Entry(self._order.one(values[width:], tie), self._make(values[:width]))

    def _calculated(self, group: Group, results: list[Any]) -> tuple[Any, ...]:
        if not self._calculation:
            return ()
        params: dict[str, Any] = dict(self._named)
        params |= {f"a{n}": value for n, value in enumerate(results)}
        params |= {f"g{n}": value for n, value in enumerate(group.terms)}
        return self._scratch.calculate(self._calculation, params)

    @staticmethod
    def _value(
        expression: GroupExpression, group: Group, results: list[Any], calculated: Any
    ) -> Any:
        if expression.term is not None:
            return group.terms[expression.term]
        if expression.aggregate is not None:
            return results[expression.aggregate]
        return next(calculated)


def groups_text(shape: Shape, grouping: Grouping, condition: str = "") -> str:
    """The query for what is kept of groups: of all, or of those that satisfy a condition."""
    wanted: list[str] = []
    for term in grouping.terms:
        text = term.text
        wanted += [text, f"min(typeof({text}))", f"max(typeof({text}))"]
        wanted += [f"min(({text}) COLLATE BINARY)", f"max(({text}) COLLATE BINARY)"]
    wanted.append("count(*)")
    for argument in grouping.arguments:
        text = f"({argument.text})"
        integer = f"CASE typeof{text} WHEN 'integer' THEN {text} END"
        wanted += [f"count({text})", f"count({integer})", f"sum({integer})"]
        wanted.append(f"total(abs(CAST({integer} AS REAL)))")
    for aggregate in grouping.aggregates:
        item = None if aggregate.argument is None else grouping.arguments[aggregate.argument]
        inside = "*" if item is None else item.text
        wanted.append(f"{aggregate.function}({'DISTINCT ' * aggregate.distinct}{inside})")
    conditions = [f"({text_of(shape.where)})"] if shape.where else []
    # For one group rows must come as they do in a scan of the table.
    source = f"{shape.source} NOT INDEXED" if condition else shape.source
    where = " AND ".join([*conditions, condition] if condition else conditions)
    groups = ", ".join(term.text for term in grouping.terms)
    return (
        f"SELECT {', '.join(wanted)} FROM {source}"
        f"{f' WHERE {where}' if where else ''}{f' GROUP BY {groups}' if groups else ''}"
    )


def _has_zero(terms: tuple[Any, ...]) -> bool:
    """Whether there is a 0.0 or a -0.0, which are equal."""
    return any(value == 0 and type(value) is float for value in terms)
