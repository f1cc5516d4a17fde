"""The parts: ordered rows against a sorted list, sort keys against SQLite, deltas by their law."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_sqlite.liveness.incremental import NotMaintainable, ordered
from reactive_sqlite.liveness.incremental.ordered import OrderedRows
from reactive_sqlite.liveness.incremental.sortkey import Direction, SortKeys
from reactive_sqlite.values.delta import Delta

from .values import ODD, exact


@pytest.mark.parametrize("seed", range(8))
def test_ordered_rows_are_a_sorted_list_and_a_value(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordered, "BLOCK", 4)
    random = Random(seed)
    known = {(key,): f"row {key}" for key in random.sample(range(100), random.randint(0, 40))}
    rows = OrderedRows.of(sorted(known), [known[key] for key in sorted(known)])
    for step in range(150):
        before, was = rows, rows.values()
        gone = random.sample(sorted(known), min(len(known), random.randint(0, 3)))
        for key in gone:
            del known[key]
        # Now and then a run of rows at the end, so that the last block is split.
        low = 100 * (step + 1) if step % 10 == 0 else 0
        come = {(random.randint(low, low + 100),) for _ in range(random.randint(0, 9))} - {*known}
        added = [(key, f"new {step} {key}") for key in come]
        known |= dict(added)
        rows = rows.changed(gone, added)
        keys = sorted(known)
        assert rows.values() == tuple(known[key] for key in keys)
        assert [rows.position(key) for key in keys] == list(range(len(keys)))
        assert len(rows) == len(keys)
        if keys:
            assert rows.last() == (keys[-1], known[keys[-1]])
        start, stop = random.randint(0, 12), random.randint(0, 60)
        assert rows.values(start, start + stop) == rows.values()[start : start + stop]
        assert before.values() == was


def test_two_rows_of_one_key_are_refused() -> None:
    rows = OrderedRows.of([(1,), (2,)], ["a", "b"])
    with pytest.raises(NotMaintainable):
        rows.changed([], [((2,), "again")])
    with pytest.raises(NotMaintainable):
        OrderedRows.of([(1,), (1,)], ["a", "b"])
    with pytest.raises(LookupError):
        rows.changed([(3,)], [])


@pytest.mark.parametrize("collation", ["BINARY", "NOCASE", "RTRIM"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("nulls_first", [False, True])
def test_sort_keys_are_the_order_of_sqlite(
    collation: str, descending: bool, nulls_first: bool
) -> None:
    values = [*ODD, 2**53, 2.0**53, 2**53 + 1, -0.0, 1e308, -1e308, "ab", "aB", "\U0001f600", "ﬀ"]
    engine = apsw.Connection(":memory:")
    engine.execute("CREATE TABLE v(id INTEGER PRIMARY KEY, x)")
    engine.executemany("INSERT INTO v(x) VALUES (?)", [(value,) for value in values])
    rows = engine.execute(
        f"SELECT x, id FROM v ORDER BY x COLLATE {collation} {'DESC' if descending else 'ASC'}"
        f" NULLS {'FIRST' if nulls_first else 'LAST'}, id"
    ).fetchall()
    keys = SortKeys([Direction(descending, nulls_first, collation)])
    one_by_one = sorted(rows, key=lambda row: keys.one((row[0],), (row[1],)))
    assert exact(one_by_one) == exact(rows)
    together = keys.many([[row[0] for row in rows]], [row[1] for row in rows])
    assert together == [keys.one((row[0],), (row[1],)) for row in rows]


def test_a_nul_under_nocase_is_for_sqlite_to_decide() -> None:
    with pytest.raises(NotMaintainable):
        SortKeys([Direction(collation="NOCASE")]).one(("a\0b",))


ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([None, 0, 1, 1.0, "a", b"a"])), max_size=9
).map(tuple)


@given(ROWS, ROWS, st.sampled_from([None, (0,), (0, 1)]))
def test_a_delta_applied_to_the_old_gives_the_new(
    old: tuple[Any, ...], new: tuple[Any, ...], key: tuple[int, ...] | None
) -> None:
    delta = Delta.between(old, new, version=1, key=key)
    assert exact(delta.apply(old)) == exact(new)
    bag = Counter(map(str, exact(old)))
    bag.subtract(map(str, exact([*delta.removed, *(row for row, _ in delta.updated)])))
    assert min(bag.values(), default=0) >= 0
    bag.update(map(str, exact([*delta.added, *(row for _, row in delta.updated)])))
    assert +bag == Counter(map(str, exact(new)))
    assert bool(delta) == (exact(old) != exact(new))
    if key is None:
        assert not delta.updated
    for before, after in delta.updated:
        assert key is not None
        assert [before[place] for place in key] == [after[place] for place in key]
        assert exact([before]) != exact([after])


def test_only_rows_out_of_order_move() -> None:
    old = tuple((n,) for n in range(1000))
    new = (*old[1:700], old[0], *old[700:])
    delta = Delta.between(old, new, version=1)
    assert (delta.added, delta.removed, delta.updated) == ((), (), ())
    assert delta.taken == (0,)
    assert delta.placed == ((699, (0,)),)


def test_large_deltas_apply_like_small_ones() -> None:
    old = tuple((n,) for n in range(2000))
    new = tuple((n,) for n in range(0, 3000, 3))
    delta = Delta.between(old, new, version=1)
    assert len(delta.taken) > 64
    assert delta.apply(old) == new


@given(ROWS, ROWS)
def test_rows_without_a_hash_have_the_deltas_of_those_with_one(
    old: tuple[Any, ...], new: tuple[Any, ...]
) -> None:
    hashed = Delta.between(old, new, version=1)
    unhashed = Delta.between(*([(*row, []) for row in rows] for rows in (old, new)), version=1)
    assert exact([row[:2] for row in unhashed.added]) == exact(hashed.added)
    assert exact([row[:2] for row in unhashed.removed]) == exact(hashed.removed)
    assert unhashed.taken == hashed.taken
    assert [place for place, _ in unhashed.placed] == [place for place, _ in hashed.placed]


def test_rows_without_a_hash_are_compared_with_few_others() -> None:
    compared = 0

    class Counted(float):
        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return float.__eq__(self, other)

        __hash__ = float.__hash__

    old, new = ([{"x": [Counted(n)]} for n in range(first, 500, 2)] for first in (0, 1))
    assert len(Delta.between(old, new, version=1).added) == 250
    assert compared < 5000
