"""RegionIndex finds exactly the owners whose region is touched, whatever is added and discarded."""

from __future__ import annotations

from random import Random
from typing import Any

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite.understanding.routing import RegionIndex
from reactive_sqlite.values.change import ChangeSet, RowChange
from reactive_sqlite.values.intervals import IntervalSet
from reactive_sqlite.values.region import Region, TableRegion
from tests.understanding.engine import Engine
from tests.understanding.values import COLUMNS, Predicates, columns, value


def a_change(random: Random, seq: int) -> ChangeSet:
    """A commit of up to three rows in two tables, sometimes of less certainty."""

    def image() -> tuple[Any, ...]:
        return tuple(value(random) for _ in COLUMNS)

    rows = {}
    for table in ("t", "x"):
        found = []
        for _ in range(random.randrange(3)):
            old = image()
            new = tuple(value(random) if random.random() < 0.3 else item for item in old)
            rowid = random.randrange(-3, 4)
            kind = random.randrange(3)
            found.append(
                RowChange(
                    old if kind != 0 else None,
                    new if kind != 1 else None,
                    rowid if kind != 0 else None,
                    rowid if kind != 1 else None,
                )
            )
        if found:
            rows[table] = tuple(found)
    pick = random.random()
    return ChangeSet(
        seq,
        rows,
        frozenset(["t"] if pick < 0.05 else ["x"] if pick < 0.1 else []),
        schema=pick > 0.98,
        everything=0.96 < pick < 0.98,
    )


@settings(max_examples=15)
@given(st.integers(0, 2**48))
def test_the_index_agrees_with_every_region(seed: int) -> None:
    check(Random(seed))


def check(random: Random) -> None:
    engine = Engine()
    engine.connection.create_collation("ODD", lambda a, b: (len(a) > len(b)) - (len(a) < len(b)))
    for table in ("t", "x"):
        engine.run(f"CREATE TABLE {table}({columns(random, COLUMNS)})")
    engine.load()
    statements = [
        (engine.analyse(f"SELECT a FROM {table} WHERE {column} {test}"), count)
        for table in ("t", "x")
        for column in (*COLUMNS, "rowid")
        for test, count in (("= ?", 1), ("BETWEEN ? AND ?", 2), ("LIKE ?", 1), ("IN (?, ?)", 2))
    ]
    statements.append((engine.analyse("SELECT a FROM t"), 0))
    statements.append((engine.analyse("SELECT count(*) FROM t, x"), 0))
    statements.append((engine.analyse("PRAGMA table_info(t)"), 0))
    index: RegionIndex[int] = RegionIndex()
    regions: dict[int, Region] = {}
    for number in range(60):
        for _ in range(random.randrange(4)):
            statement, count = random.choice(statements)
            params = [value(random) for _ in range(count)]
            region = statement.region(params)
            if random.random() < 0.4:
                predicates = Predicates(random, [*COLUMNS, "rowid"])
                sql = f"SELECT b, rowid FROM t WHERE {predicates.condition()}"
                try:
                    region = engine.analyse(sql).region(predicates.params)
                except apsw.SQLError:
                    continue
            # An owner that comes again has its new region only, and the place that it had.
            again = regions and random.random() < 0.3
            owner = random.choice(list(regions)) if again else number
            regions[owner] = region
            index.add(owner, region)
        if regions and random.random() < 0.3:
            gone = random.choice(list(regions))
            del regions[gone]
            index.discard(gone)
        change = a_change(random, number)
        expected = [owner for owner, region in regions.items() if region.touched_by(change)]
        assert index.touched(change) == expected, change
        watched = {part.table for region in regions.values() for part in region.tables}
        if any(region.everything for region in regions.values()):
            watched = {"t", "x"}
        assert {key for key in ("t", "x") if index.watches(key)} == watched
    for owner in list(regions):
        index.discard(owner)
    assert index.touched(ChangeSet.whole(1)) == []
    assert len(index) == 0


