"""``reactive-sqlite watch``: subscribe, show each value, until told to stop."""

from __future__ import annotations

import queue
import select
import sys
import time
from typing import Any

from reactive_sqlite.cli.display import View
from reactive_sqlite.errors import ReactiveSqliteError
from reactive_sqlite.liveness.observable import LiveQuery, State

#: Seconds after which it is asked again whether the time is up.
LONGEST_WAIT = 0.2


class Watch:
    """Shows the values of one live query on the main thread, whichever thread delivers them."""

    def __init__(self, query: LiveQuery[tuple[Any, ...]], view: View) -> None:
        self._query = query
        self._view = view
        self._states: queue.SimpleQueue[State[tuple[Any, ...]]] = queue.SimpleQueue()

    def run(self, *, count: int | None, seconds: float | None) -> None:
        """Show values until ``count`` of them were shown, the time is up, or Ctrl-C.

        Also until nobody reads them any more, as at the end of a pipe. Raises `ReactiveSqliteError`
        when the query fails from the start; later failures are shown.
        """
        end = None if seconds is None else time.monotonic() + seconds
        try:
            with self._view, self._query.states().subscribe(self._states.put):
                self._show(count, end)
        except (KeyboardInterrupt, BrokenPipeError):
            pass  # whoever read has read enough

    def _show(self, count: int | None, end: float | None) -> None:
        shown = 0
        while not shown or (  # the first value is there, however short the time
            (count is None or shown < count) and (end is None or time.monotonic() < end)
        ):
            try:
                # Not for ever: a wait without end cannot be interrupted everywhere.
                state = self._states.get(timeout=LONGEST_WAIT)
            except queue.Empty:
                if _nobody_reads():
                    return
                continue
            if state.error is not None and not shown:
                raise ReactiveSqliteError(f"the query fails: {state.error}") from state.error
            self._view.show(state)
            shown += 1


def _nobody_reads() -> bool:
    """Whether the output is a pipe or a terminal that the other side has left."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # only what is told unasked: an error, the other's end
    return bool(poll.poll(0))
