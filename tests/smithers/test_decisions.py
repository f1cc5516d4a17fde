"""One test for each section of the review that this package answers, and for each decision."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smithers_db import (
    InvalidTransition,
    MigrationError,
    NoActiveExecution,
    NotFound,
    OutputError,
    SmithersDB,
    create_smithers_db,
)
from smithers_db.clock import later, moment, new_id, now
from smithers_db.migrations import known

from . import original

# -- the review's twelve sections --------------------------------------------------------------


def test_section_1_context_is_safe_for_parallel_agents(db: SmithersDB, run: str) -> None:
    async def agent(name: str) -> tuple[str, str | None]:
        phase = db.phases.start(name)
        await asyncio.sleep(0)
        row = db.agents.get(db.agents.start(name))
        assert row is not None
        return phase, row.phase_id

    async def both() -> list[tuple[str, str | None]]:
        return await asyncio.gather(*(agent(str(number)) for number in range(20)))

    assert all(mine == linked for mine, linked in asyncio.run(both()))
    with db.context(execution_id=run):
        assert db.current.execution_id == run


def test_section_2_one_key_for_the_iteration(db: SmithersDB, run: str) -> None:
    db.state.set("iteration", 3)
    assert db.tasks.current_iteration() == 3
    task = db.tasks.get(db.tasks.start("Claude"))
    assert task is not None
    assert task.iteration == 3
    assert db.render_frames.get(db.render_frames.store("<a/>")).iteration == 3  # type: ignore[union-attr]


def test_section_3_state_is_scoped_by_execution(db: SmithersDB) -> None:
    first = db.execution.start("1", "f")
    db.state.set("key", 1)
    db.execution.start("2", "f")
    assert not db.state.has("key")
    assert db.state.get("key", execution_id=first) == 1


def test_section_4_times_are_text_and_booleans_bools(db: SmithersDB, run: str) -> None:
    row = db.execution.get(run)
    assert row is not None
    assert type(row.created_at) is str
    raw = db.query("SELECT created_at FROM executions").get()[0][0]
    assert row.created_at == raw == moment(raw)
    db.vcs.log_snapshot(change_id="c", has_conflicts=False)
    db.db.execute("UPDATE snapshots SET has_conflicts = '0'")
    assert db.vcs.get_snapshots()[0].has_conflicts is False


def test_section_5_large_outputs_can_be_read_back(db: SmithersDB, run: str) -> None:
    db.agents.start("a")
    call = db.tools.start("Bash", {})
    db.tools.complete(call, "x" * 100_000)
    row = db.tools.get(call)
    assert row is not None
    assert row.output_path is not None
    assert row.output_git_hash is not None
    assert db.tools.get_output(call) == "x" * 100_000


def test_section_6_every_rollup_is_maintained(db: SmithersDB, run: str) -> None:
    phase = db.phases.start("p")
    agent = db.agents.start("a")
    db.tools.fail(db.tools.start("Bash", {}), "no")
    db.execution.advance_iteration()
    db.agents.complete(agent, "r", None, 2, 3)
    row = db.execution.get(run)
    assert row is not None
    totals = (row.total_iterations, row.total_agents, row.total_tool_calls, row.total_tokens_used)
    assert totals == (1, 1, 1, 5)
    assert db.phases.get(phase).agents_count == 1  # type: ignore[union-attr]


def test_section_7_failures_have_durations_and_errors(db: SmithersDB, run: str) -> None:
    rows: list[Any] = []
    for family in (db.phases, db.steps, db.tasks, db.agents):
        row_id = family.start("x")
        family.fail(row_id, "why")
        rows.append(family.get(row_id))
    assert all(row.duration_ms is not None and row.error == "why" for row in rows)


def test_section_8_memories_have_precedence_and_full_text_search(db: SmithersDB) -> None:
    db.memories.add("fact", "k", "of the project", scope="project")
    db.memories.add("fact", "k", "of everybody")
    db.memories.add("fact", "k", "of the session", scope="session")
    found = db.memories.get("fact", "k")
    assert found is not None
    assert found.scope == "session"
    assert [row.scope for row in db.memories.search("everybody")] == ["global"]


def test_section_9_the_composite_index_of_the_running_count(db: SmithersDB) -> None:
    (step,) = db.query(
        "EXPLAIN QUERY PLAN SELECT count(*) FROM tasks "
        "WHERE execution_id = ? AND iteration = ? AND status = 'running'",
        ("e", 0),
    ).get()
    assert "tasks_execution_iteration_status" in step.detail
    assert "execution_id=? AND iteration=? AND status=?" in step.detail


def test_section_10_migrations_are_ordered_and_remembered(db: SmithersDB) -> None:
    rows = db.query("SELECT id FROM schema_migrations ORDER BY id").get()
    assert [row.id for row in rows] == [migration.id for migration in known()]


def test_section_11_foreign_keys_are_enforced(file_db: SmithersDB) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"):
        file_db.db.execute(
            "INSERT INTO phases (id, execution_id, name, created_at) VALUES ('p', 'no', '', '')"
        )
    run = file_db.execution.start("r", "f")
    file_db.phases.start("p")
    file_db.execution.delete(run)
    assert file_db.query("SELECT * FROM phases").get() == ()


def test_section_12_ergonomics(db: SmithersDB) -> None:
    db.execution.start("r", "f")
    assert db.state.get_all() == {"data": None, "iteration": 0, "phase": "initial"}
    db.state.set("k", {"a": 1})
    assert db.state.history("k")[0].new_value == {"a": 1}
    first = db.vcs.log_commit(vcs_type="git", commit_hash="h", message="m")
    assert db.vcs.log_commit(vcs_type="git", commit_hash="h", message="n") == first


# -- the fifteen decisions -----------------------------------------------------------------------


def test_decision_1_explicit_else_ambient_else_an_error(db: SmithersDB) -> None:
    with pytest.raises(NoActiveExecution, match="execution_id="):
        db.phases.start("p")
    run = db.execution.start("r", "f")
    other = db.execution.start("o", "f")
    assert db.phases.get(db.phases.start("p", execution_id=run)).execution_id == run  # type: ignore[union-attr]
    assert db.phases.get(db.phases.start("p")).execution_id == run  # type: ignore[union-attr]
    with db.context(execution_id=other):
        assert db.phases.get(db.phases.start("p")).execution_id == other  # type: ignore[union-attr]


def test_decision_2_iteration_is_the_word_everywhere(db: SmithersDB, run: str) -> None:
    assert db.execution.advance_iteration() == 1
    columns = {
        row[0]
        for row in db.query(
            "SELECT c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c "
            "WHERE t.type = 'table'"
        ).get()
    }
    assert "iteration" in columns
    assert not [name for name in columns if "ralph" in name]
    assert (db.state.get("iteration"), db.execution.get(run).total_iterations) == (1, 1)  # type: ignore[union-attr]


def test_decision_3_any_past_state_can_be_rebuilt(db: SmithersDB, run: str) -> None:
    ids = [db.state.set("k", number) for number in range(5)]
    assert [db.state.at(transition)["k"] for transition in ids] == [0, 1, 2, 3, 4]


def test_decision_4_times_sort_as_text() -> None:
    times = [later(offset) for offset in (-100_000, -1_000, -1, 0, 1, 86_400_000)]
    assert times == sorted(times)
    assert all(len(time) == 24 and time.endswith("Z") for time in times)
    assert now() == moment(now())[:24] or now() > "2020"


def test_decision_5_an_output_is_never_silently_gone(db: SmithersDB, run: str) -> None:
    db.agents.start("a")
    call = db.tools.start("Bash", {})
    db.tools.complete(call, "x" * 1024)
    for file in db.outputs.files():
        file.unlink()
    with pytest.raises(OutputError):
        db.tools.get_output(call)


def test_decision_6_drift_is_reported_and_mended(db: SmithersDB, run: str) -> None:
    db.db.execute("UPDATE executions SET total_agents = 5")
    assert len(db.verify_rollups(repair=True)) == 1
    assert db.verify_rollups() == []


def test_decision_7_finishing_twice_or_an_unknown_one(db: SmithersDB, run: str) -> None:
    phase = db.phases.start("p")
    db.phases.skip(phase)
    with pytest.raises(InvalidTransition):
        db.phases.complete(phase)
    with pytest.raises(NotFound):
        db.phases.complete("nobody")


def test_decision_8_reading_memories_does_not_write(db: SmithersDB) -> None:
    db.memories.add_fact("k", "v")
    before = db.db.version
    db.memories.get("fact", "k")
    assert db.db.version == before


def test_decision_9_few_indexes(db: SmithersDB) -> None:
    rows = db.query(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
    ).get()
    assert rows[0][0] <= 45


def test_decision_10_a_file_of_the_original_opens(tmp_path: Path) -> None:
    path = original.make(tmp_path / "a.db")
    with create_smithers_db(path) as db:
        assert len(db.execution.list()) == 2
    (tmp_path / "other.db").touch()
    create_smithers_db(tmp_path / "other.db").close()
    with create_smithers_db(path) as db:
        db.db.execute("INSERT INTO schema_migrations VALUES ('9999_later', '', '')")
    with pytest.raises(MigrationError, match="newer"):
        create_smithers_db(path)


def test_decision_11_foreign_keys_hold_on_every_open(tmp_path: Path) -> None:
    for _ in range(2):
        with create_smithers_db(tmp_path / "a.db") as db:
            assert db.db.execute("PRAGMA foreign_keys").rows[0][0] == 1
            assert db.db.execute("PRAGMA recursive_triggers").rows[0][0] == 1


def test_decision_12_histories_are_parsed_and_in_true_order(db: SmithersDB, run: str) -> None:
    for number in range(50):
        db.state.set("k", [number])
    assert [row.new_value[0] for row in db.state.history("k")][::-1] == list(range(50))
    seqs = [row.seq for row in db.state.history()]
    assert seqs == sorted(seqs, reverse=True)


def test_decision_13_keys_sort_by_time() -> None:
    ids = [new_id() for _ in range(5000)]
    assert ids == sorted(set(ids))
    assert all(len(key) == 36 and key[14] == "7" for key in ids)


def test_decision_14_growth_can_be_undone(file_db: SmithersDB) -> None:
    for _ in range(3):
        run = file_db.execution.start("r", "f", {"large": "x" * 50_000})
        file_db.execution.complete(run)
    before = file_db.stats().file_bytes
    assert len(file_db.prune(keep=1).executions) == 2
    assert file_db.stats().file_bytes < before - 80_000


def test_decision_15_a_dead_worker_is_told_from_a_living_one(tmp_path: Path) -> None:
    code = (
        "import os, sys; from smithers_db import create_smithers_db as c; "
        "c(sys.argv[1]).execution.start('r', 'f', id='run'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "a.db"], cwd=Path(__file__).parents[2])
    with create_smithers_db(tmp_path / "a.db") as db:
        mine = db.execution.start("mine", "f")
        states = {row.id: row.abandoned for row in db.execution.find_incomplete()}
        assert states == {"run": True, mine: False}
        assert db.execution.resume("run").id == "run"
