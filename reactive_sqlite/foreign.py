"""What others have committed to the file since the last look, as exactly as can be known."""

from __future__ import annotations

from typing import NamedTuple

from reactive_sqlite import wal
from reactive_sqlite.change import ChangeSet
from reactive_sqlite.connection import Connection
from reactive_sqlite.journal import Journal
from reactive_sqlite.records import folded

#: How often to try for a snapshot whose place in the log is known, while others commit all the
#: time. Without one, everything is taken as changed.
TRIES = 20


class Foreign(NamedTuple):
    """The commits of others between two looks."""

    commits: int
    change: ChangeSet
    """their net effect; its number means nothing here"""
    each: tuple[ChangeSet, ...]
    """one by one: a value that was read between two of them may be touched by what the net effect
    does not show"""


class ForeignCommits:
    """Looks at one file on one writing connection, under its lock.

    A *look* remembers a state of the database: its place in the write-ahead log, the number of
    the last record in the journal, and how many commits this connection itself had made. The next
    one counts the commits in between. Only if they are as many as other participants' records
    and own commits, the records tell all; else a stranger has committed, and anything may have
    changed. ``docs/neighbours.md`` says why that is certain.
    """

    def __init__(self, connection: Connection, journal: Journal) -> None:
        self._connection = connection
        self._journal = journal
        self._data_version = connection.data_version()
        self._schema_version = connection.schema_version()
        self._base: wal.Position | None = None
        self._own = 0
        self._seq = 0
        self.unexplained = 0
        """looks that found commits which the journal does not explain"""

    def moved(self) -> bool:
        """Whether others have committed since the last look, asked of the engine."""
        return self._connection.data_version() != self._data_version

    def forget(self) -> None:
        """The next look finds that anything may have changed."""
        self._base = None
        self._data_version = -1

    def start(self) -> bool:
        """Remember the present state without asking what led to it; true for a new schema."""
        self._snapshot()
        try:
            self._seq = self._journal.last()
            return self._schema_moved()
        finally:
            self._connection.run("COMMIT")

    def read(self) -> tuple[Foreign | None, bool]:
        """What others have committed since the last look, and whether the schema is another one.

        None for nothing at all. Leaves a transaction open that reads the state it tells of. Must
        not be called inside one. Raises `BusyError` and remembers nothing when the file is locked.
        """
        seq, own, schema = self._seq, self._own, self._schema_version
        commits = self._snapshot()
        new_schema = self._schema_moved()
        records = self._journal.since(seq)
        self._seq = self._journal.last() if records is None else seq + len(records)
        if commits is not None and records is not None:
            foreign = [r.change for r in records if r.participant != self._journal.participant]
            if commits == len(foreign) + self._own - own:
                if not foreign:
                    return None, new_schema
                # Rows of before a change of the schema have other columns. The first record of
                # all came with the journal's own table, and with nothing else.
                same = not new_schema or (seq == 0 and self._schema_version == schema + 1)
                change = folded(foreign) if same else ChangeSet.whole(0)
                return Foreign(len(foreign), change, tuple(foreign)), new_schema
        self.unexplained += 1
        self._journal.read_durable()
        unknown = ChangeSet.whole(0)
        return Foreign(1, unknown, (unknown,)), new_schema

    def _snapshot(self) -> int | None:
        """Begin a read transaction, find its place in the log, and count the commits up to it.

        The place is asked for between two looks at the data version: if they agree, nothing was
        committed in between, and the second one has opened the snapshot.
        """
        connection, base = self._connection, self._base
        self._base = None
        own = connection.wal_commits
        version = connection.data_version()
        for _ in range(TRIES):
            frames = connection.wal_frames()
            connection.run("BEGIN")
            try:
                before, version = version, connection.data_version()
                if frames is None:
                    break
                if version == before:
                    step = wal.step(connection.filename, base, frames)
                    # Without a position: the log is being started over, or has been emptied.
                    if step.position is not None:
                        self._base, self._own, self._data_version = step.position, own, version
                        return step.commits
            except BaseException:
                connection.run("ROLLBACK")
                raise
            connection.run("COMMIT")
        else:
            connection.run("BEGIN")
            version = connection.data_version()
        self._own, self._data_version = own, version
        return None

    def _schema_moved(self) -> bool:
        version = self._connection.schema_version()
        if version == self._schema_version:
            return False
        self._schema_version = version
        return True
