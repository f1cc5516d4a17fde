"""10 subscribers read columns a and b: what do 500 writes to column c cost, and 500 to a?

resqlite's "disjoint columns", without its two yields per write and the pause inside its clock.
"""

from __future__ import annotations

from benchmarks.workload import Column, Size, Table, Update, View, Workload, Write

ROWS: dict[Size, int] = {"smoke": 300, "quick": 5_000, "full": 5_000}
WRITES: dict[Size, int] = {"smoke": 20, "quick": 200, "full": 500}
STREAMS = 10
SQL = "SELECT id, a, b FROM wide WHERE id < 1000 ORDER BY id"


def workloads(size: Size) -> list[Workload]:
    """Writes beside what is read, and writes to what is read."""
    letters = "abcdefghijklmnopqrst"
    texts: list[Column] = [(letter, "text") for letter in letters]
    table = Table(
        "wide",
        (("id", "int"), *texts),
        [(key, *(f"v{key}" for _ in letters)) for key in range(ROWS[size])],
    )
    views = tuple(View("wide_ab", SQL) for _ in range(STREAMS))
    everybody = tuple(range(STREAMS))
    return [
        Workload(
            name=name,
            question=f"10 subscribers of 2 columns, {WRITES[size]} writes {what}",
            tables=(table,),
            views=views,
            writes=tuple(
                Write(
                    (Update("wide", step % min(1000, ROWS[size]), {column: f"n{step}"}),),
                    wakes,
                )
                for step in range(WRITES[size])
            ),
        )
        for name, what, column, wakes in (
            ("columns_disjoint", "to a third", "c", ()),
            ("columns_overlap", "to one of them", "a", everybody),
        )
    ]
