"""The benchmarks of many processes at their tiniest: nothing fails, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import neighbours_contention, neighbours_latency
from reactive_sqlite import ReactiveDatabase


@pytest.mark.parametrize("kind", ["raw", "ours", "ours, journalled"])
def test_contention(kind: str) -> None:
    found = neighbours_contention.contend(kind, processes=2, transactions=20)
    assert (found["failures"], found["lost"]) == (0, 0)


def test_cost_of_a_commit() -> None:
    found = neighbours_contention.journal(400)
    assert [line["question"] for line in found] == [
        f"journal, {rows} rows a commit, {who}" for rows in (1, 10) for who in ("raw", "ours")
    ]


def test_latency(tmp_path: Path) -> None:
    path = tmp_path / "latency.db"
    with ReactiveDatabase(path) as db:
        for table in "tuv":
            db.execute(f"CREATE TABLE {table}(id INTEGER PRIMARY KEY, sent)")
            db.execute(f"INSERT INTO {table} VALUES (1, 0)")
    found = neighbours_latency.ours(path, commits=3, idle=0.1)
    assert [line["question"] for line in found][:2] == ["ours: participant", "ours: stranger"]
    assert found[2]["selects"] == 0
