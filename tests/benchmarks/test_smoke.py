"""The benchmarks at their tiniest sizes: their answers must be right, their times do not matter."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

from benchmarks import (
    bars,
    compare,
    measure,
    questions,
    ratios,
    report,
    results,
    runner,
    wake_precision,
)
from benchmarks.workload import Row, Workload, digest

WORKLOADS = [workload for module in questions.MODULES for workload in module.workloads("smoke")]


class Oracle:
    """SQLite alone: every view is run again after every write."""

    def __init__(self, workload: Workload) -> None:
        self.connection = apsw.Connection(":memory:")
        self.workload = workload
        self.tables = {table.name: table for table in workload.tables}
        for table in workload.tables:
            for statement in table.schema():
                self.connection.execute(statement)
            self.connection.executemany(table.insert(), table.rows)

    def values(self) -> list[Sequence[Row]]:
        run = self.connection.execute
        return [run(view.sql, view.args).fetchall() for view in self.workload.views]

    def changed_views(self) -> list[tuple[int, ...]]:
        """For each write the views that it changes."""
        found, before = [], self.values()
        for write in self.workload.writes:
            with self.connection:
                for change in write.changes:
                    self.connection.execute(*change.statement(self.tables))
            after = self.values()
            found.append(tuple(at for at, rows in enumerate(after) if rows != before[at]))
            before = after
        return found


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_each_write_wakes_the_views_that_it_says(workload: Workload) -> None:
    assert Oracle(workload).changed_views() == [tuple(write.wakes) for write in workload.writes]


# Every question of ours; of the yardstick and the emulations, one of each way to use an engine.
ASKED = [("ours", workload) for workload in WORKLOADS] + [
    (engine, workload)
    for engine in measure.ENGINES
    for workload in WORKLOADS
    if engine != "ours"
    and workload.name
    in ("sorted_all_delta", "issues_comments", "keyed", "columns_overlap", "burst")
]


@pytest.mark.parametrize(
    ("engine", "workload"), ASKED, ids=[f"{engine}-{workload.name}" for engine, workload in ASKED]
)
def test_engines_agree_with_sqlite(engine: str, workload: Workload) -> None:
    oracle = Oracle(workload)
    oracle.changed_views()
    result = measure.run(engine, workload)
    assert result["checksum"] == digest(workload.views, oracle.values())
    assert result["emissions"] == result["expected_emissions"]


@pytest.mark.parametrize("bar", bars.BARS, ids=lambda bar: bar.name)
def test_bars_can_be_measured(bar: bars.Bar) -> None:
    lines = ratios.run("smoke", (bar.name,), lambda _: None)
    places = [line["engine"] for line in lines if line["workload"] == bar.name]
    assert places == ["memory", "disk"]
    assert all(line["ratio"] > 0 for line in lines)
    assert ratios.table(lines).count("\n") == 1 + len({line["workload"] for line in lines})


def test_no_wake_up_is_missed() -> None:
    found = wake_precision.run(40)
    assert [line["workload"] for line in found] == list(wake_precision.QUERIES)
    for line in found:
        assert line["delivered"] == line["changed"]
        assert 0 <= line["spurious"] <= line["asked"] - line["changed"]
    assert sum(line["changed"] for line in found) > 40


def test_quantiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert measure.quantile(values, 0.5) == 50
    assert measure.quantile(values, 0.99) == 99
    assert measure.quantile([3.0], 0.99) == 3


def test_runs_are_kept_and_compared(tmp_path: Path) -> None:
    lines = [{"workload": "a", "engine": "ours", "median_us": 100.0}]
    before = results.keep("ours", "smoke", lines, tmp_path / "before.json")
    lines[0]["median_us"] = 300.0
    after = results.keep("ours", "smoke", lines, tmp_path / "after.json")
    line = compare.compare(before, after).splitlines()[-1]
    assert "3.00" in line
    assert "slower" in line


def test_tables_say_who_is_behind() -> None:
    lines = [
        {"workload": "a", "question": "how?", "engine": "ours", "median_us": 30.0},
        {"workload": "a", "question": "how?", "engine": "rindle", "median_us": 10.0},
        {"workload": "a", "question": "how?", "engine": "rxdb", "na": "no joins"},
    ]
    table = report.joint(lines)
    assert "| how?" in table
    assert "3.0× BEHIND rindle" in table
    assert report.reasons(lines) == "- rxdb: no joins (a)"


def test_engines_that_disagree_are_not_ranked() -> None:
    workload = WORKLOADS[0]
    ours = {"engine": "ours", "checksum": "x"}
    peer = {"engine": "rindle", "checksum": "y"}
    runner._check(workload, [ours, peer])
    assert "na" in peer
    with pytest.raises(AssertionError, match="disagree"):
        runner._check(workload, [ours, {"engine": "raw", "checksum": "y"}])


@pytest.mark.skipif(
    shutil.which("node") is None or not (runner.PEER_FOLDER / "node_modules").exists(),
    reason="the peers are not installed: make bench-peers does it where Node is present",
)
@pytest.mark.parametrize("peer", ["tanstack", "rindle", "tinybase", "rxdb"])
def test_a_peer_answers_as_sqlite_does(peer: str, tmp_path: Path) -> None:
    workload = questions.find("owners", "smoke")
    document = tmp_path / "workload.json"
    document.write_text(workload.to_json())
    done = subprocess.run(
        ["node", "--expose-gc", "driver.mjs", peer, str(document)],
        cwd=runner.PEER_FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    oracle = Oracle(workload)
    oracle.changed_views()
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["checksum"] == digest(workload.views, oracle.values())
