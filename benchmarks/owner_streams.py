"""100 live queries watch one owner's rows each: what do 200 writes cost, each touching one?

resqlite's "high-cardinality stream fan-out".
"""

from __future__ import annotations

from random import Random

from benchmarks.workload import Size, Table, Update, View, Workload, Write

ROWS: dict[Size, int] = {"smoke": 400, "quick": 10_000, "full": 10_000}
OWNERS: dict[Size, int] = {"smoke": 20, "quick": 100, "full": 100}
WRITES: dict[Size, int] = {"smoke": 30, "quick": 200, "full": 200}
SQL = "SELECT id, value FROM item WHERE owner = ? ORDER BY id"


def table(size: Size) -> Table:
    """Rows in equal shares per owner; owners and keys count from 1."""
    share = ROWS[size] // OWNERS[size]
    return Table(
        "item",
        (("id", "int"), ("owner", "int"), ("value", "int")),
        [(place + 1, place // share + 1, 0) for place in range(ROWS[size])],
        (("owner",),),
    )


def views(size: Size) -> tuple[View, ...]:
    """One live query per owner."""
    return tuple(View("items_of_owner", SQL, (owner,)) for owner in range(1, OWNERS[size] + 1))


def write(size: Size, key: int, value: int) -> Write:
    """One row changes, and with it its owner's view."""
    share = ROWS[size] // OWNERS[size]
    return Write((Update("item", key, {"value": value}),), ((key - 1) // share,))


def workloads(size: Size) -> list[Workload]:
    """The one workload."""
    random = Random(41)
    return [
        Workload(
            name="owners",
            question=f"{OWNERS[size]} live `owner = ?` of 100 rows, {WRITES[size]} writes",
            tables=(table(size),),
            views=views(size),
            writes=tuple(
                write(size, random.randint(1, ROWS[size]), step + 1) for step in range(WRITES[size])
            ),
        )
    ]
