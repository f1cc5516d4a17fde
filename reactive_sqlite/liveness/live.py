"""Live results: a query's region, its value, and who wants to hear of it.

`LiveResult` is one node: a source that can be evaluated, the region that it looked at, the value
it had. `LiveStore` holds the nodes so that the same question is one node however many ask it,
and knows which of them a commit may touch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

from reactive_sqlite.driver.mutex import RLock
from reactive_sqlite.liveness.incremental import Deferred, Maintenance, Step
from reactive_sqlite.understanding.routing import RegionIndex
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.delta import Delta
from reactive_sqlite.values.region import Region


class Emission:
    """One new state of a live result, on its way to subscribers."""

    __slots__ = (
        "_delta",
        "_previous",
        "_value",
        "converted",
        "error",
        "first",
        "previous",
        "reached",
        "recovers",
        "step",
        "value",
        "version",
    )

    value: Any
    previous: Any
    """the value before; None in a first emission"""

    def __init__(
        self,
        value: Any,
        previous: Any,
        version: int,
        error: Exception | None = None,
        *,
        first: bool = False,
        recovers: bool = False,
        step: Step | None = None,
    ) -> None:
        self._value = value
        self._previous = previous
        if type(value) is not Deferred:
            self.value = value  # else see __getattr__
        if type(previous) is not Deferred:
            self.previous = previous
        self.step = step
        """how a maintained result came to this state; None when the query was run"""
        self._delta: Delta[Any] | None = None
        self.version = version
        self.error = error
        self.first = first
        self.recovers = recovers
        """the state before was an error"""
        self.reached: Receiver | None = None
        """the last one whose subscriber has been called with it"""
        self.converted: dict[Any, Any] | None = None
        """what subscribers have made of the value, so that each making happens once"""

    def __getattr__(self, name: str) -> Any:
        # Reached only while `value` or `previous` is not there: it is built when somebody asks.
        if name == "value":
            self.value = self._value.get()
            return self.value
        if name == "previous":
            self.previous = self._previous.get()
            return self.previous
        raise AttributeError(name)

    def instead_of(self, missed: Emission) -> Emission:
        """The same for somebody who is not given the one before it."""
        return Emission(
            self._value,
            missed._previous,
            self.version,
            self.error,
            first=missed.first,
            recovers=missed.recovers,
        )

    def delta(self, step: Step) -> Delta[Any]:
        """The difference to the state before, made once for all subscribers."""
        if self._delta is None:
            self._delta = step.delta(self.version)
        return self._delta


class Receiver(Protocol):
    """A subscriber, as the publisher sees it. Both methods never raise."""

    def receive(self, emission: Emission) -> None:
        """Take a new state."""

    def complete(self) -> None:
        """The database is closed."""


class Outcome(NamedTuple):
    """What asking a source gave: a value or an error, and the region that was looked at.

    The value may be a `Deferred`; ``step`` says how it was got when the query was not run.
    """

    value: Any
    region: Region
    error: Exception | None
    step: Step | None = None


class Source(Protocol):
    """What a live result is the result of."""

    region: Region
    """what was looked at the last time; the region of an `Outcome` may be narrower, by its value"""

    def evaluate(self) -> Outcome:
        """Ask again. Does not raise."""

    def follows(self, maintenance: Maintenance) -> bool:
        """Whether `refresh` may need several reads of one snapshot."""

    def refresh(self, change: ChangeSet, maintenance: Maintenance) -> Outcome:
        """Make use of what has changed, or ask again. Under the writing lock. Does not raise."""

    def patch(self, value: Any, change: ChangeSet, maintenance: Maintenance) -> Step | None:
        """The exact present value with a commit of this process written into it, if that can be.

        Under the writing lock. Does not raise.
        """

    def can_follow(self, change: ChangeSet) -> bool:
        """Whether `refresh` would make do with what has changed."""

    @property
    def volatile(self) -> bool:
        """Whether two evaluations of the same database may differ."""

    def same(self, old: Any, new: Any) -> bool:
        """Whether two values are equal, types and order included."""

    def __str__(self) -> str:
        """For logs: the query."""


class LiveResult:
    """One live query: everybody who asks the same shares it."""

    __slots__ = (
        "error",
        "exact",
        "key",
        "loaded",
        "loading",
        "newcomers",
        "receivers",
        "region",
        "source",
        "value",
        "version",
    )

    def __init__(self, key: Hashable, source: Source) -> None:
        self.key = key
        self.source = source
        self.region: Region | None = None
        self.value: Any = None
        self.error: Exception | None = None
        self.version = 0
        self.loaded = False
        self.loading = False
        self.exact = False
        """whether the value is that of `version` and not, perhaps, of a later commit"""
        self.receivers: tuple[Receiver, ...] = ()
        """those whose first value is delivered or on the way"""
        self.newcomers: tuple[Receiver, ...] = ()
        """those who have not been given any"""

    def present(self) -> Any:
        """The value, built if it was not."""
        value = self.value
        return value.get() if type(value) is Deferred else value

    def __repr__(self) -> str:
        return f"<LiveResult {self.source} region={self.region} version={self.version}>"


class LiveStore:
    """The live results of one database. Its lock is held for moments only, never while SQL runs."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.loaded = threading.Condition(self.lock)
        """told when a result has its first value and somebody may be waiting for it"""
        self._nodes: dict[Hashable, LiveResult] = {}
        self.index: RegionIndex[LiveResult] = RegionIndex()
        """of all nodes by their regions; changed under the lock only"""

    def __len__(self) -> int:
        return len(self._nodes)

    def nodes(self) -> list[LiveResult]:
        """All live results, oldest first."""
        with self.lock:
            return list(self._nodes.values())

    def join(self, key: Hashable, make: Callable[[], Source], receiver: Receiver) -> LiveResult:
        """The node of this key, made if there is none, with the receiver among its own.

        From here on no commit that touches the region is missed, although the node may have no
        value yet.
        """
        with self.lock:
            node = self._nodes.get(key)
            if node is not None:
                node.newcomers += (receiver,)
                return node
        source = make()  # may ask the engine, so not under this lock
        with self.lock:
            node = self._nodes.get(key)
            if node is None:
                node = self._nodes[key] = LiveResult(key, source)
                self._place(node, source.region)
            node.newcomers += (receiver,)
            return node

    def leave(self, key: Hashable, receiver: Receiver) -> None:
        """Take the receiver away; a node without receivers is forgotten."""
        with self.lock:
            node = self._nodes.get(key)
            if node is None:
                return
            if receiver in node.newcomers:
                node.newcomers = _without(node.newcomers, receiver)
            else:
                node.receivers = _without(node.receivers, receiver)
            if not node.receivers and not node.newcomers:
                del self._nodes[key]
                self._keep_index(self.index.discard, node)

    def clear(self) -> list[LiveResult]:
        """Forget all nodes; they are handed out for their farewell."""
        with self.lock:
            nodes, self._nodes = list(self._nodes.values()), {}
            for node in nodes:
                self._keep_index(self.index.discard, node)
            return nodes

    def place(self, node: LiveResult, region: Region) -> None:
        """The node looks at this region now."""
        if node.region is region:
            return
        with self.lock:
            if self._nodes.get(node.key) is node:
                self._place(node, region)

    def _place(self, node: LiveResult, region: Region) -> None:
        node.region = region
        self._keep_index(self.index.add, node, region)

    def _keep_index(self, change: Callable[..., None], *what: object) -> None:
        """Change the index; after Ctrl-C in the middle of it, make it anew."""
        try:
            change(*what)
        except BaseException:  # Ctrl-C: half of it may be there
            self.index.clear()
            for node in self._nodes.values():
                if node.region is not None:
                    self.index.add(node, node.region)
            raise

    def touched_by(self, *changes: ChangeSet) -> list[LiveResult]:
        """The live results whose value one of these commits may have changed."""
        with self.lock:
            return self.index.touched(*changes)


def _without(receivers: tuple[Receiver, ...], receiver: Receiver) -> tuple[Receiver, ...]:
    return tuple(kept for kept in receivers if kept is not receiver)
