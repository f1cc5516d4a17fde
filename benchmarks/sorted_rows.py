"""100,000 rows are shown in order and one of them moves: what does the move cost?

TanStack DB's headline. Once the whole list is watched, delivered as the difference and as the
full value, once its top 50, without and with an index to help.
"""

from __future__ import annotations

from random import Random

from benchmarks.workload import Column, Mode, Size, Table, Update, View, Workload, Write

ROWS: dict[Size, int] = {"smoke": 300, "quick": 10_000, "full": 100_000}
WRITES: dict[Size, int] = {"smoke": 12, "quick": 40, "full": 100}
GAP = 1_000_000  # between two neighbours, so that rows can move between them


def _table(size: Size, *, index: bool = False) -> Table:
    random = Random(11)
    ranks = [GAP * place for place in range(1, ROWS[size] + 1)]
    random.shuffle(ranks)
    rows = [(key, rank, f"item {key}") for key, rank in enumerate(ranks, 1)]
    columns: tuple[Column, ...] = (("id", "int"), ("rank", "int"), ("name", "text"))
    return Table("item", columns, rows, (("rank",),) if index else ())


def _whole(size: Size, mode: Mode) -> Workload:
    random = Random(12)
    count = ROWS[size]
    ranks = random.sample(range(1, count), WRITES[size])
    writes = tuple(
        Write((Update("item", random.randint(1, count), {"rank": GAP * rank + 1}),), (0,))
        for rank in ranks
    )
    return Workload(
        name=f"sorted_all_{mode}",
        question=f"{count:,} sorted rows, one moves ({mode})",
        tables=(_table(size),),
        views=(View("sorted_all", "SELECT id, rank, name FROM item ORDER BY rank, id"),),
        writes=writes,
        mode=mode,
    )


def _top(size: Size, *, index: bool) -> Workload:
    """Rows come into the window from outside, one at a time, each to a place between two others."""
    random = Random(13)
    table = _table(size, index=index)
    window = sorted(row[1] for row in table.rows)[:50]
    outside = [row[0] for row in table.rows if row[1] > window[-1]]
    writes = []
    for key in random.sample(outside, WRITES[size]):
        place = random.randrange(49)
        rank = (window[place] + window[place + 1]) // 2
        window = [*window[: place + 1], rank, *window[place + 1 : 49]]
        writes.append(Write((Update("item", key, {"rank": rank}),), (0,)))
    return Workload(
        name="sorted_top50_indexed" if index else "sorted_top50",
        question=f"top 50 of {ROWS[size]:,} {'with' if index else 'without'} an index, one enters",
        tables=(table,),
        views=(View("sorted_top50", "SELECT id, rank, name FROM item ORDER BY rank, id LIMIT 50"),),
        writes=tuple(writes),
    )


def workloads(size: Size) -> list[Workload]:
    """The four shapes of the question."""
    return [
        _whole(size, "delta"),
        _whole(size, "value"),
        _top(size, index=False),
        _top(size, index=True),
    ]
