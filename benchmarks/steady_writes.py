"""30 seconds of steady writes, 500 a second: how old does a view get?

The age of a delivered value counts from when its write was *due*, so a stall is charged to every
write that had to wait for it, not only to the one that caused it.
"""

from __future__ import annotations

from random import Random

from benchmarks import owner_streams
from benchmarks.workload import Size, Workload

SECONDS: dict[Size, float] = {"smoke": 0.2, "quick": 1, "full": 30}
RATE = 500.0


def workloads(size: Size) -> list[Workload]:
    """The one workload."""
    random = Random(81)
    count = int(SECONDS[size] * RATE)
    return [
        Workload(
            name="steady",
            question=f"{SECONDS[size]:g} s of {RATE:g} writes/s, 100 views: age of a view",
            tables=(owner_streams.table(size),),
            views=owner_streams.views(size),
            writes=tuple(
                owner_streams.write(size, random.randint(1, owner_streams.ROWS[size]), step + 1)
                for step in range(count)
            ),
            rate=RATE,
        )
    ]
