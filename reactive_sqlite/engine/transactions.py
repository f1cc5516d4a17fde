"""Transactions as blocks: BEGIN IMMEDIATE … COMMIT, and savepoints inside them."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from types import TracebackType

from reactive_sqlite.driver.ownership import OpenTransaction, WriterLock
from reactive_sqlite.engine.reads import Reads
from reactive_sqlite.engine.schema import Schema
from reactive_sqlite.engine.writes import Writes
from reactive_sqlite.errors import TransactionError


class Transactions:
    """Begins and ends the transactions of one writing connection."""

    def __init__(
        self,
        lock: WriterLock,
        schema: Schema,
        reads: Reads,
        writes: Writes,
        abandon: Callable[[OpenTransaction], None],
        *,
        readonly: bool,
    ) -> None:
        self._lock = lock
        self._schema = schema
        self._reads = reads
        self._writes = writes
        self._abandon = abandon
        self._begin = "BEGIN" if readonly else "BEGIN IMMEDIATE"
        self.depth = 0
        """how many savepoints are open in it"""

    def block(self, after: Callable[[], object] | None = None) -> Block:
        """A transaction for a ``with`` statement; ``after`` is called when it is over."""
        return Block(self, after)

    @property
    def begin_text(self) -> str:
        """BEGIN, as this connection does it."""
        if self._schema.elsewhere:
            # Once prepared it begins with the databases of then; another text is prepared anew.
            return f"{self._begin} -- {self._schema.epoch}"
        return self._begin

    def begin(self) -> tuple[OpenTransaction, str | None]:
        """Begin one, or a savepoint of this name in the one that is open."""
        if self._reads.noting_threads:
            self._reads.check_may_write()
        lock = self._lock
        lock.acquire()
        transaction = lock.transaction
        if transaction is not None:
            try:
                return transaction, self._savepoint()
            finally:
                lock.release()
        try:
            self.depth = 0
            return self._writes.begin(self.begin_text), None  # which gives the lock back at its end
        except BaseException:  # Ctrl-C too: see below
            if lock.in_own_transaction:  # Ctrl-C: nobody else would end it
                self._run("ROLLBACK")
            else:
                lock.release()
            raise

    def _savepoint(self) -> str:
        name = f"reactive_{self.depth + 1}"
        self._run(f"SAVEPOINT {name}")
        self.depth += 1
        return name

    def finish(self, transaction: OpenTransaction, savepoint: str | None) -> None:
        """COMMIT, or RELEASE the savepoint."""
        if transaction.ended:
            if self._lock.forked:
                self._lock.check_open()
            raise TransactionError("the transaction was ended inside its `with` block")
        if transaction.plain_thread != get_ident():
            self._check_may_finish(transaction)
        if savepoint is not None:
            self._run(f"RELEASE {savepoint}")
            return
        try:
            self._writes.commit(transaction)
        except BaseException:  # Ctrl-C too: the block is over, so is what it began
            if self._lock.transaction is not None:  # a deferred foreign key
                self._run("ROLLBACK")
            raise

    def _check_may_finish(self, transaction: OpenTransaction) -> None:
        if transaction.thread != get_ident():
            raise TransactionError("a transaction must be finished by the thread that began it")
        if not transaction.is_mine:
            self._abandon(transaction)
            raise TransactionError(
                "the transaction was finished by another task than began it; it is rolled back"
            )
        self._lock.check_turn()

    def undo(self, transaction: OpenTransaction, savepoint: str | None) -> None:
        """ROLLBACK, to the savepoint if there is one; nothing if it is over or another thread's."""
        if transaction.ended or transaction.thread != get_ident():
            return
        if savepoint is None:
            self._run("ROLLBACK")
        else:
            self._run(f"ROLLBACK TO {savepoint}")
            self._run(f"RELEASE {savepoint}")

    def _run(self, sql: str) -> None:
        self._writes.run(self._schema.statement(sql), ())


class Block:
    """One transaction, or a savepoint, as a context manager.

    A class, as two generators around each transaction would cost as much as its BEGIN and COMMIT.
    One that is forgotten before it has ended is undone.
    """

    __slots__ = ("_after", "_begun", "_transactions")

    def __init__(self, transactions: Transactions, after: Callable[[], object] | None) -> None:
        self._transactions = transactions
        self._after = after
        self._begun: tuple[OpenTransaction, str | None] | None = None

    def __enter__(self) -> None:
        if self._begun is not None:
            raise TransactionError("this block is entered already: call transaction() for another")
        try:
            self._begun = self._transactions.begin()
        except BaseException:  # Ctrl-C too: it was not begun, so it is over
            if self._after is not None:
                self._after()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._begun is not None
        transaction, savepoint = self._begun
        try:
            if kind is None:
                self._transactions.finish(transaction, savepoint)
            else:
                self._transactions.undo(transaction, savepoint)
        except BaseException as failure:
            if savepoint is None and not isinstance(failure, Exception):  # Ctrl-C
                self._transactions.undo(transaction, savepoint)
            raise
        finally:
            self._begun = None
            self._transactions.depth -= savepoint is not None
            if self._after is not None:
                self._after()

    def __del__(self) -> None:
        # Ctrl-C when `__exit__` was called and had not begun: nobody else would end it.
        try:
            begun = self._begun
        except AttributeError:  # Ctrl-C when it was made
            return
        if begun is not None:
            self._transactions.undo(*begun)
