"""50,000 rows arrive in 100 transactions of 500 while a count and a list are shown: how long?

resqlite's "sync burst", with the newest 50 beside the count.
"""

from __future__ import annotations

from benchmarks.workload import Insert, Size, Table, View, Workload, Write

TRANSACTIONS: dict[Size, int] = {"smoke": 4, "quick": 20, "full": 100}
BATCH: dict[Size, int] = {"smoke": 60, "quick": 500, "full": 500}


def workloads(size: Size) -> list[Workload]:
    """The one workload; each write is one transaction."""
    batch = BATCH[size]
    return [
        Workload(
            name="burst",
            question=f"a burst of {TRANSACTIONS[size] * batch:,} rows, {batch} a transaction",
            tables=(Table("item", (("id", "int"), ("external", "int"), ("payload", "text")), ()),),
            views=(
                View("count_items", "SELECT count(*) FROM item"),
                View(
                    "newest_items",
                    "SELECT id, external, payload FROM item ORDER BY id DESC LIMIT 50",
                ),
            ),
            writes=tuple(
                Write(
                    tuple(
                        Insert("item", (key, 3 * key, f"payload {key}"))
                        for key in range(1 + step * batch, 1 + (step + 1) * batch)
                    ),
                    (0, 1),
                )
                for step in range(TRANSACTIONS[size])
            ),
            warmup=0,
        )
    ]
