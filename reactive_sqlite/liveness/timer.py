"""A thread that calls things when their time has come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from time import monotonic

from reactive_sqlite.driver.mutex import Lock

logger = logging.getLogger("reactive_sqlite")

#: Seconds to wait at a time: what is due in a thousand years is more than a lock can wait for.
LONGEST_WAIT = 3600.0


class Timer:
    """Calls functions at their times (of ``time.monotonic``), one after another, on one thread.

    The thread lives as long as anything waits. It is a daemon: it holds up no program's end.
    """

    def __init__(self) -> None:
        # Entered by itself: a Condition's own methods can be interrupted with the lock in hand.
        self._lock = Lock()
        self._changed = threading.Condition(self._lock)
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._running = False

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Have it called then, or as soon as may be."""
        with self._lock:
            heappush(self._calls, (when, next(self._numbers), call))
            if not self._running:
                run, name = Context().run, "reactive-sqlite-timer"  # in no caller's context
                threading.Thread(target=run, args=(self._run,), name=name, daemon=True).start()
                self._running = True
            self._changed.notify()

    def forget(self) -> None:
        """What waits is not called any more, and the thread ends."""
        with self._lock:
            self._calls.clear()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._calls:
                    self._running = False
                    return
                when, _, call = self._calls[0]
                left = when - monotonic()
                if left > 0:
                    self._changed.wait(min(left, LONGEST_WAIT))
                    continue
                heappop(self._calls)
            try:
                call()
            except Exception:  # the thread has the calls of others, too
                logger.exception("a timed call failed")
