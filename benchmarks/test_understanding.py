"""What it costs to understand a statement, new and known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from reactive_sqlite import ReactiveDatabase

STATEMENTS = {
    "by key": "SELECT id, name FROM item WHERE id = ?",
    "join": "SELECT i.id, o.name FROM item AS i JOIN owner AS o ON o.id = i.owner_id WHERE i.n > ?",
    "grouped": "SELECT owner_id, count(*), sum(n) FROM item GROUP BY owner_id HAVING sum(n) > 10",
    "update": "UPDATE item SET n = ? WHERE id = ?",
}


@pytest.fixture
def database() -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase() as database:
        database.execute("CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT)")
        database.execute(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, n INTEGER, owner_id INTEGER)"
        )
        yield database


@pytest.mark.parametrize("kind", STATEMENTS)
def test_cold(benchmark: BenchmarkFixture, database: ReactiveDatabase, kind: str) -> None:
    """A text never seen before: SQLite prepares it, sqlglot parses it."""
    numbers = itertools.count()

    def fresh() -> tuple[tuple[str], dict[str, object]]:
        return (f"{STATEMENTS[kind]} -- {next(numbers)}",), {}

    statement = benchmark.pedantic(database.analyze, setup=fresh, rounds=200)
    assert "item" in statement.reads | statement.writes


@pytest.mark.parametrize("kind", STATEMENTS)
def test_warm(benchmark: BenchmarkFixture, database: ReactiveDatabase, kind: str) -> None:
    """A text that is known."""
    known = database.analyze(STATEMENTS[kind])
    assert benchmark(database.analyze, STATEMENTS[kind]) is known
