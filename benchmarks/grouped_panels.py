"""A dashboard of 20 grouped panels over 100,000 rows: what does one more or other sale cost?

Five channels, four dimensions each. A sale whose amount changes alters the sum in four panels; a
sale that changes its region alters the counts in one.
"""

from __future__ import annotations

from random import Random

from benchmarks.workload import Column, Size, Table, Update, View, Workload, Write

ROWS: dict[Size, int] = {"smoke": 400, "quick": 20_000, "full": 100_000}
WRITES: dict[Size, int] = {"smoke": 15, "quick": 50, "full": 200}
CHANNELS = 5
DIMENSIONS = {"region": 10, "product": 50, "weekday": 7, "agent": 100}


def _table(size: Size) -> Table:
    random = Random(71)
    columns = ("channel", *DIMENSIONS, "amount")
    rows = [
        (
            key,
            random.randrange(CHANNELS),
            *(random.randrange(kinds) for kinds in DIMENSIONS.values()),
            random.randint(1, 10_000),
        )
        for key in range(1, ROWS[size] + 1)
    ]
    numbers: list[Column] = [(name, "int") for name in columns]
    return Table("sale", (("id", "int"), *numbers), rows)


def _views(name: str, aggregates: str) -> tuple[View, ...]:
    return tuple(
        View(
            f"{name}_{dimension}",
            f"SELECT {dimension}, {aggregates} FROM sale WHERE channel = ? "
            f"GROUP BY {dimension} ORDER BY {dimension}",
            (channel,),
        )
        for channel in range(CHANNELS)
        for dimension in DIMENSIONS
    )


def workloads(size: Size) -> list[Workload]:
    """Sums and counts of an amount that changes; counts of a row that changes its group."""
    table = _table(size)
    random = Random(72)
    picked = random.sample(table.rows, WRITES[size])
    width = len(DIMENSIONS)
    return [
        Workload(
            name="panels_sum",
            question=f"20 panels of sums over {ROWS[size]:,} rows, an amount changes",
            tables=(table,),
            views=_views("panel_sum", "count(*), sum(amount)"),
            writes=tuple(
                Write(
                    (Update("sale", row[0], {"amount": 20_000 + step}),),
                    tuple(row[1] * width + at for at in range(width)),
                )
                for step, row in enumerate(picked)
            ),
        ),
        Workload(
            name="panels_count",
            question=f"20 panels of counts over {ROWS[size]:,} rows, a row changes its group",
            tables=(table,),
            views=_views("panel_count", "count(*)"),
            writes=tuple(
                Write(
                    (Update("sale", row[0], {"region": (row[2] + 1) % DIMENSIONS["region"]}),),
                    (row[1] * width,),
                )
                for row in picked
            ),
        ),
    ]
