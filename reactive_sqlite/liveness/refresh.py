"""Brings live results up to date for one commit, and says what it did and why when asked.

Everything here is called under the writing lock, inside one snapshot.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, Protocol

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.errors import BusyError
from reactive_sqlite.liveness.incremental import Deferred, Maintenance, Policy, Step
from reactive_sqlite.liveness.live import Emission, LiveResult, LiveStore, Outcome, Receiver
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.region import Region
from reactive_sqlite.values.trace import Difference, Stats, Trace, Wake, reasons

logger = logging.getLogger("reactive_sqlite")


class Queue(Protocol):
    """Where what subscribers are to be told goes."""

    def tell(
        self,
        receivers: tuple[Receiver, ...],
        emission: Emission,
        newcomers: tuple[Receiver, ...],
        first: Emission | None,
    ) -> BaseException | None:
        """Queue an emission, and the first one of newcomers; gives Ctrl-C that came right after."""

    def enqueue(self, call: Callable[[], None]) -> None:
        """Queue a call."""


class Refresher:
    """Refreshes the touched results of a commit.

    ``verify`` is the share of refreshed results that are compared with a fresh run, and of
    commits after which one more result, touched or not, is; ``on_difference`` hears of any that
    was not what it should have been.
    """

    def __init__(
        self,
        store: LiveStore,
        stats: Stats,
        queue: Queue,
        policy: Policy,
        setup: Callable[[Connection], None],
        verify: float,
        on_difference: Callable[[Difference], object] | None,
    ) -> None:
        if not 0 <= verify <= 1:
            raise ValueError(f"verify is a share between 0 and 1, not {verify!r}")
        self._store = store
        self._stats = stats
        self._queue = queue
        self._maintenance = Maintenance(policy, setup)
        self._verify = verify
        self.verifies = verify > 0
        self._random = Random()
        self._on_difference = on_difference
        self._tracers: tuple[Callable[[Trace], None], ...] = ()

    def draws(self) -> bool:
        """Whether one more result, touched or not, shall be verified after this commit."""
        return self._random.random() < self._verify

    def needs_snapshot(self, touched: Sequence[LiveResult]) -> bool:
        """Whether refreshing these takes more than one read."""
        return len(touched) != 1 or self.verifies or touched[0].source.follows(self._maintenance)

    def refresh(
        self,
        touched: Sequence[LiveResult],
        change: ChangeSet,
        *,
        own: bool = False,
        drawn: bool = False,
    ) -> None:
        """Bring these up to date; ``drawn``: verify one more result, touched or not.

        ``own`` says that the change is the last commit of all, made here. What others committed
        may be older than a value that was read meanwhile.
        """
        try:
            if self._tracers:
                self._traced(touched, change, own)
            else:
                for node in touched:
                    self._refresh(node, change, own)
            if self.verifies:
                self._compare(touched, change.seq, drawn)
        except BaseException:  # Ctrl-C: a followed result may be half changed
            self._maintenance.interrupted()
            raise

    def _refresh(self, node: LiveResult, change: ChangeSet, own: bool) -> tuple[bool, str]:
        """Gives whether the query was run, and what came of it."""
        stats, version = self._stats, change.seq
        try:
            step = self._patch(node, change) if own else None
            if step is not None:
                stats.maintained += 1
                if not step.changed:
                    stats.unchanged += 1
                    node.version = version
                    return False, "unchanged"
                self._take_over(node, step.rows, version, step=step)
                return False, "changed"
            outcome = node.source.refresh(change, self._maintenance)
            if outcome.step is None:
                stats.refetched += 1
            else:
                stats.maintained += 1
            return outcome.step is None, self._settle(node, outcome, version)
        except BusyError:
            raise  # all are put off
        except Exception:
            # Whoever commits must not suffer for it, nor other results; and the fresh run is right.
            logger.exception("a live query could not be brought up to date: %s", node.source)
            self._maintenance.interrupted()
            stats.refetched += 1
            return True, self._settle(node, node.source.evaluate(), version)

    def _patch(self, node: LiveResult, change: ChangeSet) -> Step | None:
        if node.exact and node.loaded and node.error is None:
            return node.source.patch(node.value, change, self._maintenance)
        return None

    def _settle(self, node: LiveResult, outcome: Outcome, version: int) -> str:
        """Take an outcome over, and have the subscribers told if it is another one."""
        value, region, error, step = outcome
        if error is not None:
            if node.error is not None and _alike(node.error, error):
                self._store.place(node, region)
                return "failing still"
            self._stats.failed += 1
            logger.warning("a live query fails: %s: %s", node.source, error)
            self._take_over(node, node.value, version, region, error)
            return "failed"
        if node.loaded and node.error is None and _is_unchanged(node, value, step):
            self._store.place(node, region)
            node.version, node.exact = version, True
            self._stats.unchanged += 1
            return "unchanged"
        self._take_over(node, value, version, region, step=step)
        return "changed"

    def _take_over(
        self,
        node: LiveResult,
        value: Any,
        version: int,
        region: Region | None = None,
        error: Exception | None = None,
        step: Step | None = None,
    ) -> None:
        """Give the node its new state, and a new region if there is one; tell the subscribers."""
        store = self._store
        recovers = node.error is not None
        emission = Emission(value, node.value, version, error, recovers=recovers, step=step)
        with store.lock:
            # Together, as another thread may just have loaded an older value, with its region.
            if region is not None:
                store.place(node, region)
            receivers, newcomers, first = node.receivers, node.newcomers, None
            if newcomers:
                first = Emission(value, None, version, error, first=True)
            # Queued under the lock that guards the value: the queue has values in their order. And
            # right before the value is taken over: with no call in between nothing interrupts that.
            interrupted = self._queue.tell(receivers, emission, newcomers, first)
            node.value, node.error, node.version = value, error, version
            node.loaded = node.exact = True
            if newcomers:
                node.receivers, node.newcomers = receivers + newcomers, ()
            if interrupted is not None:
                raise interrupted

    def unable(self, error: Exception) -> None:
        """No query can be answered, until it is asked again. Told once, like a query that fails."""
        for node in self._store.nodes():
            if node.loaded and node.error is None:
                self._take_over(node, node.value, node.version, error=error)

    # -- why ------------------------------------------------------------------------------------

    def trace(self, listener: Callable[[Trace], None]) -> Callable[[], None]:
        """Have a `Trace` of each commit delivered; the result takes the listener away again."""
        with self._store.lock:
            self._tracers = (*self._tracers, listener)

        def stop() -> None:
            with self._store.lock:
                self._tracers = tuple(kept for kept in self._tracers if kept is not listener)

        return stop

    def untouched(self, change: ChangeSet) -> None:
        """A commit has touched nothing."""
        for tracer in self._tracers:
            self._queue.enqueue(partial(tracer, Trace(change.seq, str(change), ())))

    def _traced(self, touched: Sequence[LiveResult], change: ChangeSet, own: bool) -> None:
        wakes = []
        for node in touched:
            region = node.region
            again, outcome = self._refresh(node, change, own)
            why = reasons(region, change) if region is not None else ()
            how = "run again" if again else "maintained"
            wakes.append(Wake(str(node.source), how, why, outcome))
        for tracer in self._tracers:
            trace = Trace(change.seq, str(change), tuple(wakes))
            self._queue.enqueue(partial(tracer, trace))

    def would_wake(self, change: ChangeSet) -> tuple[Wake, ...]:
        """What this change would wake, if it were committed."""
        return tuple(
            Wake(
                str(node.source),
                "maintained"
                if node.source.can_follow(change) or self._patch(node, change) is not None
                else "run again",
                reasons(node.region, change) if node.region is not None else (),
            )
            for node in self._store.touched_by(change)
        )

    # -- is it true? ----------------------------------------------------------------------------

    def _compare(self, touched: Sequence[LiveResult], version: int, drawn: bool) -> None:
        chosen = [node for node in touched if self._random.random() < self._verify]
        if drawn:
            nodes = self._store.nodes()
            chosen += self._random.sample(nodes, min(len(nodes), 1))
        for node in chosen:
            if not node.source.volatile and node.loaded and node.error is None:
                self._compare_one(node, version)

    def _compare_one(self, node: LiveResult, version: int) -> None:
        outcome = node.source.evaluate()
        self._stats.verified += 1
        held = node.present()
        if outcome.error is None and node.source.same(held, outcome.value):
            return
        if not node.exact:
            return  # its value may be of a later commit than its version says
        self._stats.differences += 1
        difference = Difference(str(node.source), held, outcome.error or outcome.value, version)
        logger.error("a live result was wrong, and is put right: %s", difference)
        self._maintenance.interrupted()
        self._settle(node, outcome, version)
        if self._on_difference is not None:
            self._queue.enqueue(partial(_report, self._on_difference, difference))


def _report(listener: Callable[[Difference], object], difference: Difference) -> None:
    try:
        listener(difference)
    except Exception:  # the user's: who commits did nothing wrong
        logger.exception("on_difference raised")


def _is_unchanged(node: LiveResult, value: Any, step: Step | None) -> bool:
    if step is not None and (not step.changed or type(value) is tuple):
        return not step.changed
    if type(value) is Deferred:
        if step is not None:
            return False
        value = value.get()
    return node.source.same(node.present(), value)


def _alike(left: Exception, right: Exception) -> bool:
    return type(left) is type(right) and str(left) == str(right)
