"""What stands in a FROM clause: mentions of tables, and what can be said of their columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from reactive_sqlite.understanding.analysis.subjects import Binding
from reactive_sqlite.understanding.analysis.terms import Term
from reactive_sqlite.understanding.catalog import TableInfo
from reactive_sqlite.values.comparison import ROWID, Column

ROWID_NAMES: Final = ("rowid", "oid", "_rowid_")
LOST_NAMES: Final = frozenset({"true", "false"})
"""Below a FROM SQLite calls a column with such a name after its place, `column2`.

See `sqlite3ColumnsFromExprList` in https://sqlite.org/src/file/src/select.c.
"""

Columns: TypeAlias = "list[tuple[str, Binding | None]]"


class Mention:
    """One mention of a real table: what is demanded of its rows.

    `nested` says that it stands below a FROM, where SQLite reads only the columns that are asked
    for from outside; `asked` are the names that can ask for them, None for all of them. `joined`
    says that somewhere in the statement several items stand in one FROM.
    """

    __slots__ = ("asked", "demands", "joined", "nested", "nullable", "table")

    def __init__(self, table: TableInfo, nested: bool, asked: frozenset[str] | None = None) -> None:
        self.table = table
        self.nested = nested
        self.asked = asked
        self.demands: list[Term] = []
        self.joined = False
        self.nullable = False

    def demand(self, term: Term) -> None:
        """Only rows that satisfy the term matter."""
        if not self.nullable or term.is_strict():
            self.demands.append(term)


Translate: TypeAlias = Callable[[Binding], "Binding | None"]
Target: TypeAlias = "tuple[Mention, Translate | None]"
"""A table whose rows conditions can judge, and which of its columns a name means to it."""


class Source:
    """One item of a FROM clause.

    `columns` are its columns by folded name, None for one that cannot be judged; `columns` None
    means that not even their names are known. `targets` are the tables below it whose rows its
    conditions can judge; `database` is that of a table.
    """

    def __init__(
        self,
        name: str,
        columns: dict[str, Binding | None] | None,
        targets: Sequence[Target] = (),
        rowid: Binding | None = None,
        database: str | None = None,
    ) -> None:
        self.name = name
        self.columns = columns
        self.targets = tuple(targets)
        self.rowid = rowid
        self.database = database

    def column(self, name: str) -> Binding | None:
        """The column of this name, if it can be judged."""
        if self.columns is None:
            return None
        if name in self.columns:
            return self.columns[name]
        return self.rowid if name in ROWID_NAMES else None


def table_source(mention: Mention, alias: str, utf8: bool) -> Source:
    """A table as a source."""
    table = mention.table
    if table.kind != "table":
        return Source(alias, None)
    if table.has_virtual_columns:
        # Such a row is never seen, so nothing can be judged of it.
        names = dict.fromkeys(info.name for info in table.columns)
        return Source(alias, dict(names), database=table.database)
    columns: dict[str, Binding | None] = {
        info.name: Binding(mention, Column(info.name, place, info.affinity, info.collation, utf8))
        for place, info in enumerate(table.columns)
    }
    rowid = None
    if table.rowid_column is not None:
        rowid = columns[table.columns[table.rowid_column].name]
    elif not table.without_rowid:
        rowid = Binding(mention, Column("rowid", ROWID, "INTEGER"))
    return Source(alias, columns, [(mention, None)], rowid, table.database)


class Query:
    """What a query in FROM offers: its columns if they are known, and the tables below."""

    __slots__ = ("columns", "targets")

    def __init__(self, columns: Columns | None, targets: Sequence[Target] = ()) -> None:
        self.columns = columns
        self.targets = targets

    def unjudged(self) -> Query:
        """Only the names of the columns are certain."""
        if self.columns is None:
            return self
        return Query([(name, None) for name, _ in self.columns])

    def source(self, alias: str, names: Sequence[str] = ()) -> Source:
        """The query as a source, its columns renamed."""
        columns = self.columns
        if names:
            if columns is None or len(names) != len(columns):
                return Source(alias, dict.fromkeys(names))
            columns = [(name, binding) for name, (_, binding) in zip(names, columns, strict=True)]
        if columns is None:
            return Source(alias, None)
        found: dict[str, Binding | None] = {}
        for name, binding in columns:
            # Of two columns with one name neither is certain.
            found[name] = None if name in found or name in LOST_NAMES else binding
        return Source(alias, found, self.targets)


class _Arm:
    """One SELECT of a compound: which of its columns a column of the compound is."""

    def __init__(self, compound: object, columns: Columns, inner: Translate | None) -> None:
        self._compound = compound
        self._columns = columns
        self._inner = inner

    def __call__(self, binding: Binding) -> Binding | None:
        if binding.owner is not self._compound:
            return binding
        found = self._columns[binding.column.position][1]
        return found if found is None or self._inner is None else self._inner(found)


def compound(left: Query, right: Query) -> Query:
    """UNION, UNION ALL, INTERSECT or EXCEPT of two queries, without a LIMIT.

    Rows that are equal but not the same become one, so only columns are judged by which equal rows
    are judged alike; and in both they have to compare alike.
    """
    one, other = left.columns, right.columns
    if one is None or other is None or len(one) != len(other):
        return left.unjudged()
    owner = object()
    columns: Columns = []
    for place, ((name, mine), (_, yours)) in enumerate(zip(one, other, strict=True)):
        binding = None
        if mine is not None and yours is not None:
            column, other_one = mine.column, yours.column
            alike = column.affinity == other_one.affinity
            if alike and is_binary(column) and is_binary(other_one):
                binding = Binding(owner, Column(name, place, column.affinity, utf8=column.utf8))
        columns.append((name, binding))
    arms: dict[tuple[int, object], _Arm] = {}
    targets: list[Target] = []
    for number, query in enumerate((left, right)):
        for mention, inner in query.targets:
            arm = arms.get((number, inner))
            if arm is None:
                arm = arms[number, inner] = _Arm(owner, query.columns or [], inner)
            targets.append((mention, arm))
    return Query(columns, targets)


def is_binary(column: Column) -> bool:
    """Whether values of the column that are equal are alike to every comparison."""
    return type(column) is Column and column.collation == "BINARY"
