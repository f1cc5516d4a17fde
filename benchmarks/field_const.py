"""N live queries `field = const`, and a write touches one: is the cost flat in N?

Electric's flat line, from 100 to 100,000 live queries.
"""

from __future__ import annotations

from random import Random

from benchmarks.workload import Size, Table, Update, View, Workload, Write

COUNTS: dict[Size, tuple[int, ...]] = {
    "smoke": (100,),
    "quick": (100, 1_000),
    "full": (100, 1_000, 10_000, 100_000),
}
WRITES: dict[Size, int] = {"smoke": 20, "quick": 100, "full": 200}
SQL = "SELECT id, body FROM item WHERE field = ?"


def workloads(size: Size) -> list[Workload]:
    """One workload for each number of live queries."""
    made = []
    for count in COUNTS[size]:
        random = Random(61)
        keys = [random.randint(1, count) for _ in range(WRITES[size])]
        made.append(
            Workload(
                name=f"const_{count}",
                question=f"{count:,} live `field = const`, a write touches one",
                tables=(
                    Table(
                        "item",
                        (("id", "int"), ("field", "int"), ("body", "text")),
                        [(key, 7 * key, f"body {key}") for key in range(1, count + 1)],
                        (("field",),),
                    ),
                ),
                views=tuple(View("by_field", SQL, (7 * key,)) for key in range(1, count + 1)),
                writes=tuple(
                    Write((Update("item", key, {"body": f"new {step}"}),), (key - 1,))
                    for step, key in enumerate(keys)
                ),
            )
        )
    return made
