"""The queue between commits and subscribers: first in, first out, one thread at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from reactive_sqlite.driver.mutex import Lock, RLock, give_back

#: Seconds for which a thread waits until another one has handed out what is queued. Longer means
#: that a subscriber is slow or waits for this very thread; its thread will then do the rest.
PATIENCE = 0.25


class _Ticket(threading.local):
    """The number of the last job that this thread has queued."""

    ticket = 0


class Delivery:
    """Jobs that call subscribers, run in the order in which they were queued.

    At any time at most one thread runs them. Who queues while another thread delivers waits for
    its turn, though not for ever; who queues inside a subscriber's callback returns at once, and
    the running delivery goes on with it. No lock is held while a job runs.

    Ctrl-C can come after any call that C answers, where a function in Python begins, and where a
    loop goes round. What must happen together is therefore written with operators alone. Where a
    ``while`` with a condition goes round, Python 3.13 is outside of the ``try`` or ``with`` around
    it: so it is ``while True`` there.
    """

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._lock = Lock()
        self._queued = 0
        self._handed = 0
        self._mine = _Ticket()
        self._turn = RLock()  # reentrant, to know whose it is: see `give_back`
        self._turn_of: int | None = None
        self.rest: Callable[[], None] | None = None
        """what is left of the running job should it be interrupted: all, until it says otherwise"""

    def enqueue(self, *jobs: Callable[[], None]) -> None:
        """Queue jobs, all or none; `deliver` will run them."""
        count = len(jobs)
        with self._lock:
            self._jobs += jobs
            self._mine.ticket = self._queued = self._queued + count

    def holds(self, job: Callable[[], None]) -> bool:
        """Whether a job is queued, or being run; also while another thread takes some away."""
        jobs = self._jobs
        # From behind: those before move to the front meanwhile, and are met again, not missed.
        for at in range(len(jobs) - 1, -1, -1):
            with suppress(IndexError):
                if jobs[at] is job:
                    return True
        return False

    def once(self, job: Callable[[], None]) -> Callable[[], None]:
        """The same job, which is not made again if it is interrupted."""

        def run() -> None:
            self.rest = None
            job()

        return run

    def deliver(self) -> None:
        """Run what this thread has queued, and all before it."""
        if self._handed != self._queued:
            ticket = self._mine.ticket
            if self._handed < ticket:
                self._deliver_up_to(ticket)

    def catch_up(self) -> None:
        """Run all that is queued, whoever queued it."""
        self._mine.ticket = self._queued
        self.deliver()

    def _deliver_up_to(self, ticket: int) -> None:
        me = threading.get_ident()
        while self._handed < ticket and self._turn_of != me:
            try:
                if not self._turn.acquire(False) and not self._turn.acquire(timeout=PATIENCE):
                    return
                self._turn_of = me
                while True:
                    if not self._jobs:
                        break
                    job = self.rest = self._jobs[0]
                    try:
                        job()
                        self.rest = None
                    finally:
                        rest = self.rest
                        if rest is None:
                            del self._jobs[0]
                            self._handed += 1
                        else:
                            self._jobs[0] = rest
            except BaseException:  # Ctrl-C, or a subscriber's exit: others go on
                if self._turn_of == me:  # else it is still another thread's
                    self._turn_of = None
                give_back(self._turn)
                raise
            self._turn_of = None
            self._turn.release()

    def flush(self) -> None:
        """Return when all that was queued has been run. Inside a job: at once."""
        ticket = self._queued
        while self._handed < ticket and self._turn_of != threading.get_ident():
            self._deliver_up_to(ticket)
