"""What others have committed to the file since the last look, as exactly as can be known."""

from __future__ import annotations

from time import sleep
from typing import NamedTuple

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.errors import BusyError
from reactive_sqlite.files import wal
from reactive_sqlite.files.walindex import Position, position
from reactive_sqlite.journal.attached import AttachedFiles
from reactive_sqlite.journal.journal import LEAP, Journal
from reactive_sqlite.journal.records import folded
from reactive_sqlite.values.change import ChangeSet

#: How often to try for a snapshot whose place in the log is known, while others commit all the
#: time. Without one, everything is taken as changed.
TRIES = 20
#: Milliseconds to wait for somebody who writes the log back; after that the place is not told.
PATIENCE = 50


class Foreign(NamedTuple):
    """The commits of others between two looks."""

    commits: int
    change: ChangeSet
    """their net effect; its number means nothing here"""
    each: tuple[ChangeSet, ...]
    """one by one: a value that was read between two of them may be touched by what the net effect
    does not show"""


class _Seen(NamedTuple):
    """A state of the database that was looked at."""

    place: Position | None
    """where it ends in the log; None when that cannot be known"""
    data_version: int
    own: int
    """commits of this connection up to it"""


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
        self._schema_version = connection.schema_version()
        self._judged_by = self._schema_version
        """the schema by which the rows of own commits are recorded"""
        self._journalled = journal.exists()
        """whether that has the journal's table"""
        self._seen = _Seen(None, connection.data_version(), 0)
        self._seq = 0
        self._alone = -1
        """the version of the file less own commits, while nobody else has changed the schema"""
        self.attached = AttachedFiles(connection)
        self.unexplained = 0
        """looks that found commits which the journal does not explain"""

    def moved(self) -> bool:
        """Whether others have committed since the last look, asked of the engine."""
        moved = self._connection.data_version() != self._seen.data_version
        return moved or self.attached.moved()

    def schema_moved(self) -> bool:
        """Whether others have changed the schema since the last look; to be asked after a commit.

        Its rows were then judged by columns that may be elsewhere now.
        """
        connection = self._connection
        if connection.known_version() - connection.wal_commits["main"] == self._alone:
            return False  # a statement for each commit would be felt
        schema = connection.schema_version()
        # Of that state, and only now: see `_snapshot` about a statement that failed before.
        alone = connection.known_version() - connection.wal_commits["main"]
        # It may be another one by a statement of one's own, or by the journal's own table.
        if schema != self._judged_by and self.moved():
            if self._journalled or schema != self._judged_by + LEAP or not self._journal.exists():
                return True
            self.judged_anew()
        self._alone = alone
        return False

    def judged_anew(self) -> None:
        """The rows of own commits are recorded by the schema as it is now."""
        journalled = self._journalled or self._journal.exists()
        self._judged_by, self._journalled = self._connection.schema_version(), journalled

    def forget(self) -> None:
        """The next look finds that anything may have changed."""
        self._seen = _Seen(None, -1, self._connection.wal_commits["main"])
        self.attached.forget()

    def start(self) -> bool:
        """Remember the present state without asking what led to it; true for a new schema."""
        seen = self._snapshot()
        try:
            aside = self.attached.remember()
            return self._remember(seen, self._journal.last()) or aside
        finally:
            self._connection.run("COMMIT")

    def read(self) -> tuple[Foreign | None, bool]:
        """What others have committed since the last look, and whether the schema is another one.

        None for nothing at all. Leaves a transaction open that reads the state it tells of. Must
        not be called inside one. Raises `BusyError` and remembers nothing when the file is locked.
        """
        seq, schema, before = self._seq, self._schema_version, self._seen
        seen = self._snapshot()
        records = self._journal.since(seq)
        last = self._journal.last() if records is None else seq + len(records)
        aside = self.attached.remember()
        new_schema = self._remember(seen, last) or aside
        commits = self._commits(before, seen)
        if commits is not None and records is not None and not aside:
            foreign = [r.change for r in records if r.participant != self._journal.participant]
            if commits == len(foreign) + seen.own - before.own:
                if not foreign:
                    return None, new_schema
                # Rows of before a change of the schema have other columns. The first record of
                # all came with the journal's own table, and with nothing else.
                same = not new_schema or (seq == 0 and self._schema_version == schema + LEAP)
                change = folded(foreign) if same else ChangeSet.whole(0)
                return Foreign(len(foreign), change, tuple(foreign)), new_schema
        self.unexplained += 1
        self._journal.read_durable()
        unknown = ChangeSet.whole(0)
        return Foreign(1, unknown, (unknown,)), new_schema

    def _commits(self, before: _Seen, now: _Seen) -> int | None:
        if before.place is None or now.place is None:
            return None
        return wal.commits(self._connection.filename, before.place, now.place)

    def _snapshot(self) -> _Seen:
        """Begin a read transaction, and find its place in the log.

        The place is asked for before the snapshot is opened and after: if it is the same one,
        nothing was committed in between.
        """
        connection = self._connection
        # The hook is not called for a statement that failed and was committed, but for the next one
        # that ends well, outside a transaction: lest that commit is counted after this state.
        connection.data_version()
        in_wal_mode = False
        for _ in range(PATIENCE):
            try:
                in_wal_mode = connection.wal_frames() is not None
                break
            except BusyError:  # another one writes the log back, or changes the journal mode
                sleep(0.001)
        tries = TRIES
        while True:
            header = connection.wal_index() if in_wal_mode else b""
            connection.run("BEGIN")
            try:
                version = connection.data_version()  # reads the file, which opens the snapshot
                place = position(header)
                if place is not None and header != connection.wal_index():
                    place = None
            except BaseException:  # Ctrl-C too: its snapshot must not stay open
                connection.run("ROLLBACK")
                raise
            tries -= 1
            if place is not None or not header or not tries:
                return _Seen(place, version, connection.wal_commits["main"])
            connection.run("COMMIT")

    def _remember(self, seen: _Seen, seq: int) -> bool:
        """All or nothing, should something raise; whether the schema is another one."""
        schema = self._connection.schema_version()
        moved = schema != self._schema_version
        self.judged_anew()
        self._seen, self._seq, self._schema_version = seen, seq, schema
        return moved
