"""What subscriptions have delivered, and how long each value was on its way."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

#: Seconds until a wait gives up.
PATIENCE = 60.0


class Deliveries:
    """What the subscriptions have delivered: the values, and how long each was on its way."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.here: list[float] = []
        self.across: list[float] = []
        self.count = 0
        self.arrived = threading.Condition()
        self._thread = threading.local()

    def timed(self, write: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a writing method; what is delivered meanwhile is timed from here."""
        self._thread.began = time.perf_counter()
        try:
            return write(*args, **kwargs)
        finally:
            self._thread.began = None

    def receiver(self, name: str) -> Callable[[Any], None]:
        """What to subscribe with, to keep the values under this name."""

        def receive(value: Any) -> None:
            began = getattr(self._thread, "began", None)
            with self.arrived:
                self.values[name] = value
                self.count += 1
                if began is not None:
                    self.here.append((time.perf_counter() - began) * 1000)
                elif name == "sent" and value is not None:
                    self.across.append((time.time() - value) * 1000)
                self.arrived.notify_all()

        return receive

    def wait(self, reached: Callable[[dict[str, Any]], bool]) -> None:
        """Returns when the delivered values say so. Raises TimeoutError."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: reached(self.values), PATIENCE):
                raise TimeoutError("waited in vain")


def in_words(times: Iterable[float]) -> str:
    """The median and the 99th percentile of some times in milliseconds."""
    ordered = sorted(times)
    if not ordered:
        return "none"
    p99 = ordered[len(ordered) * 99 // 100]
    return f"median {statistics.median(ordered):.2f} ms, p99 {p99:.2f} ms"