class CountingRegion(TableRegion):
    """A region that counts how often it is asked."""

    __slots__ = ()
    asked = 0

    def touched_by_row(self, change: RowChange) -> bool:
        CountingRegion.asked += 1
        return super().touched_by_row(change)

    def sees(self, change: RowChange, moved: bool) -> bool:
        CountingRegion.asked += 1
        return super().sees(change, moved)


def counting(region: Region) -> Region:
    return Region(
        tuple(
            CountingRegion(part.table, part.columns, part.predicate, part.positions)
            for part in region.tables
        )
    )


def asked_for(sql: str, params: list[list[Any]], change: RowChange) -> int:
    engine = Engine("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b, c)")
    statement = engine.analyse(sql)
    index: RegionIndex[int] = RegionIndex()
    for number, values in enumerate(params):
        index.add(number, counting(statement.region(values)))
    commit = ChangeSet(1, {"t": (change,)})
    expected = [n for n, values in enumerate(params) if statement.region(values).touched_by(commit)]
    CountingRegion.asked = 0
    assert index.touched(commit) == expected
    return CountingRegion.asked


UPDATE = RowChange((7, "Ab", 50.0, None), (7, "Ac", 50.0, None), 7, 7)


def test_only_owners_of_the_value_are_asked() -> None:
    keys = [[number] for number in range(1000)]
    assert asked_for("SELECT * FROM t WHERE id = ?", keys, UPDATE) <= 1
    assert asked_for("SELECT * FROM t WHERE b = ? AND c IS NULL", keys, UPDATE) == 1
    assert asked_for("SELECT * FROM t WHERE id IN (?, -1)", keys, UPDATE) <= 1
    assert asked_for("SELECT * FROM t WHERE id + 1 = ?", keys, UPDATE) <= 1
    texts = [[f"a{chr(97 + number)}"] for number in range(26)]
    assert asked_for("SELECT * FROM t WHERE a = ?", texts, UPDATE) <= 2
    assert asked_for("SELECT * FROM t WHERE lower(a) = ?", texts, UPDATE) <= 2
    assert asked_for("SELECT * FROM t WHERE a LIKE ? || '%'", texts, UPDATE) == 2
    patterns = [[text + "%"] for (text,) in texts]
    assert asked_for("SELECT * FROM t WHERE a LIKE ?", patterns, UPDATE) == 2


def test_only_owners_of_the_interval_are_asked() -> None:
    ranges = [[number, number + 1] for number in range(1000)]
    assert asked_for("SELECT * FROM t WHERE b > ? AND b <= ?", ranges, UPDATE) <= 4
    assert asked_for("SELECT * FROM t WHERE b BETWEEN ? AND ?", ranges, UPDATE) <= 4


def test_nobody_is_asked_about_columns_that_did_not_change() -> None:
    nobody = RowChange((7, "Ab", 50.0, None), (7, "Ab", 50.0, 1), 7, 7)
    assert asked_for("SELECT a FROM t", [[]] * 1000, nobody) == 0
    assert asked_for("SELECT id FROM t WHERE a || '' = ?", [["x"]] * 1000, nobody) == 0


@settings(max_examples=100)
@given(st.integers(0, 2**48))
def test_intervals(seed: int) -> None:
    random = Random(seed)
    intervals: IntervalSet[int] = IntervalSet()
    known: dict[tuple[Any, Any, int], None] = {}
    for number in range(200):
        low, high = (random.choice([None, (1, random.randrange(20))]) for _ in range(2))
        if random.random() < 0.7:
            intervals.add(low, high, number)
            if low is None or high is None or low <= high:
                known[low, high, number] = None
        elif known:
            gone = random.choice(list(known))
            del known[gone]
            intervals.discard(*gone)
        if random.random() < 0.3:
            point = (1, random.randrange(20))
            expected = sorted(
                item
                for low, high, item in known
                if (low is None or low <= point) and (high is None or point <= high)
            )
            assert sorted(intervals.at(point)) == expected
    assert len(intervals) == len(known)
    assert sorted(intervals) == sorted(item for _, _, item in known)
