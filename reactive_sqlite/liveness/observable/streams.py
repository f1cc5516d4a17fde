"""A live query as an Observable: of its values, its states, its differences."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar, cast, overload

from reactivex import Observable, abc

from reactive_sqlite.driver.mutex import Lock, RLock
from reactive_sqlite.liveness.live import Emission
from reactive_sqlite.liveness.observable.subscription import (
    NOTHING,
    RatedSubscription,
    Subscription,
)
from reactive_sqlite.liveness.opening import Opening
from reactive_sqlite.values.delta import Delta

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class State(Generic[T]):
    """What a live query knows at one moment: the last good value, and the error if it fails now.

    ``version`` is the number of the commit that it belongs to. Where the rows do not fit the
    wanted type, there is no value.

    >>> State(42, None, 7)
    State(value=42, error=None, version=7)
    """

    value: T | None
    error: Exception | None
    version: int


class LiveStream(Observable[T]):
    """An Observable over a live result, in one of its forms."""

    _carries_errors = False

    def __init__(self, opening: Opening, max_rate: float | None = None) -> None:
        # Observable.__init__ would make a lock for each live query: see `lock`.
        self._opening = opening
        self._max_rate = max_rate

    def __str__(self) -> str:
        return str(self._opening)

    @property
    def lock(self) -> Any:  # type: ignore[override]  # nobody sets it
        """What operators of reactivex hold while they are told: made when one asks for it."""
        return self.__dict__.setdefault("_lock", RLock())

    @abstractmethod
    def _projection(self) -> Callable[[Emission], Any] | None:
        """What makes a value of this form of an emission; None: the emission's value as it is."""

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
        before this returns, on the calling thread (inside a transaction: when that ends; inside
        a subscriber's callback: after it; while another thread's subscriber is slow: after that,
        on its thread); later ones on the committing thread, with no lock held. ``scheduler`` is
        accepted for compatibility; `reactivex.operators.observe_on` moves values elsewhere. With a
        `max_rate` a value that comes too early is delivered later, on a timer's thread.

        A query that cannot even begin, as without its table, is told to ``on_error``; raised when
        there is none.
        """
        if isinstance(on_next, abc.ObserverBase) or hasattr(on_next, "on_next"):
            observer: Any = on_next
            on_next, on_error = observer.on_next, observer.on_error
            on_completed = observer.on_completed
        for called in (on_next, on_error, on_completed):
            if called is not None and not callable(called):
                raise TypeError(f"a subscriber is callables or an observer, not {called!r}")
        told = cast("Callable[[Any], object] | None", on_next)
        subscription = self._subscription(self._projection(), told, on_error, on_completed)
        return subscription.open(self._max_rate)

    def _subscription(
        self,
        project: Callable[[Emission], Any] | None,
        on_next: Callable[[Any], object] | None,
        on_error: Callable[[Exception], object] | None,
        on_completed: Callable[[], object] | None,
    ) -> Subscription:
        kind = Subscription if self._max_rate is None else RatedSubscription
        errors = self._carries_errors
        return kind(self._opening, project, on_next, on_error, on_completed, errors)

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        return self.subscribe(observer, scheduler=scheduler)

    def __iter__(self) -> NoReturn:
        """Refused: reactivex would make an endless sequence of observables of it."""
        raise TypeError("a live query is not iterable: use get(), subscribe() or `async for`")

    def __await__(self) -> NoReturn:
        """Refused: reactivex would wait for the end, and that comes when the database is closed."""
        raise TypeError(
            "a live query does not end: use get(), ReactiveDatabase.wait_until() or `async for`"
        )

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        """The value now, then the newest one each time the loop asks: latest wins.

        A slow consumer skips values and never holds up a writer. Leaving the loop unsubscribes, as
        soon as asyncio closes the generator; ``contextlib.aclosing`` does so at once.
        """
        loop = asyncio.get_running_loop()
        wake = asyncio.Event()
        newest: list[tuple[Emission, bool]] = []
        ended: list[Exception | None] = []
        lock = Lock()

        def ring() -> None:
            try:
                loop.call_soon_threadsafe(wake.set)
            except RuntimeError:  # the loop is closed: nobody can ask for the next value any more
                subscription.dispose()

        def on_next(emission: Emission) -> None:
            with lock:
                missed = bool(newest)
                newest[:] = [(emission.instead_of(newest[0][0]) if missed else emission, missed)]
            ring()

        def on_error(error: Exception) -> None:
            ended.append(error)
            ring()

        def on_completed() -> None:
            ended.append(None)
            ring()

        project = self._projection()
        subscription = self._subscription(_itself, on_next, on_error, on_completed)
        emission = None
        with subscription.open(self._max_rate):
            while True:
                if newest and emission is not None:
                    await asyncio.sleep(0)  # or values without pause would stop the loop
                with lock:
                    emission, missed = newest.pop() if newest else (None, False)
                if emission is not None:
                    if missed and not self._opening.differs(emission):
                        continue  # there and back
                    value = emission.value if project is None else project(emission)
                    if value is not NOTHING:
                        yield value
                elif ended:
                    if ended[0] is not None:
                        raise ended[0]
                    return
                elif asyncio.get_running_loop() is not loop:
                    raise RuntimeError("this iteration was begun in another event loop")
                else:
                    await wake.wait()
                    wake.clear()


def _itself(emission: Emission) -> Emission:
    return emission


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
    commits, none from a rollback and none that equals the one before. A query that fails, as when
    its table is dropped, is told to ``on_error``, and that is the end of the subscription, as
    everywhere in Rx; `states` goes on and tells when it works again. Nothing is promised about
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

    @overload
    def changes(self: LiveQuery[tuple[R, ...]]) -> LiveStream[Delta[R]]: ...
    @overload
    def changes(self: LiveQuery[list[R]]) -> LiveStream[Delta[R]]: ...
    @overload
    def changes(self: LiveQuery[Sequence[R]]) -> LiveStream[Delta[R]]: ...
    @overload
    def changes(self) -> LiveStream[Delta[Any]]: ...
    def changes(self) -> LiveStream[Delta[Any]]:
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
        return DeltaStream(self._opening, self._max_rate)

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
        return StateStream(self._opening, self._max_rate)

    def _projection(self) -> Callable[[Emission], Any] | None:
        return self._opening.convert if self._opening.converts else None


class StateStream(LiveStream[State[T]]):
    """A live query's values and failures."""

    _carries_errors = True

    def _projection(self) -> Callable[[Emission], Any] | None:
        return self._state

    def _state(self, emission: Emission) -> State[Any]:
        try:
            value = None if emission.value is None else self._opening.convert(emission)
        except Exception as error:  # noqa: BLE001  it is not swallowed: the state has it
            return State(None, emission.error or error, emission.version)
        return State(value, emission.error, emission.version)


class DeltaStream(LiveStream[Delta[Any]]):
    """A live query's differences."""

    def _projection(self) -> Callable[[Emission], Any] | None:
        return self._delta

    def _delta(self, emission: Emission) -> Delta[Any]:
        return self._opening.delta(emission) or cast("Delta[Any]", NOTHING)
