"""Commits as records: their form in the file, and what several of them come to.

Who commits writes down what was written, row by row; the net effect of it is for who reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.errors import SQLError
from reactive_sqlite.recording.net import Event, TableRoute
from reactive_sqlite.values.change import ChangeSet, RowChange, same_image

#: Bytes of one record, from which on rows are told as tables, and many tables as everything.
RECORD_BYTES = 8192
#: Of so many rows and more the net effect is written down: it may be much less.
_MANY = 64

_LAST = "SELECT max(seq) FROM main._reactive_journal"
_SINCE = "SELECT seq, change FROM main._reactive_journal WHERE seq > ? ORDER BY seq"

_Image = tuple[Any, ...] | None
_Row = tuple[_Image, _Image, int | None, int | None]


class _Wire(msgspec.Struct, array_like=True):
    """A `ChangeSet` in the file, without its number, and who made it."""

    participant: bytes
    rows: dict[str, tuple[_Row, ...]] = {}
    tables: tuple[str, ...] = ()
    schema: bool = False
    everything: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wire).decode


class Record(NamedTuple):
    """One commit in the journal."""

    participant: bytes
    change: ChangeSet
    """numbered as the journal numbers it"""


def as_written(participant: bytes, events: Sequence[Event]) -> bytes | None:
    """The wire form of what was written to the main database; None where that is not a few rows."""
    if len(events) >= _MANY:
        return None
    rows: dict[str, list[_Row]] = {}
    last: TableRoute | None = None
    written: list[_Row] = []
    for event in events:
        if isinstance(event, str):
            return None
        route, rowid, rowid_new, old, new = event
        if route is not last:
            if not route.by_rowid_in_main:
                return None
            last, written = route, rows.setdefault(route.key, [])
        if old is None:
            written.append((None, new, None, rowid))
        elif new is None:
            written.append((old, None, rowid, None))
        elif rowid == rowid_new:
            written.append((old, new, rowid, rowid))
        else:  # the key moved, which is two changes
            return None
    record = _encode((participant, rows))  # `_Wire`, less what goes without saying
    return record if len(record) <= RECORD_BYTES else None


def encoded(participant: bytes, change: ChangeSet | None) -> bytes | None:
    """The wire form of what a commit changed in the main database, if it wrote there at all.

    ``change`` is None for one that wrote without changing anything.
    """
    if change is None or change == ChangeSet(change.seq):
        return _encode((participant,))
    rows: Any = {key: changes for key, changes in change.rows.items() if "." not in key}
    tables = tuple(sorted(filter(_is_main, change.tables)))
    if not (rows or tables or change.schema or change.everything):
        return None
    record = _encode(_Wire(participant, rows, tables, change.schema, change.everything))
    if len(record) > RECORD_BYTES:
        tables = tuple(sorted({*tables, *rows}))
        record = _encode(_Wire(participant, {}, tables, change.schema, change.everything))
        if len(record) > RECORD_BYTES:
            record = _encode(_Wire(participant, schema=True, everything=True))
    return record


def _is_main(key: str) -> bool:
    return "." not in key


def decoded(seq: int, record: bytes) -> Record:
    """The other way round. Raises `msgspec.MsgspecError` for what no participant wrote."""
    wire = _decode(record)
    rows = {
        key: net
        for key, written in wire.rows.items()
        if (net := _net([RowChange(*row) for row in written]))
    }
    change = ChangeSet(seq, rows, frozenset(wire.tables), wire.schema, wire.everything)
    return Record(wire.participant, change)


def folded(changes: Sequence[ChangeSet]) -> ChangeSet:
    """The net effect of several commits, in their order. The number is that of the last one."""
    seq = changes[-1].seq if changes else 0
    if len(changes) == 1:
        return changes[0]
    if any(change.everything or change.schema for change in changes):
        return ChangeSet.whole(seq)
    tables = {key for change in changes for key in change.tables}
    net: dict[str, dict[int, RowChange]] = {}
    for change in changes:
        for key, rows in change.rows.items():
            if key in tables:
                continue
            if not _fold(net.setdefault(key, {}), rows):
                tables.add(key)
    return ChangeSet(
        seq,
        {
            key: tuple(filter(_differs, rows.values()))
            for key, rows in net.items()
            if key not in tables and any(map(_differs, rows.values()))
        },
        frozenset(tables),
    )


def _net(written: list[RowChange]) -> tuple[RowChange, ...]:
    """The net effect of rows as they were written, one after the other."""
    known: dict[int, RowChange] = {}
    if len(written) > 1 and _fold(known, written):
        return tuple(filter(_differs, known.values()))
    return tuple(filter(_differs, written))  # of WITHOUT ROWID it is their net effect already


def _fold(known: dict[int, RowChange], rows: Iterable[RowChange]) -> bool:
    """Add what has happened to rows, by rowid, to what had before.

    False where which rows are the same one is not known here: they are WITHOUT ROWID.
    """
    for row in rows:
        rowid = row.new_rowid if row.old is None else row.old_rowid
        if rowid is None:
            return False
        before = known.get(rowid)
        if before is not None:
            row = RowChange(before.old, row.new, before.old_rowid, row.new_rowid)
        known[rowid] = row
    return True


def _differs(row: RowChange) -> bool:
    if row.old is None or row.new is None:
        return row.old is not row.new
    return not same_image(row.old, row.new)


def merged(own: ChangeSet, foreign: ChangeSet) -> ChangeSet:
    """The net effect of an own commit and foreign ones whose order is not known.

    The number is that of the foreign ones, which were counted later.
    """
    if own.everything or own.schema or foreign.everything or foreign.schema:
        return ChangeSet.whole(foreign.seq)
    tables = own.tables | foreign.tables | (own.rows.keys() & foreign.rows.keys())
    rows = {k: v for k, v in (*own.rows.items(), *foreign.rows.items()) if k not in tables}
    return ChangeSet(foreign.seq, rows, tables)


def last_record(connection: Connection) -> int:
    """The number of the newest record that this connection sees, 0 for none."""
    try:
        return connection.run(_LAST)[0][0] or 0
    except SQLError:
        return 0


def records_since(connection: Connection, seq: int) -> list[Record] | None:
    """The records after this one that this connection sees; None when some are missing."""
    try:
        rows = connection.run(_SINCE, (seq,))
    except SQLError:
        return [] if seq == 0 else None
    if rows and (rows[0][0], rows[-1][0]) != (seq + 1, seq + len(rows)):
        return None
    if not rows and seq and last_record(connection) != seq:
        return None
    try:
        return [decoded(number, record) for number, record in rows]
    except (msgspec.MsgspecError, TypeError):
        return None
