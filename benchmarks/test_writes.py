"""What a write costs: raw, unwatched, with live queries elsewhere, and until it is delivered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.engines import raw_connection
from reactive_sqlite import ReactiveDatabase

ROWS = 1_000
UPDATE = "UPDATE item SET n = ? WHERE id = ?"
SCHEMA = "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"
ROWS_OF_IT = [(key, 0) for key in range(1, ROWS + 1)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(tmp_path / "ours.db") as database:
        database.execute(SCHEMA)
        database.executemany("INSERT INTO item VALUES (?, ?)", ROWS_OF_IT)
        yield database


def test_raw(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The yardstick: APSW alone, the same file settings, the same statement."""
    connection = raw_connection(tmp_path / "raw.db")
    connection.execute(SCHEMA)
    with connection:
        connection.executemany("INSERT INTO item VALUES (?, ?)", ROWS_OF_IT)
    values = itertools.count(1)

    def write() -> None:
        value = next(values)
        connection.execute(UPDATE, (value, value % ROWS + 1))

    benchmark(write)
    connection.close()


@pytest.mark.parametrize("live", [0, 1_000, 100_000])
def test_with_live_queries_elsewhere(
    benchmark: BenchmarkFixture, database: ReactiveDatabase, live: int
) -> None:
    """Live queries on keys that no write touches."""
    woken: list[object] = []
    for key in range(ROWS + 1, ROWS + 1 + live):
        database.query("SELECT n FROM item WHERE id = ?", (key,)).subscribe(woken.append)
    woken.clear()
    values = itertools.count(1)

    def write() -> None:
        value = next(values)
        database.execute(UPDATE, (value, value % ROWS + 1))

    benchmark(write)
    assert not woken


def test_until_delivered(benchmark: BenchmarkFixture, database: ReactiveDatabase) -> None:
    """From the call of the write until its subscriber has the new value."""
    delivered: list[object] = []
    database.query_value("SELECT n FROM item WHERE id = 7").subscribe(delivered.append)
    values = itertools.count(1)

    def write() -> None:
        value = next(values)
        database.execute(UPDATE, (value, 7))
        assert delivered[-1] == value
        delivered.clear()

    benchmark(write)
