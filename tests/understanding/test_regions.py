"""I1 in the small: whatever changes the result of a query touches its region."""

from __future__ import annotations

from random import Random
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite.values.change import ChangeSet, RowChange
from tests.understanding.engine import Engine, difference
from tests.understanding.queries import SCHEMA, Queries, write

WRITES = 12
QUERIES = 14


def check(random: Random) -> dict[str, int]:
    """Run random queries before and after random writes."""
    counts = dict.fromkeys(("asked", "changed", "spurious", "silent", "invalid"), 0)
    engine = Engine(*SCHEMA(random))
    for _ in range(40):
        write(engine, random)
    engine.load()
    live: list[tuple[str, list[Any], Any, Any]] = []
    while len(live) < QUERIES:
        queries = Queries(random)
        sql = queries.query()
        try:
            result = engine.run(sql, queries.params)
            region = engine.analyse(sql).region(queries.params)
        except (apsw.SQLError, OverflowError):
            counts["invalid"] += 1
            continue
        live.append((sql, queries.params, region, result))
    keys = ["t", "u", "w"]
    for _ in range(WRITES):
        before = engine.images(keys)
        text = write(engine, random)
        change = difference(before, engine.images(keys))
        for number, (sql, params, region, old) in enumerate(live):
            new = engine.run(sql, params)
            touched = region.touched_by(change)
            changed = repr(new) != repr(old)
            counts["asked"] += 1
            counts["changed"] += changed
            counts["spurious"] += touched and not changed
            counts["silent"] += not touched
            assert touched or not changed, (sql, params, region, text, old, new, change.rows)
            live[number] = (sql, params, region, new)
    return counts


@pytest.mark.parametrize("values", [(1, 1.0), (0.0, -0.0), ("1", 1), (b"a", "a"), (None, 0)])
def test_a_value_of_another_type_is_a_change(values: tuple[Any, Any]) -> None:
    """They may be equal in Python; to SQLite's typeof() and printf() they are not."""
    region = Engine("CREATE TABLE t(a, b)").analyse("SELECT a FROM t").region()
    old, new = values
    assert region.touched_by(ChangeSet(1, {"t": (RowChange((old, 0), (new, 0), 1, 1),)}))
    assert not region.touched_by(ChangeSet(1, {"t": (RowChange((old, 0), (old, 1), 1, 1),)}))


@settings(max_examples=40)
@given(st.integers(0, 2**48))
def test_what_changes_a_result_touches_its_region(seed: int) -> None:
    check(Random(seed))


def test_much_of_what_changes_nothing_is_told() -> None:
    """The figures of a fixed run: a region of everything would pass the test above."""
    totals: dict[str, int] = {}
    for seed in range(20):
        for name, count in check(Random(seed)).items():
            totals[name] = totals.get(name, 0) + count
    assert totals["changed"] > 100, totals
    assert totals["silent"] > totals["spurious"], totals
