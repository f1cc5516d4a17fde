"""What the hook sees of changed rows, and its net effect: per row, first old and last new image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias

from reactive_sqlite.understanding.filing import Equalities
from reactive_sqlite.values.change import Image, RowChange, same_image

#: Before the key of a table: rows of it changed of which nobody needs to hear.
UNHEEDED: Final = "~"
_UNFETCHED: Final[Any] = object()


class PreUpdate(Protocol):
    """The part of ``apsw.PreUpdate`` that is used here.

    It types values more widely than they are: bytes as any buffer.
    """

    @property
    def database_name(self) -> str: ...
    @property
    def table_name(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def rowid(self) -> int: ...
    @property
    def rowid_new(self) -> int: ...
    @property
    def old(self) -> tuple[Any, ...] | None: ...
    @property
    def new(self) -> tuple[Any, ...] | None: ...
    @property
    def blob_write(self) -> int: ...


class TableRoute:
    """How the changes of one table are recorded."""

    __slots__ = ("by_rowid_in_main", "exact", "key", "primary_key", "rowid_columns", "unheeded")

    def __init__(
        self,
        key: str,
        exact: bool,
        primary_key: tuple[int, ...],
        rowid_columns: tuple[int, ...] = (),
    ) -> None:
        self.key = key
        """the table's key, or that of the virtual table that owns it"""
        self.exact = exact
        """whether the hook can tell its rows"""
        self.primary_key = primary_key
        """positions of the key columns of a WITHOUT ROWID table, else empty"""
        self.rowid_columns = rowid_columns
        """positions that stand for the rowid: that of its alias, and -1 for itself"""
        self.by_rowid_in_main = not primary_key and "." not in key
        """whether its rows are known by their rowids, in the main database"""
        self.unheeded = UNHEEDED + key
        """the event that stands for rows of which nobody needs to hear"""


#: What the recorder keeps: one changed row, or the key of a table of which no rows are known.
Event: TypeAlias = "str | tuple[TableRoute, Any, Any, Image | None, Image | None]"


def is_missed(route: TableRoute, row: PreUpdate, drawers: tuple[Equalities, ...]) -> bool:
    """Whether nobody reads a row of these values, before or after, if all is filed in the drawers.

    Its images then need not be kept; where all is filed by rowid they are not even fetched.
    """
    old = new = _UNFETCHED
    for drawer in drawers:
        buckets, position = drawer.buckets, drawer.column.position
        if position in route.rowid_columns:
            if row.rowid in buckets or row.rowid_new in buckets:
                return False
        else:
            if old is _UNFETCHED:
                old, new = row.old, row.new
            if not (drawer.surely_lacks(old) and drawer.surely_lacks(new)):
                return False
    return True


def net_of(events: Sequence[Event]) -> dict[str, tuple[RowChange, ...]]:
    """Fold the events of each row into its first old and last new image; drop what is equal.

    The result is the caller's own.
    """
    if len(events) != 1:
        return _folded(events)
    event = events[0]  # as most commits are
    if isinstance(event, str):
        return {}
    route, rowid, rowid_new, old, new = event
    if route.primary_key or rowid != rowid_new:
        return _folded(events)
    if old is None:
        return {route.key: (RowChange(None, new, None, rowid),)}
    if new is None:
        return {route.key: (RowChange(old, None, rowid, None),)}
    unchanged = old == new and same_image(old, new)
    return {} if unchanged else {route.key: (RowChange(old, new, rowid, rowid),)}


def _folded(events: Sequence[Event]) -> dict[str, tuple[RowChange, ...]]:
    tables: dict[str, dict[Any, tuple[Image | None, Image | None]]] = {}
    routes: dict[str, TableRoute] = {}
    last: TableRoute | None = None
    net: dict[Any, tuple[Image | None, Image | None]] = {}
    for event in events:
        if isinstance(event, str):
            continue
        route, before, after, old, new = event
        if route is not last:
            # By key: after a change of the schema the same table has another route.
            net, last = tables.setdefault(route.key, {}), route
            routes[route.key] = route
        if route.primary_key:
            before = _key_of(old, route.primary_key)
            after = _key_of(new, route.primary_key)
        if before == after or old is None or new is None:
            key = after if old is None else before
            earlier = net.get(key)
            net[key] = (old if earlier is None else earlier[0], new)
        else:  # the key moved
            earlier = net.get(before)
            net[before] = (old if earlier is None else earlier[0], None)
            earlier = net.get(after)
            net[after] = (None if earlier is None else earlier[0], new)
    return {
        key: changes for key, net in tables.items() if (changes := _changes_of(routes[key], net))
    }


def _key_of(image: Image | None, primary_key: tuple[int, ...]) -> Any:
    return image and tuple([image[position] for position in primary_key])


def _changes_of(
    route: TableRoute, net: dict[Any, tuple[Image | None, Image | None]]
) -> tuple[RowChange, ...]:
    by_rowid = not route.primary_key
    changes: list[RowChange] = []
    for key, (old, new) in net.items():
        rowid = key if by_rowid else None
        if old is None:
            if new is not None:
                changes.append(RowChange(None, new, None, rowid))
        elif new is None:
            changes.append(RowChange(old, None, rowid, None))
        elif old != new or not same_image(old, new):
            changes.append(RowChange(old, new, rowid, rowid))
    return tuple(changes)
