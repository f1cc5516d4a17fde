"""Live results as reactivex Observables. The only module that imports reactivex."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from reactivex import Observable, abc

from reactive_sqlite.change import ChangeSet
from reactive_sqlite.delta import Delta
from reactive_sqlite.live import Emission, LiveResult
from reactive_sqlite.opening import Opening
from reactive_sqlite.publisher import Publisher

logger = logging.getLogger("reactive_sqlite")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class State(Generic[T]):
    """What a live query knows at one moment: the last good value, and the error if it fails now.

    ``version`` is the number of the commit that it belongs to.

    >>> State(42, None, 7)
    State(value=42, error=None, version=7)
    """

    value: T | None
    error: Exception | None
    version: int


class Subscription(abc.DisposableBase):
    """One subscriber of one live result: what ``subscribe`` returns.

    ``dispose()`` ends it at once, also from inside its own callback. An exception that the
    subscriber raises is logged with the query, and nobody else notices.
    """

    __slots__ = ("_ended", "_node", "_on_completed", "_on_error", "_on_next", "_project", "_stream")

    def __init__(
        self,
        stream: LiveStream[Any],
        on_next: Callable[[Any], object] | None,
        on_error: Callable[[Exception], object] | None,
        on_completed: Callable[[], object] | None,
    ) -> None:
        self._stream = stream
        self._project = stream._projection()
        self._on_next = on_next or _ignore
        self._on_error = on_error
        self._on_completed = on_completed
        self._node: LiveResult | None = None
        self._ended = False

    def _open(self) -> Subscription:
        node = self._stream._opening.join(self)
        if self._ended:  # by its own first value
            self._stream._publisher.unsubscribe(node, self)
        else:
            self._node = node
        return self

    def receive(self, emission: Emission) -> None:
        """Hand one emission to the subscriber."""
        try:
            if emission.error is not None and not self._stream._carries_errors:
                self._fail(emission.error)
                return
            project = self._project
            if project is None:
                self._on_next(emission.value)
            elif not self._ended:
                value = project(emission)
                if value is not _NOTHING:
                    self._on_next(value)
        except Exception:  # noqa: BLE001  logged there
            self._log_failure()

    def _fail(self, error: Exception) -> None:
        if self._ended:
            return
        self.dispose()
        if self._on_error is not None:
            self._on_error(error)
        else:
            logger.error("a live query fails, and nobody handles it: %s: %s", self._stream, error)

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
        self._stream._publisher.count_failure()
        logger.exception("a subscriber of %s raised", self._stream)

    def dispose(self) -> None:
        """Stop: nothing is delivered any more, and what only this subscriber needed is freed."""
        if not self._ended:
            self._ended = True
            self._on_next = _ignore
            if self._node is not None:
                self._stream._publisher.unsubscribe(self._node, self)


_NOTHING: Any = object()


def _ignore(value: object) -> None:
    """What a subscriber does who is not interested, or not any more."""


class LiveStream(Observable[T]):
    """An Observable over a live result, in one of its forms."""

    _carries_errors = False

    def __init__(self, opening: Opening) -> None:
        # Observable.__init__ would make a lock that nothing here uses, for each live query.
        self._opening = opening
        self._publisher = opening.publisher

    def __str__(self) -> str:
        return str(self._opening)

    def _projection(self) -> Callable[[Emission], Any] | None:
        """What makes a value of this form of an emission; None: the emission's value as it is."""
        raise NotImplementedError

    def subscribe(
        self,
        on_next: abc.ObserverBase[T] | abc.OnNext[T] | None = None,
        on_error: abc.OnError | None = None,
        on_completed: abc.OnCompleted | None = None,
        *,
        scheduler: abc.SchedulerBase | None = None,
    ) -> Subscription:
        """Deliver the value now, then one after each commit that changes it.

        Takes callables or an observer, as every Observable does. The first value is delivered
        before this returns, on the calling thread (inside a transaction: when that ends); later
        ones on the committing thread, with no lock held. ``scheduler`` is accepted for
        compatibility; `reactivex.operators.observe_on` moves values elsewhere.
        """
        if isinstance(on_next, abc.ObserverBase) or hasattr(on_next, "on_next"):
            observer: Any = on_next
            return Subscription(
                self, observer.on_next, observer.on_error, observer.on_completed
            )._open()
        return Subscription(self, on_next, on_error, on_completed)._open()

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        return self.subscribe(observer, scheduler=scheduler)

    async def __aiter__(self) -> AsyncIterator[T]:
        """The value now, then the newest one each time the loop asks: latest wins.

        A slow consumer skips values and never holds up a writer. Leaving the loop unsubscribes.
        """
        loop = asyncio.get_running_loop()
        wake = asyncio.Event()
        newest: list[T] = []
        ended: list[Exception | None] = []

        def ring() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(wake.set)

        def on_next(value: T) -> None:
            newest[:] = [value]
            ring()

        def on_error(error: Exception) -> None:
            ended.append(error)
            ring()

        def on_completed() -> None:
            ended.append(None)
            ring()

        with self.subscribe(on_next, on_error, on_completed):
            while True:
                if newest:
                    wake.clear()
                    yield newest.pop()
                elif ended:
                    if ended[0] is not None:
                        raise ended[0]
                    return
                else:
                    await wake.wait()
                    wake.clear()


