"""What happens in a database as Observables: its commits, and what they wake."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NoReturn, TypeVar

from reactivex import Observable, abc

from reactive_sqlite.liveness.publisher import Publisher

logger = logging.getLogger("reactive_sqlite")

T = TypeVar("T")


class EventStream(Observable[T]):
    """An Observable of events, each delivered in the order of commits, with no lock held.

    It completes when the database is closed.
    """

    def __init__(
        self,
        publisher: Publisher,
        listen: Callable[[Callable[[T], None]], Callable[[], None]],
        name: str,
    ) -> None:
        self._publisher = publisher
        self._start = listen
        self._name = name
        super().__init__(self._listen)

    def __iter__(self) -> NoReturn:
        """Refused: reactivex would make an endless sequence of observables of it."""
        raise TypeError(f"{self._name} are not iterable: use subscribe()")

    def _listen(
        self, observer: abc.ObserverBase[T], _: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        self._publisher.check_open()

        def deliver(event: T) -> None:
            try:
                observer.on_next(event)
            except Exception:
                # A subscriber that raises harms no other, and not who commits.
                self._publisher.count_failure()
                logger.exception("a subscriber of the %s raised", self._name)

        return _Listening(self._start(deliver), self._publisher.at_end(observer.on_completed))


class _Listening(abc.DisposableBase):
    """A subscription to events."""

    def __init__(self, *stops: Callable[[], None]) -> None:
        self._stops = stops

    def dispose(self) -> None:
        """Stop listening."""
        for stop in self._stops:
            stop()
