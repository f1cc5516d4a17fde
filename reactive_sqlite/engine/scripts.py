"""Scripts: several statements in one text, run one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.errors import DatabaseError
from reactive_sqlite.driver.ownership import WriterLock
from reactive_sqlite.engine.reads import Reads
from reactive_sqlite.engine.schema import Schema, prepare
from reactive_sqlite.engine.writes import Writes
from reactive_sqlite.understanding.access import Prepared

# What a part of a script begins with that creates something, comments before it included.
_CREATES = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*create\s", re.IGNORECASE | re.DOTALL)


class Scripts:
    """Runs scripts on the writing connection."""

    def __init__(
        self, writer: Connection, lock: WriterLock, schema: Schema, reads: Reads, writes: Writes
    ) -> None:
        self._writer = writer
        self._lock = lock
        self._schema = schema
        self._reads = reads
        self._writes = writes

    def run(self, script: str) -> None:
        """Run several statements, each as if by `execute`.

        A transaction that the script opened and did not finish because a statement of it failed
        is rolled back.
        """
        self._reads.check_may_write()
        with self._lock:
            before = self._lock.transaction
            try:
                for piece, prepared in self._pieces(script):
                    statement = self._schema.understood(piece, prepared)
                    if statement.only_reads:
                        self._reads.read(statement, ())
                    else:
                        self._writes.run(statement, ())
            except BaseException:  # Ctrl-C too: its BEGIN must not outlast the script
                if self._lock.transaction is not None and self._lock.transaction is not before:
                    self._writes.run(self._schema.statement("ROLLBACK"), ())
                raise

    def _pieces(self, script: str) -> Iterator[tuple[str, Prepared]]:
        window = 1 << 16  # preparing copies the text: give the engine a part of a long script
        start = 0
        while start < len(script):
            piece = script[start : start + window]
            if self._lock.transaction is not None and _CREATES.match(piece):
                start += self._run_creates(piece)
                piece = script[start : start + window]
            whole = start + window >= len(script)
            try:
                prepared = prepare(self._writer, piece)
            except DatabaseError:
                if whole:
                    raise
                window *= 2  # cut in the middle of a statement, perhaps
                continue
            if prepared.length >= len(piece) and not whole:
                window *= 2
                continue
            if prepared.length == 0:
                return
            if not prepared.empty:
                yield piece[: prepared.length], prepared
            start += prepared.length

    def _run_creates(self, piece: str) -> int:
        """Run the CREATE statements that a piece begins with, inside an open transaction.

        To build a schema costs half that way: nothing is asked about each of them. Gives how much
        of the text that was.
        """
        transaction = self._lock.transaction
        done = len(piece)  # if it is not told, anything may be
        try:
            done = self._writer.run_creates(piece)
        finally:
            if done:
                self._writes.control.schema_changed()
            if transaction is not None and not self._writer.in_transaction:
                self._writes.rolled_back(transaction)  # a full disk, an interrupt
        return done