class LiveQuery(LiveStream[T]):
    """A query whose answer stays right: an Observable of its value, now and after each commit.

    >>> from reactive_sqlite import ReactiveDatabase
    >>> db = ReactiveDatabase()
    >>> _ = db.execute("CREATE TABLE tasks(id INTEGER PRIMARY KEY, done)")
    >>> count = db.query_value("SELECT count(*) FROM tasks WHERE NOT done")
    >>> subscription = count.subscribe(print)
    0
    >>> _ = db.execute("INSERT INTO tasks(done) VALUES (0)")
    1
    >>> subscription.dispose()

    Subscribers get the value at once, then one value per commit that changes it, in the order of
    commits, none from a rollback and none that equals the one before. Nothing is promised about
    what lies outside the tables: a result that also depends on ``random()``, the clock or an
    application function is asked again when a table that it reads changes, not when the clock
    ticks; `ReactiveDatabase.invalidate` does it by hand.
    """

    def get(self) -> T:
        """The value now. Inside a transaction of this thread: with what it has written so far.

        Raises what the query raises. Runs on the calling thread.

        >>> from reactive_sqlite import ReactiveDatabase
        >>> ReactiveDatabase().query("SELECT 1 AS one").get()
        (Row(one=1),)
        """
        value: T = self._opening.evaluate()
        return value

    def changes(self) -> LiveStream[Delta]:
        """An Observable of `Delta` against the previous value.

        The first one holds all rows as added (none is delivered for an empty result), so that
        whoever applies them in order has the value at any time.

        >>> from reactive_sqlite import ReactiveDatabase
        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(x)")
        >>> subscription = db.query("SELECT x FROM t").changes().subscribe(lambda d: print(d.added))
        >>> _ = db.execute("INSERT INTO t VALUES (1)")
        (Row(x=1),)
        """
        return DeltaStream(self._opening)

    def states(self) -> LiveStream[State[T]]:
        """An Observable of `State` that survives errors.

        It tells of the first failure and of the recovery, and ends only with the database.

        >>> from reactive_sqlite import ReactiveDatabase
        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(x)")
        >>> count = db.query_value("SELECT count(*) FROM t").states()
        >>> subscription = count.subscribe(lambda state: print(state.value, state.error))
        0 None
        >>> _ = db.execute("DROP TABLE t")
        0 no such table: t
        >>> _ = db.execute("CREATE TABLE t(x)")
        0 None
        """
        return StateStream(self._opening)

    def _projection(self) -> Callable[[Emission], Any] | None:
        return self._opening.convert if self._opening.converts else None


class StateStream(LiveStream[State[T]]):
    """A live query's values and failures."""

    _carries_errors = True

    def _projection(self) -> Callable[[Emission], Any] | None:
        return self._state

    def _state(self, emission: Emission) -> State[Any]:
        value = None if emission.value is None else self._opening.convert(emission)
        return State(value, emission.error, emission.version)


class DeltaStream(LiveStream[Delta]):
    """A live query's differences."""

    def _projection(self) -> Callable[[Emission], Any] | None:
        return self._delta

    def _delta(self, emission: Emission) -> Delta:
        return self._opening.delta(emission) or cast("Delta", _NOTHING)


class CommitStream(Observable[ChangeSet]):
    """An Observable of every `ChangeSet`, with the rows of all tables."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        super().__init__(self._listen)

    def _listen(
        self, observer: abc.ObserverBase[ChangeSet], _: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        def deliver(change: ChangeSet) -> None:
            try:
                observer.on_next(change)
            except Exception:
                self._publisher.count_failure()
                logger.exception("a subscriber of the commits raised")

        return _Listening(self._publisher.listen(deliver))


class _Listening(abc.DisposableBase):
    """A subscription to the commits."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def dispose(self) -> None:
        """Stop listening."""
        self._stop()
