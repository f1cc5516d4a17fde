"""50 live queries watch one row each of 10,000: what do 200 writes to any rows cost?

resqlite's "keyed PK subscriptions". Nearly every write misses; its seed hits three watched rows,
and so does this one. Without its faults: no wait inside the clock, and each write stores a value
that was not there.
"""

from __future__ import annotations

from random import Random

from benchmarks.workload import Size, Table, Update, View, Workload, Write

ROWS: dict[Size, int] = {"smoke": 400, "quick": 10_000, "full": 10_000}
STREAMS = 50
WRITES: dict[Size, int] = {"smoke": 40, "quick": 200, "full": 200}
HITS = 3
SQL = "SELECT id, body, updated_at FROM item WHERE id = ?"


def workloads(size: Size) -> list[Workload]:
    """The one workload."""
    random = Random(31)
    count = ROWS[size]
    watched = [1 + place * (count // STREAMS) for place in range(STREAMS)]
    position = {key: at for at, key in enumerate(watched)}
    unwatched = [key for key in range(1, count + 1) if key not in position]
    keys = random.choices(unwatched, k=WRITES[size] - HITS) + random.sample(watched, HITS)
    random.shuffle(keys)
    return [
        Workload(
            name="keyed",
            question=f"50 live `id = ?`, {WRITES[size]} writes to any of {count:,} rows",
            tables=(
                Table(
                    "item",
                    (("id", "int"), ("body", "text"), ("updated_at", "int")),
                    [(key, f"seed body {key}", 0) for key in range(1, count + 1)],
                ),
            ),
            views=tuple(View("item_by_id", SQL, (key,)) for key in watched),
            writes=tuple(
                Write(
                    (Update("item", key, {"body": f"body {step}", "updated_at": step}),),
                    (position[key],) if key in position else (),
                )
                for step, key in enumerate(keys, 1)
            ),
        )
    ]
