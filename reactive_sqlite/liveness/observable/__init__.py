"""Live results and events as reactivex Observables. The only package that imports reactivex."""

from __future__ import annotations

from reactive_sqlite.liveness.observable.events import EventStream
from reactive_sqlite.liveness.observable.streams import DeltaStream, LiveQuery, LiveStream, State
from reactive_sqlite.liveness.observable.subscription import Subscription

__all__ = ["DeltaStream", "EventStream", "LiveQuery", "LiveStream", "State", "Subscription"]
