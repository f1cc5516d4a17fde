"""Emissions on their way to subscribers: queued all or none, and handed to each of them once.

Ctrl-C can come after any call that C answers, where a function in Python begins, and where a loop
goes round. Whatever it stops here, nobody goes without a value, and nobody gets one twice.
"""

from __future__ import annotations

from functools import partial

from reactive_sqlite.liveness.delivery import Delivery
from reactive_sqlite.liveness.live import Emission, Receiver
from reactive_sqlite.values.trace import Stats


class Handout:
    """Queues what receivers are to be told."""

    def __init__(self, delivery: Delivery, stats: Stats) -> None:
        self._delivery = delivery
        self._stats = stats
        self.lasting: Exception | None = None
        """goes along with each value from now on: no value is what the database holds any more"""

    def tell(
        self,
        receivers: tuple[Receiver, ...],
        emission: Emission,
        newcomers: tuple[Receiver, ...] = (),
        first: Emission | None = None,
    ) -> BaseException | None:
        """Queue an emission, and the first one of newcomers before it.

        Raises when Ctrl-C came before that was done, and returns it when it came right after: for
        the caller to raise once it has done what belongs to it.
        """
        if self.lasting is not None:
            emission.error = emission.error or self.lasting
        jobs = (partial(self._hand_out, receivers, emission),) if receivers else ()
        if first is not None:
            first.error = first.error or self.lasting
            jobs = (partial(self._hand_out, newcomers, first), *jobs)
        try:
            self._delivery.enqueue(*jobs)
        except BaseException as interrupt:
            if not any(self._delivery.holds(job) or job.args[1].reached for job in jobs):
                raise
            return interrupt
        return None

    def _hand_out(self, receivers: tuple[Receiver, ...], emission: Emission) -> None:
        waiting, receiver = iter(receivers), None
        try:
            self._stats.emitted += len(receivers)
            for receiver in waiting:
                receiver.receive(emission)
            self._delivery.rest = None
        except BaseException as error:
            left = tuple(waiting)
            interrupted = not isinstance(error, Exception)
            if interrupted and receiver is not None and receiver is not emission.reached:
                left = (receiver, *left)  # its subscriber was not called yet
            self._stats.emitted -= len(left)
            self._delivery.rest = partial(self._hand_out, left, emission) if left else None
            raise

    def complete(self, receivers: tuple[Receiver, ...]) -> None:
        """Queue the end: the database is closed."""
        self._delivery.enqueue(partial(_complete, receivers))


def _complete(receivers: tuple[Receiver, ...]) -> None:
    for receiver in receivers:
        receiver.complete()
