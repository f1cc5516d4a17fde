"""The queue between commits and subscribers: first in, first out, one thread at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

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
    """

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._queued = 0
        self._handed = 0
        self._mine = _Ticket()
        self._turn = threading.Lock()
        self._turn_of: int | None = None
        self._rest: Callable[[], None] | None = None

    def enqueue(self, job: Callable[[], None]) -> None:
        """Queue a job; `deliver` will run it."""
        with self._lock:
            self._jobs.append(job)
            self._queued += 1
            self._mine.ticket = self._queued

    def resume(self, job: Callable[[], None]) -> None:
        """The running job is interrupted: this is what is left of it, and the next to be run."""
        self._rest = job

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
            if not self._turn.acquire(False) and not self._turn.acquire(timeout=PATIENCE):
                return
            self._turn_of = me
            try:
                while self._jobs:
                    job = self._jobs[0]
                    try:
                        job()
                    finally:
                        rest, self._rest = self._rest, None
                        if rest is None:
                            self._jobs.popleft()
                            self._handed += 1
                        else:
                            self._jobs[0] = rest
            finally:
                self._turn_of = None
                self._turn.release()

    def flush(self) -> None:
        """Return when all that was queued has been run. Inside a job: at once."""
        ticket = self._queued
        while self._handed < ticket and self._turn_of != threading.get_ident():
            self._deliver_up_to(ticket)
