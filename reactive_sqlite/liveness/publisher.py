"""The one door through which commits become values in subscribers' hands.

`Publisher.publish` runs under the writing lock: it asks the store which live results a commit
touches, refreshes them in one snapshot, and queues what changed. `Publisher.deliver` runs with no
lock held and hands the queue out, one job at a time, in the order of commits.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Protocol

from msgspec import structs

from reactive_sqlite.driver.errors import BusyError
from reactive_sqlite.engine.engine import Engine
from reactive_sqlite.journal.foreign import Foreign
from reactive_sqlite.journal.records import merged
from reactive_sqlite.liveness.delivery import PATIENCE, Delivery
from reactive_sqlite.liveness.handout import Handout
from reactive_sqlite.liveness.incremental import Policy
from reactive_sqlite.liveness.listeners import Listeners
from reactive_sqlite.liveness.live import Emission, LiveResult, LiveStore, Receiver, Source
from reactive_sqlite.liveness.refresh import Refresher
from reactive_sqlite.liveness.timer import Timer
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.trace import Difference, Stats, Trace, Wake


class Outside(Protocol):
    """The other users of the file: told of commits, watched as long as there is an audience."""

    def ring(self) -> None:
        """There is a new commit. Under the writing lock."""

    def watch(self) -> None:
        """The audience has changed."""


class Publisher:
    """Turns commits into emissions, and has them delivered in order."""

    def __init__(
        self,
        store: LiveStore,
        stats: Stats,
        policy: Policy = "auto",
        verify: float = 0.0,
        on_difference: Callable[[Difference], object] | None = None,
    ) -> None:
        self._store = store
        self._stats = stats
        self._policy: Policy = policy
        self._verification = (verify, on_difference)
        self._engine: Engine | None = None
        self._outside: Outside | None = None
        self._delivery = Delivery()
        handout = self._handout = Handout(self._delivery, stats)
        self.tell, self._complete = handout.tell, handout.complete
        self.deliver = self._delivery.deliver
        """hands out what the calling thread has queued, and all before it; holds no lock"""
        self.flush = self._delivery.flush
        """returns when all that was queued is delivered; inside a callback: at once"""
        self.timer = Timer()
        self._waiting: list[LiveResult] = []
        self._listeners = Listeners(self.enqueue)
        self.at_end = self._listeners.at_end
        """has a call made when the database is closed; the result takes it back"""

    def attach(self, engine: Engine, outside: Outside | None = None) -> None:
        """The engine whose commits are published here, and who else has its file open."""
        self._engine = engine
        self._refresher = Refresher(
            self._store, self._stats, self, self._policy, engine.set_up, *self._verification
        )
        self.unable = self._refresher.unable
        self._listeners.wanted = partial(engine.recorder.record_all, "listeners")
        self._reads, self._outside = engine.reads, outside

    @property
    def _attached(self) -> Engine:
        assert self._engine is not None
        return self._engine

    def check_open(self) -> None:
        """Raise `ClosedError` after the end."""
        self._attached.lock.check_open()

    # -- a commit, under the writing lock -------------------------------------------------------

    def publish(self, change: ChangeSet | None) -> None:
        """Refresh what the commit touches and queue what changed. Called under the lock.

        None is a commit that changed only what nobody reads.
        """
        if self._outside is not None:
            self._outside.ring()
        stats, listeners, refresher = self._stats, self._listeners, self._refresher
        stats.commits += 1
        moved = self._reads.on_file and len(self._store) > 0 and self._reads.schema_moved()
        heard = listeners.calls or refresher.verifies
        if not moved and (change is None or not (heard or self._store.index.touches(change))):
            stats.skipped += 1
            return
        change = change or ChangeSet(self._attached.writes.version)
        if listeners.calls:
            listeners.tell(change)
        if moved:
            change = ChangeSet.whole(change.seq)  # rows of columns that others have moved
        if change.everything:
            self._audience_changed()  # what is attached may be other files
        touched = self._store.touched_by(change)
        drawn = refresher.verifies and refresher.draws()
        if not touched:
            stats.skipped += 1
            refresher.untouched(change)
            if not drawn:
                return
        reads = self._reads
        try:
            several = reads.on_file and refresher.needs_snapshot(touched)
            foreign = reads.begin_refresh(several=several)
            if foreign is not None:
                own, change = change, merged(change, self._count(foreign))
                touched = self._store.touched_by(change, own, *foreign.each)
            refresher.refresh(touched, change, own=foreign is None, drawn=drawn)
        except BusyError as error:
            reads.put_off(error)
        except BaseException:  # Ctrl-C too: what was read may not have been refreshed
            reads.look_again()
            raise
        finally:
            try:
                reads.end_refresh()
            except BaseException:  # Ctrl-C: nobody could write any more
                reads.end_refresh()
                raise

    # -- a subscription -------------------------------------------------------------------------

    def subscribe(
        self, key: Hashable, make: Callable[[], Source], receiver: Receiver
    ) -> LiveResult:
        """Add a receiver; its first value is delivered before this returns.

        Inside a transaction of the calling thread it waits for the end of that; behind another
        thread's slow delivery it waits for its turn.
        """
        self.check_open()
        try:
            node = self._store.join(key, make, receiver)
            self._open(node)
        except BaseException:  # Ctrl-C: nobody will ever dispose of it
            self._store.leave(key, receiver)
            self._audience_changed()
            raise
        return node

    def _open(self, node: LiveResult) -> None:
        """See to it that the newcomers of the node get their first value."""
        self._audience_changed()
        if self._attached.lock.in_own_transaction:
            self._waiting.append(node)
            return
        if not node.loaded:
            self._load(node)
        self._start(node)
        # Another thread may have queued this first value together with its own.
        self._delivery.catch_up()

    def _load(self, node: LiveResult, *, wait: bool = True) -> None:
        """See to it that the node has a value; ``wait`` while another thread does so."""
        store = self._store
        with store.lock:
            if node.loading and wait:
                store.loaded.wait_for(lambda: not node.loading)
            if node.loaded or node.loading:
                return
            node.loading = True
        try:
            if not self._evaluate(node):
                # Read beside a commit: of which one is it? What is being refreshed may be older.
                lock = self._attached.lock
                while True:
                    free = lock.try_acquire(PATIENCE)
                    if free or not lock.refreshing:
                        break
                if free:
                    try:
                        self._evaluate(node)
                    finally:
                        lock.release()
            node.loaded = True
        finally:
            with store.lock:
                node.loading = False
                store.loaded.notify_all()

    def _evaluate(self, node: LiveResult) -> bool:
        """Ask for the first value; gives whether it is known to be that of the last commit."""
        writes = self._attached.writes
        begun, done, version = writes.begun, writes.done, writes.version
        self._stats.opened += 1
        value, region, error, _ = node.source.evaluate()
        self._stats.failed += error is not None
        with self._store.lock:
            if node.loaded:  # a commit has refreshed it meanwhile
                return True
            node.value, node.error, node.version = value, error, version
            node.exact = begun == done and writes.begun == begun
            # What was concluded from the value holds for the commits after it only.
            self._store.place(node, region if node.exact else node.source.region)
            return node.exact

    def _start(self, node: LiveResult) -> None:
        """Queue the first value for those who have none yet."""
        # Queued under the lock that guards the value: the queue has values in their order.
        with self._store.lock:
            newcomers = node.newcomers if node.loaded else ()
            if newcomers:
                emission = Emission(node.value, None, node.version, node.error, first=True)
                interrupted = self.tell((), emission, newcomers, emission)
                node.receivers, node.newcomers = node.receivers + newcomers, ()
                if interrupted is not None:
                    raise interrupted

    def transaction_ended(self) -> None:
        """Give subscriptions made inside a transaction their first value. Under the lock."""
        while self._waiting:
            node = self._waiting[0]
            # Who is loading it in another thread may need the lock that is held here, and will
            # give all receivers their first value.
            self._load(node, wait=False)
            self._start(node)
            del self._waiting[0]

    # -- delivery ----------------------------------------------------------------------------

    def enqueue(self, call: Callable[[], None]) -> None:
        """Queue a call for `deliver`."""
        self._delivery.enqueue(self._delivery.once(call))

    # -- neighbours, listeners, the end ---------------------------------------------------------

    def _count(self, foreign: Foreign) -> ChangeSet:
        """Give the commits of others their number, and tell the listeners."""
        version = self._attached.neighbours_version(foreign.commits)
        change = structs.replace(foreign.change, seq=version)
        self._stats.commits += foreign.commits
        self._listeners.tell(change)
        return change

    def refresh(self, foreign: Foreign) -> None:
        """Refresh what commits of others touch. Between begin_refresh and end_refresh."""
        change = self._count(foreign)
        touched = self._store.touched_by(change, *foreign.each)
        self._stats.skipped += not touched
        self._refresher.refresh(touched, change)

    def fail(self, error: Exception) -> None:
        """Tell all subscribers, now and later, that values are not kept up to date any more."""
        with self._store.lock:  # the writer's may be taken for as long as a transaction is open
            self._handout.lasting = error
            for node in self._store.nodes():
                self.tell(node.receivers, Emission(node.value, None, node.version, error))
        self.deliver()

    def _audience_changed(self) -> None:
        if self._outside is not None and not self._attached.lock.forked:
            self._outside.watch()

    @property
    def has_audience(self) -> bool:
        """Whether anybody wants to hear of commits."""
        return bool(self._listeners.calls) or len(self._store) > 0

    def listen(self, listener: Callable[[ChangeSet], None]) -> Callable[[], None]:
        """Have each ChangeSet delivered; the result takes the listener away again."""
        self._listeners.add(listener)
        self._audience_changed()

        def stop() -> None:
            self._listeners.remove(listener)
            self._audience_changed()

        return stop

    def trace(self, listener: Callable[[Trace], None]) -> Callable[[], None]:
        """Have a `Trace` of each commit delivered; the result takes the listener away again."""
        recording = self.listen(lambda change: None)  # a trace tells the rows of all tables
        tracing = self._refresher.trace(listener)

        def stop() -> None:
            tracing()
            recording()

        return stop

    def would_wake(self, change: ChangeSet) -> tuple[Wake, ...]:
        """What a change would wake. Under the lock."""
        return self._refresher.would_wake(change)

    def count_failure(self) -> None:
        """A subscriber raised."""
        self._stats.failed += 1

    def unsubscribe(self, node: LiveResult, receiver: Receiver) -> None:
        """Take a receiver away."""
        if not self._attached.lock.forked:  # else another thread may have had the store's lock
            self._store.leave(node.key, receiver)
            self._audience_changed()

    def complete(self) -> None:
        """Tell all receivers that the database is closed, after what is still queued."""
        for node in self._store.clear():
            self._complete(node.receivers + node.newcomers)
        self._listeners.end()
        self.deliver()
        self.timer.forget()
