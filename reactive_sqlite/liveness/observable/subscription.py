"""A subscriber of a live result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Self

from reactivex import abc

from reactive_sqlite.driver.mutex import Lock
from reactive_sqlite.liveness.live import Emission, LiveResult
from reactive_sqlite.liveness.opening import Opening

logger = logging.getLogger("reactive_sqlite")

#: What a projection gives when there is nothing to deliver.
NOTHING: Any = object()


class Subscription(abc.DisposableBase):
    """One subscriber of one live result: what ``subscribe`` returns.

    ``dispose()`` ends it at once, also from inside its own callback. An exception that the
    subscriber raises is logged with the query, and nobody else notices.
    """

    __slots__ = (
        "_carries_errors",
        "_ended",
        "_node",
        "_on_completed",
        "_on_error",
        "_on_next",
        "_opening",
        "_project",
    )

    def __init__(
        self,
        opening: Opening,
        project: Callable[[Emission], Any] | None,
        on_next: Callable[[Any], object] | None,
        on_error: Callable[[Exception], object] | None,
        on_completed: Callable[[], object] | None,
        carries_errors: bool,
    ) -> None:
        self._opening = opening
        self._project = project
        self._carries_errors = carries_errors
        self._on_next = on_next or _ignore
        self._on_error = on_error
        self._on_completed = on_completed
        self._node: LiveResult | None = None
        self._ended = False

    def open(self, max_rate: float | None = None) -> Self:
        """Join the live result; the first value is delivered before this returns.

        What cannot even begin is told to ``on_error``: operators that subscribe again rely on it.
        """
        try:
            node = self._opening.join(self, self._carries_errors)
        except Exception as error:
            if self._on_error is None or self._ended:
                raise
            self._ended = True
            self._on_error(error)
            return self
        if self._ended:  # by its own first value
            self._opening.publisher.unsubscribe(node, self)
        else:
            self._node = node
        return self

    def receive(self, emission: Emission) -> None:
        """Hand one emission to the subscriber."""
        try:
            if emission.error is not None and not self._carries_errors:
                self._fail(emission, emission.error)
                return
            project = self._project
            if project is None:
                value = emission.value
                emission.reached = self
                self._on_next(value)
            elif not self._ended:
                try:
                    value = project(emission)
                except Exception as error:  # noqa: BLE001  a row that does not fit the wanted type
                    self._opening.publisher.count_failure()
                    self._fail(emission, error)
                    return
                if value is not NOTHING:
                    emission.reached = self
                    self._on_next(value)
        except Exception:  # noqa: BLE001  logged there
            self._log_failure()

    def _fail(self, emission: Emission, error: Exception) -> None:
        if self._ended:
            return
        self.dispose()
        emission.reached = self
        if self._on_error is not None:
            self._on_error(error)
        else:
            told = "a live query fails, and nobody handles it: %s: %s"
            trace = None if error is emission.error else error  # of the program's own functions
            logger.error(told, self._opening, error, exc_info=trace)

    def complete(self) -> None:
        """The database is closed."""
        if not self._ended:
            self._ended = True
            try:
                if self._on_completed is not None:
                    self._on_completed()
            except Exception:  # noqa: BLE001  logged there
                self._log_failure()

    def _log_failure(self) -> None:
        self._opening.publisher.count_failure()
        logger.exception("a subscriber of %s raised", self._opening)

    def dispose(self) -> None:
        """Stop: nothing is delivered any more, and what only this subscriber needed is freed."""
        if not self._ended:
            self._ended = True
            self._on_next = _ignore
            node, publisher = self._node, self._opening.publisher
            if node is not None:
                try:
                    publisher.unsubscribe(node, self)
                except BaseException:  # Ctrl-C: it is too late to leave it undone
                    publisher.unsubscribe(node, self)
                    raise
                self._node = None  # with its value, however long the program keeps what has ended


def _ignore(value: object) -> None:
    """What a subscriber does who is not interested, or not any more."""


class RatedSubscription(Subscription):
    """A subscriber who gets values at most so often: the newest, the last one always.

    A value that comes too early waits, in the place of any that waits already, and is delivered
    on the timer's thread, in turn with all other values of the database.
    """

    __slots__ = ("_due", "_interval", "_lock", "_waiting")

    def open(self, max_rate: float | None = None) -> Self:
        """Join the live result; ``max_rate`` is in values per second."""
        assert max_rate is not None
        self._interval = 1 / max_rate
        self._due = 0.0
        self._lock = Lock()
        self._waiting: Emission | None = None
        return super().open()

    def receive(self, emission: Emission) -> None:
        """Hand it on, or let it wait until it is due."""
        now = monotonic()
        with self._lock:
            waiting, due = self._waiting, self._due
            if waiting is not None:
                self._waiting, emission.reached = emission.instead_of(waiting), self
                return
            if now < due:
                # The timer first: what waits without one would wait for ever.
                self._opening.publisher.timer.at(due, self._ring)
                self._waiting, emission.reached = emission, self
                return
            self._due = now + self._interval
        super().receive(emission)

    def _ring(self) -> None:
        publisher = self._opening.publisher
        publisher.enqueue(self._hand_on)
        publisher.deliver()

    def _hand_on(self) -> None:
        with self._lock:
            emission, self._waiting = self._waiting, None
            self._due = monotonic() + self._interval
        if emission is not None and self._opening.differs(emission):
            super().receive(emission)

    def dispose(self) -> None:
        """Stop; what waits is not kept until it would have been due."""
        super().dispose()
        self._waiting = None

    def complete(self) -> None:
        """Deliver what waits, then the end."""
        self._hand_on()
        super().complete()
