"""I1: a region covers all that SQLite read.

Oracles: SQLite's authorizer on a plain connection for names; for rows, a fresh run before and after
each commit: when the answer differs, the region must say that the change touches it.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import apsw
import pytest
from hypothesis import given

from . import oracle
from .drive import fixed, programs
from .generate import Generator
from .machine import Machine, machine
from .program import Op
from .watch import TooDear


def check_names(made: Machine, op: Op) -> None:
    """`analyze` names at least the tables that SQLite names for a statement on rows."""
    rows = ("SELECT", "WITH", "VALUES", "INSERT", "REPL", "UPD", "DEL")
    if op.kind in ("many", "script") or not op.sql.upper().startswith(rows):
        return
    try:
        reads, writes = oracle.accessed(made.twin, op.sql, op.params)
    except apsw.Error:
        return
    schema = "SELECT lower(name), type FROM {}.sqlite_schema WHERE type IN ('table', 'view')"
    kinds = dict(made.twin.run(schema.format("main")) + made.twin.run(schema.format("temp")))
    statement = made.db.analyze(op.sql)
    # AUTOINCREMENT keeps its books in sqlite_sequence; a view is written by its triggers only.
    reads = {name for name in reads if name in kinds and not name.startswith("sqlite_")}
    writes = {name for name in writes if kinds.get(name) == "table"} - {"sqlite_sequence"}
    assert statement.reads >= reads, f"{op}: reads {set(statement.reads)}, SQLite {reads}"
    assert statement.writes >= writes, f"{op}: writes {set(statement.writes)}, SQLite {writes}"


def judge(told: tuple[int, list[int], bool], judged: Counter[str]) -> None:
    """Open a schema, keep regions of many queries, and hold each commit against all of them."""
    opening, seeds, on_file = told
    with machine(on_file=on_file) as made:
        generator = Generator(made.twin)
        random = Random(opening)
        kept: list[tuple[Op, Any, Any]] = []
        try:
            for op in generator.opening(random):
                check_names(made, op)
                made.step(op)
            for _ in range(12):
                op = generator.query(random)
                check_names(made, op)
                kept.append((op, None, ""))
            for seed in seeds:
                draw = Random(seed)
                op = generator.write(draw) if draw.random() < 0.9 else generator.next(draw)
                if op.kind in ("execute", "foreign") and op.sql:
                    check_names(made, op)
                if not made.twin.in_transaction:
                    kept = [(query, *answer(made, query)) for query, _, _ in kept]
                    first = len(made.changes)
                made.step(op)
                if not made.twin.in_transaction and op.kind != "foreign":
                    for query, region, before in kept:
                        verdict(made, op, query, region, before, made.changes[first:], judged)
            made.finish()
        except TooDear:
            judged["given up"] += 1


def answer(made: Machine, query: Op) -> tuple[Any, str]:
    """The region of the query as the schema is now, and its answer."""
    try:
        region = made.db.analyze(query.sql).region(query.params)
        return region, repr(made.twin.run(query.sql, query.params))
    except apsw.Error as error:
        return None, repr(error)


def verdict(
    made: Machine,
    op: Op,
    query: Op,
    region: Any,
    before: str,
    changes: list[Any],
    judged: Counter[str],
) -> None:
    """A changed answer that the region does not see is a missed wake-up."""
    if region is None:
        return
    touched = any(region.touched_by(change) for change in changes)
    _, after = answer(made, query)
    changed = before != after
    judged["touched" if touched else "spared"] += 1
    judged["spurious"] += touched and not changed
    if changed and not touched and "pragma" not in op.sql.lower():
        raise AssertionError(
            f"missed: {query}\nregion {region}\nafter {op}\n{[str(c) for c in changes]}\n"
            f"before {before}\nafter  {after}\n" + "\n".join(map(str, made.history))
        )


@fixed(60)
@given(programs(4, 12))
def test_region_sees_every_change_of_the_answer(told: tuple[int, list[int], bool]) -> None:
    judge(told, Counter())


def test_regions_spare_something() -> None:
    """The property above is not bought by waking everything."""
    judged: Counter[str] = Counter()
    for seed in range(8):
        judge((seed, [seed * 100 + n for n in range(10)], False), judged)
    assert judged["spared"] > judged["touched"] / 4, dict(judged)


def test_a_region_index_that_forgets_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test can fail: regions that overlook updates are found out."""
    from reactive_sqlite.values.region import Region

    honest = Region.touched_by

    def overlooks_updates(self: Region, change: Any) -> bool:
        updates = all(
            r.old is not None and r.new is not None for rows in change.rows.values() for r in rows
        )
        return False if change.rows and change.exact and updates else honest(self, change)

    monkeypatch.setattr(Region, "touched_by", overlooks_updates)
    with pytest.raises(AssertionError, match=r"missed|stale"):
        for seed in range(40):
            judge((seed, [seed * 100 + n for n in range(10)], False), Counter())
