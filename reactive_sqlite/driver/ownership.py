"""Who may use the writing connection: one thread at a time, and inside it one asyncio task."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from threading import get_ident
from typing import Any, TypeVar
from weakref import WeakSet

from reactive_sqlite.driver.errors import BusyError
from reactive_sqlite.driver.mutex import RLock, give_back
from reactive_sqlite.errors import ClosedError, TransactionError

T = TypeVar("T")

# Not get_running_loop(), which raises where there is none: most transactions are begun there.
_running_loop = asyncio._get_running_loop


def _current_task() -> asyncio.Task[Any] | None:
    loop = _running_loop()
    return None if loop is None else asyncio.current_task(loop)


class OpenTransaction:
    """A transaction that stays open between statements, and whose it is.

    Opened inside an event loop it notices when the loop turns while it is open: that is an
    ``await`` in the middle of a transaction, in which other tasks would have joined it unasked.
    """

    # What is so for nearly all of them is said once, here: one is made for each transaction.
    ended = False
    _loop_turned = False
    _task: asyncio.Task[Any] | None = None
    _probe: asyncio.Handle | None = None

    def __init__(self) -> None:
        self.plain_thread = self.thread = get_ident()
        """``plain_thread`` is its thread if no task is involved, else none (0): ask more then"""
        if _running_loop() is not None:
            self._task = _current_task()
            if self._task is not None:
                self.plain_thread = 0
                self._probe = self._task.get_loop().call_soon(self._turned)

    def _turned(self) -> None:
        self._loop_turned = True

    @property
    def orphaned(self) -> bool:
        """Whether the task that opened it is over, so that nobody can finish it any more."""
        return self._task is not None and self._task.done()

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread and task opened it."""
        if self.thread != get_ident():
            return False
        # Begun outside a loop: no task can come in between on this thread, unless a loop is
        # started inside the block, and then that is the owner's doing.
        return self._task is None or _current_task() is self._task

    @property
    def left_open(self) -> bool:
        """Whether the event loop turned while it was open."""
        return self._loop_turned

    def until_its_end(self, items: Iterable[T]) -> Iterator[T]:
        """The items, whose maker may end it: then nothing may be written any more for them."""
        for item in items:
            if self.ended:
                break
            yield item
        if self.ended:
            raise TransactionError("the transaction was ended by what makes the parameters")

    def finish(self) -> None:
        """It is over: stop watching the loop."""
        self.ended = True
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None


class WriterLock:
    """The lock of the writing connection, and the transaction that keeps it between statements.

    Reentrant for a thread. ``abandon`` rolls back a transaction that its owner has lost.

    Ctrl-C can come after any call that C answers, and when a function in Python begins. So what
    takes the lock gives it back should that come right then, and what gives it back is the inner
    lock's own, in C. Between ``acquire()`` and ``try`` nothing can come.
    """

    def __init__(self, timeout: float, abandon: Callable[[OpenTransaction], None]) -> None:
        self._lock = RLock()
        self.release = self._lock.release
        """Give back what `acquire` or `hold` gave."""
        self.timeout = timeout
        self._abandon = abandon
        self.transaction: OpenTransaction | None = None
        self.refreshing = False
        """results are being refreshed under the lock: nobody may write; no transaction is open"""
        self.closed = False
        self.forked = False
        """this is a child of the process that has opened the database"""
        _all.add(self)

    def check_open(self) -> None:
        """Raise `ClosedError` after the end."""
        if self.forked:
            raise ClosedError("the database was opened before a fork: open it again in the child")
        if self.closed:
            raise ClosedError("the database is closed")

    def acquire(self) -> None:
        """Become the one who may use the writing connection; again for the same thread is fine.

        Raises `BusyError` when another thread keeps it longer than the timeout, and
        `TransactionError` when a transaction is open that is not the caller's.
        """
        try:
            # Nearly always it is free, and a timeout is dear to pass.
            if not self._lock.acquire(False) and not self._lock.acquire(timeout=self.timeout):
                raise self._locked_out()
            transaction = self.transaction
            if transaction is None:
                settled = not self.closed and not self.refreshing
            else:
                settled = transaction.plain_thread == get_ident()
            if not settled:
                self.check_turn()
        except BaseException:  # Ctrl-C too: nobody else would release it
            give_back(self._lock)
            raise

    def check_turn(self) -> None:
        """Raise `TransactionError` when who has the bare lock may not use the connection now."""
        self.check_open()
        if self.refreshing:
            raise TransactionError(
                "results are being refreshed: a function given to observe() and a function "
                "called from SQL may only read"
            )
        transaction = self.transaction
        if transaction is None or (transaction.is_mine and not transaction.left_open):
            return
        if transaction.orphaned:
            self._abandon(transaction)
        elif transaction.is_mine:
            self._abandon(transaction)
            raise TransactionError(
                "this transaction was left open across an await; it is rolled back. Do the "
                "awaiting before or after the `with db.transaction()` block"
            )
        else:
            raise TransactionError(
                "a transaction is open in another task of this event loop: it was left open across "
                "an await. Do the awaiting before or after the `with db.transaction()` block"
            )

    def try_acquire(self, timeout: float = 0.0) -> bool:
        """The bare lock, if it is free or the caller's, whatever transaction is open."""
        try:
            return self._lock.acquire(timeout=timeout)
        except BaseException:  # Ctrl-C too: nobody else would release it
            give_back(self._lock)
            raise

    def hold(self) -> None:
        """The bare lock, whatever transaction is open and also after the end."""
        try:
            if not self._lock.acquire(False) and not self._lock.acquire(timeout=self.timeout):
                raise self._locked_out()
        except BaseException:  # Ctrl-C too: nobody else would release it
            give_back(self._lock)
            raise

    def _locked_out(self) -> BusyError:
        holder = self.transaction
        who = f"thread {holder.thread} has a transaction open" if holder else "it is in use"
        return BusyError(f"database is locked: {who} (waited {self.timeout:g} s)")

    def __enter__(self) -> None:
        self.acquire()

    @property
    def __exit__(self) -> Callable[..., None]:
        # The inner lock's: one in Python could be interrupted before it has begun.
        return self._lock.__exit__

    def leave_to_the_parent(self) -> None:
        """In a child made by fork: nothing is its own, not the transaction that is open."""
        self.closed = self.forked = True
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            transaction.finish()
        _set_free(self._lock)

    @property
    def in_own_transaction(self) -> bool:
        """Whether the calling thread has a transaction open."""
        transaction = self.transaction
        return transaction is not None and transaction.thread == get_ident()


def _set_free(lock: Any) -> None:
    """In a child made by fork: no other thread has the lock, for there is none."""
    if not lock._is_owned():
        lock._at_fork_reinit()


_all: WeakSet[WriterLock] = WeakSet()


def _leave_to_the_parent() -> None:
    """A connection must not be used in a child: https://sqlite.org/howtocorrupt.html, 2.6."""
    for lock in list(_all):
        lock.leave_to_the_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
