"""The latest 50 of 100,000 posts are shown: what do 100 likes cost, to any posts and to shown ones?

resqlite's "feed paging", part B, where nearly every like misses the page, and its reverse.
"""

from __future__ import annotations

from random import Random

from benchmarks.workload import Size, Table, Update, View, Workload, Write

ROWS: dict[Size, int] = {"smoke": 400, "quick": 20_000, "full": 100_000}
WRITES: dict[Size, int] = {"smoke": 15, "quick": 60, "full": 100}
SQL = (
    "SELECT id, author_id, created_at, body, like_count FROM post "
    "ORDER BY created_at DESC, id DESC LIMIT 50"
)


def workloads(size: Size) -> list[Workload]:
    """Likes that miss the page, and likes on it."""
    random = Random(51)
    count = ROWS[size]
    table = Table(
        "post",
        (
            ("id", "int"),
            ("author_id", "int"),
            ("created_at", "int"),
            ("body", "text"),
            ("like_count", "int"),
        ),
        [(key, random.randint(1, 500), key, f"body {key}", 0) for key in range(1, count + 1)],
        (("created_at",),),
    )
    made = []
    for name, what, first in (
        ("latest50_any", "to any post", 1),
        ("latest50_shown", "to shown posts", count - 49),
    ):
        keys = [random.randint(first, count) for _ in range(WRITES[size])]
        made.append(
            Workload(
                name=name,
                question=f"latest 50 of {count:,}, {WRITES[size]} likes {what}",
                tables=(table,),
                views=(View("latest50", SQL),),
                writes=tuple(
                    Write(
                        (Update("post", key, {"like_count": step}),),
                        (0,) if key > count - 50 else (),
                    )
                    for step, key in enumerate(keys, 1)
                ),
            )
        )
    return made
