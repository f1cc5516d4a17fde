"""The journal: who takes part writes down what each commit changes, in the same transaction.

One row of the table ``_reactive_journal`` for each commit, numbered without gaps. It is atomic
with the commit, ordered as commits are, and survives what they survive. Other processes read
there which rows have changed, instead of taking everything as changed; commits that it does not
hold are counted in `reactive_sqlite.files.wal`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import NamedTuple

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.errors import ConstraintError, DatabaseError, SQLError
from reactive_sqlite.journal.records import Record, as_written, encoded, last_record, records_since
from reactive_sqlite.recording.recorder import FOR_OTHERS, ChangeRecorder
from reactive_sqlite.values.change import ChangeSet

#: Records kept; who was away for longer starts over.
KEPT = 4096
#: One in so many commits removes the records that are too old.
_PRUNE_EVERY = 64
_CREATE = "CREATE TABLE main._reactive_journal(seq INTEGER PRIMARY KEY, change BLOB)"
_INSERT = "INSERT INTO main._reactive_journal(change) VALUES (?)"
_PRUNE = "DELETE FROM main._reactive_journal WHERE seq BETWEEN 1 AND ?"
_RETRACT = "DELETE FROM main._reactive_journal WHERE seq = ?"
_FORGET = "DELETE FROM main._reactive_journal WHERE seq > 0"
_SKIP = "INSERT INTO main._reactive_journal VALUES (?, ?)"
#: Record 0 holds no commit; it is there when the journal is to be kept for good.
_DURABLE = "INSERT OR IGNORE INTO main._reactive_journal(seq) VALUES (0)"
_IS_DURABLE = "SELECT 1 FROM main._reactive_journal WHERE seq = 0"
_EXISTS = "SELECT type FROM main.sqlite_schema WHERE name = '_reactive_journal'"

#: By so much SQLite's counter of changes to the schema moves when the table is made. A copy of a
#: database that is restored moves it by one, and may hold a journal, which is not that of the file.
LEAP = 1 << 16
_SET_SCHEMA = "PRAGMA main.schema_version = "

#: Seconds after which a cursor that another process has made is known of here.
_ASK_AFTER = 0.005

_NOT_WRITTEN = -1
#: After this number SQLite takes any one that is free: https://sqlite.org/autoinc.html
_LARGEST = (1 << 63) - 1


class ChangesSince(NamedTuple):
    """What participants have committed since a version, as `ReactiveDatabase.changes_since` tells.

    >>> ChangesSince(7, (ChangeSet(7),), start_over=False).version
    7
    """

    version: int
    """what to ask from next time"""
    changes: tuple[ChangeSet, ...]
    """one for each commit, in order; ``seq`` is its version"""
    start_over: bool
    """the journal does not reach back that far: read everything anew, then go on from here"""


def changes_since(connection: Connection, version: int) -> ChangesSince:
    """The journal after a version, in the state that this connection sees.

    A journal that is not kept for good may have been left out for a while, or be another one than
    that of the version.
    """
    records = None
    if 0 <= version < _LARGEST and _is_durable(connection):
        records = records_since(connection, version)
    if records is None:
        return ChangesSince(last_record(connection), (), start_over=True)
    changes = tuple(record.change for record in records)
    return ChangesSince(version + len(changes), changes, start_over=False)


class Journal:
    """The journal of one file, as one writing connection keeps it. Used under its lock.

    ``enabled`` is True for always, False for never, None for as long as ``audience`` says that
    somebody else watches the file, or a durable cursor is in use.
    """

    def __init__(
        self, connection: Connection, recorder: ChangeRecorder, enabled: bool | None
    ) -> None:
        self._connection = connection
        self._recorder = recorder
        self._set_hook, self._on_row = connection.set_hook, recorder.on_row
        self._enabled = enabled
        self.participant = secrets.token_bytes(8)
        self.audience: Callable[[], bool] = lambda: False
        self.outdated: Callable[[], bool] = lambda: False
        """whether rows were recorded by columns that others have moved"""
        self._recording = False
        self._asked = 0.0
        self._data_version = -1
        self._durable = self.read_durable()
        self.noted = False
        """whether what the commit under way changes is known here"""
        self._record = _NOT_WRITTEN
        self._net: tuple[ChangeSet | None] | None = None

    def wanted(self) -> bool:
        """Whether the commits from here on are to be written down, and their rows recorded.

        Whether somebody watches, or a cursor is in use, is known as of some milliseconds ago.
        """
        wanted = self._enabled
        if wanted is None:
            now = monotonic()
            if now - self._asked < _ASK_AFTER:
                return self._recording
            self._asked = now
            wanted = self._durable or self.audience() or self._durable_by_now()
        if wanted is not self._recording:
            self._recording = wanted
            self._recorder.record_all(FOR_OTHERS, wanted)
            # A commit writes about twice the pages: so a checkpoint is due after as many commits.
            self._connection.checkpoints.scale(2 if wanted else 1)
        return wanted

    def _durable_by_now(self) -> bool:
        """Whether another process has made the journal durable meanwhile."""
        if self._connection.in_transaction:  # a deferred one must not read before it writes
            return False
        version = self._connection.data_version()
        if version == self._data_version:
            return False
        self._data_version = version
        return self.read_durable()

    def read_durable(self) -> bool:
        """Whether somebody reads the journal across restarts, as the file itself says."""
        self._durable = _is_durable(self._connection)
        return self._durable

    def exists(self) -> bool:
        """Whether the file has a journal, kept or not."""
        return bool(self._connection.run(_EXISTS))

    def make_durable(self) -> bool:
        """From here on keep the journal whether somebody watches or not; false if that was so.

        May wait for the lock. When it returns, the other processes know.
        """
        if self.read_durable():
            return False
        run, rowid = self._connection.run, self._connection.last_insert_rowid()
        run("BEGIN IMMEDIATE")
        try:
            with self._unnoticed():
                made = not self.exists()
                try:
                    if made:
                        self._make()
                    run(_DURABLE)
                except SQLError:
                    self._make_anew()
                    run(_DURABLE)
                if not made or self._connection.schema_version() >= 2 * LEAP:
                    self._number_anew()  # it is not the first journal, as far as is known
        except BaseException:  # Ctrl-C too: nothing half made stays
            run("ROLLBACK")
            raise
        run("COMMIT")
        self._connection.set_last_insert_rowid(rowid)  # the user's own, as it was
        self._durable, self._asked = True, 0.0
        sleep(2 * _ASK_AFTER)
        return True

    def _number_anew(self) -> None:
        """Go on with numbers that no cursor has got before: nobody had to keep it up to date."""
        number = min(self.last(), _LARGEST // 2) + 2 + secrets.randbits(40)
        self._connection.run(_FORGET)
        self._connection.run(_SKIP, (number, encoded(self.participant, None)))

    def _make_anew(self) -> None:
        """Make the table, in the place of whatever else has its name: no record can be in that.

        A cursor starts over then: who wrote the record that said so is not known any more.
        """
        for (kind,) in self._connection.run(_EXISTS):
            self._connection.run(f"DROP {kind} main._reactive_journal")
        self._make()

    def _make(self) -> None:
        schema = self._connection.schema_version()
        self._connection.run(_CREATE)
        if 0 <= schema < (1 << 31) - LEAP:
            self._connection.run(f"{_SET_SCHEMA}{schema + LEAP}")

    def note(self, version: int) -> None:
        """Write down the commit that is about to be made, in its transaction."""
        recorder = self._recorder
        if not recorder.events:
            return
        self.noted = True
        if self.outdated():
            recorder.everything_changed()
        record = as_written(self.participant, recorder.events)
        if record is None:
            change = recorder.net(version)
            self._net = (change,)
            record = encoded(self.participant, change)
        if record is not None:
            # `_unnoticed`, written out: this is in the path of every commit.
            self._set_hook(None)
            try:
                self._record = self._append(record)
            finally:
                self._set_hook(self._on_row)

    def begin_alone(self) -> bool:
        """Begin a transaction for nothing but a record: of VACUUM, which cannot be in one."""
        if self.wanted():
            self._connection.run("BEGIN IMMEDIATE")
        return self._recording

    def commit_alone(self, version: int, mark: int, sql: str) -> None:
        """Commit a single statement, begun at ``mark``, together with its record."""
        try:
            self.note(version)
            self._recorder.begin_other()
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._connection.annotate(error, sql)
            if self._connection.in_transaction:  # a deferred foreign key, a full disk
                self._connection.run("ROLLBACK")
            self.retract()
            self._recorder.undo_to(mark)
            raise

    def keep_alone(self, version: int) -> None:
        """A single statement raised: commit what it left, with its record, if it is still open.

        If a deferred foreign key is broken by that, nothing is kept.
        """
        with suppress(DatabaseError):
            if self._connection.in_transaction:
                self.note(version)
                self._connection.run("COMMIT")
        self.undo_alone()

    def undo_alone(self) -> None:
        """End the transaction around a single statement that raised, if there was one."""
        if self._connection.in_transaction:
            self._connection.run("ROLLBACK")

    def over(self) -> tuple[ChangeSet | None] | None:
        """The commit under way is made, or given up. Its net effect, if that was asked for."""
        net, self._net = self._net, None
        self.noted, self._record = False, _NOT_WRITTEN
        return net

    def retract(self) -> None:
        """The commit under way could not be made; if its transaction is open, the record goes."""
        if self._connection.in_transaction and self._record != _NOT_WRITTEN:
            with self._unnoticed():
                self._connection.run(_RETRACT, (self._record,))
        self.over()

    @contextmanager
    def _unnoticed(self) -> Iterator[None]:
        """The journal's own rows are no news."""
        self._set_hook(None)
        try:
            yield
        finally:
            self._set_hook(self._on_row)

    def _append(self, record: bytes) -> int:
        connection = self._connection
        rowid = connection.last_insert_rowid()
        try:
            connection.execute(_INSERT, (record,))
        except (SQLError, ConstraintError):  # the table is not there, or is not what it should be
            self._make_anew()
            connection.run(_INSERT, (record,))
        seq: int = connection.last_insert_rowid()
        if seq % _PRUNE_EVERY == 0:
            if seq < self.last():  # somebody has written down the largest number
                self._make_anew()
                connection.run(_INSERT, (record,))
                seq = connection.last_insert_rowid()
            connection.run(_PRUNE, (seq - KEPT,))
        connection.set_last_insert_rowid(rowid)  # the user's own, as it was
        return seq

    def last(self) -> int:
        """The number of the newest record, 0 for none."""
        return last_record(self._connection)

    def since(self, seq: int) -> list[Record] | None:
        """The records after this one; None when some of them are not there any more.

        Raises nothing for a record that no participant can have written: it is missing.
        """
        return records_since(self._connection, seq)


def _is_durable(connection: Connection) -> bool:
    try:
        return bool(connection.run(_EXISTS)) and bool(connection.run(_IS_DURABLE))
    except SQLError:  # not what it should be, or just removed
        return False
