"""Region: the part of the database that a query looks at; `touched_by` asks a commit about it."""

from __future__ import annotations

from collections.abc import Iterable

from reactive_sqlite.values.change import ChangeSet, Image, RowChange
from reactive_sqlite.values.predicate import ALWAYS, Predicate


def differ(old: Image, new: Image, positions: tuple[int, ...]) -> bool:
    """Whether two images differ in one of these columns, types included (1 is not 1.0 here)."""
    for position in positions:
        before, after = old[position], new[position]
        if before is not after and (
            before != after
            or type(before) is not type(after)
            # 0.0 and -0.0 are equal and print differently.
            or (before == 0 and repr(before) != repr(after))
        ):
            return True
    return False


class TableRegion:
    """Some columns of the rows of one table that satisfy a predicate.

    `columns` are folded names, None stands for all of them; `positions` are their places in a
    row image. Without positions every update of a row counts.

    >>> TableRegion("tasks", frozenset({"status"}), positions=(1,))
    tasks(status)
    """

    __slots__ = ("columns", "positions", "predicate", "table")

    def __init__(
        self,
        table: str,
        columns: frozenset[str] | None = None,
        predicate: Predicate = ALWAYS,
        positions: tuple[int, ...] | None = None,
    ) -> None:
        self.table = table
        self.columns = columns
        self.predicate = predicate
        self.positions = positions if columns is not None else None

    def touched_by_row(self, change: RowChange) -> bool:
        """Whether the query may see this change of a row of this table."""
        old, new = change.old, change.new
        before = old is not None and self.predicate.may_match(old, change.old_rowid)
        after = new is not None and self.predicate.may_match(new, change.new_rowid)
        if before and after and self.positions is not None:
            assert old is not None
            assert new is not None
            # A predicate that is not sure says yes to both, so the columns decide soundly only
            # because those of the predicate are among them.
            return differ(old, new, self.positions)
        return before or after

    def reads_any_of(self, columns: frozenset[int] | None) -> bool:
        """Whether the query may see that some of these columns have other values; None: of all."""
        positions = self.positions
        return columns is None or positions is None or not columns.isdisjoint(positions)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TableRegion)
            and self.table == other.table
            and self.columns == other.columns
            and self.predicate == other.predicate
        )

    def __hash__(self) -> int:
        return hash((self.table, self.columns, self.predicate))

    def __repr__(self) -> str:
        columns = "*" if self.columns is None else ", ".join(sorted(self.columns))
        where = "" if self.predicate is ALWAYS else f"[{self.predicate!r}]"
        return f"{self.table}({columns}){where}"


class Region:
    """Tables × columns × predicates, one `TableRegion` for each reference to a table.

    A schema change touches every region, also one without tables (`schema_only`). A region of
    `everything` is touched by whatever is not nothing.

    >>> Region.of(TableRegion("a"), TableRegion("b", frozenset({"x"})))
    a(*) ∪ b(x)
    """

    __slots__ = ("everything", "tables")

    def __init__(self, tables: tuple[TableRegion, ...] = (), everything: bool = False) -> None:
        self.tables = tables
        self.everything = everything

    @classmethod
    def of(cls, *tables: TableRegion) -> Region:
        """The union of these, each kept once."""
        # Those of several tables are not the same, and to compare them costs more than to see it.
        if len({part.table for part in tables}) == len(tables):
            return cls(tables)
        return cls(tuple(dict.fromkeys(tables)))

    @classmethod
    def whole(cls) -> Region:
        """The region of which nothing is known: everything."""
        return cls((), True)

    @property
    def schema_only(self) -> bool:
        """Whether only a change of the schema can touch it."""
        return not self.tables and not self.everything

    def union(self, other: Region) -> Region:
        """What either of two regions covers."""
        if self.everything or other.everything:
            return Region.whole()
        return Region.of(*self.tables, *other.tables)

    @classmethod
    def union_of(cls, regions: Iterable[Region]) -> Region:
        """What any of these regions covers."""
        result = cls()
        for region in regions:
            result = result.union(region)
        return result

    def touched_by(self, change: ChangeSet) -> bool:
        """Whether a commit may have changed what lies in this region. A sure "no" only."""
        if self.everything:
            return bool(change)
        if change.everything or change.schema:
            return True
        for part in self.tables:
            if part.table in change.tables:
                if part.reads_any_of(change.columns.get(part.table)):
                    return True
                continue
            for row in change.rows.get(part.table, ()):
                if part.touched_by_row(row):
                    return True
        return False

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Region)
            and self.everything == other.everything
            and (self.tables == other.tables or set(self.tables) == set(other.tables))
        )

    def __hash__(self) -> int:
        return hash((self.everything, frozenset(self.tables)))

    def __repr__(self) -> str:
        if self.everything:
            return "everything"
        return " ∪ ".join(sorted(map(repr, self.tables))) or "schema"
