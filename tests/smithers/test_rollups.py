"""The counters are right, whoever writes, and a recount proves it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smithers_db import InvalidTransition, SmithersDB, create_smithers_db
from smithers_db.rollups import Drift
from smithers_db.values import encode


def counters(db: SmithersDB, run: str) -> tuple[int, int, int, int]:
    row = db.execution.get(run)
    assert row is not None
    return (row.total_iterations, row.total_agents, row.total_tool_calls, row.total_tokens_used)


def test_counters_follow_the_rows(db: SmithersDB, run: str) -> None:
    phase = db.phases.start("p")
    agent = db.agents.start("a")
    call = db.tools.start("Bash", {})
    db.tools.complete(call, "x")
    assert counters(db, run) == (0, 1, 1, 0)
    db.agents.complete(agent, "r", None, 100, 20)
    assert counters(db, run) == (0, 1, 1, 120)
    assert db.execution.advance_iteration() == 1
    assert db.execution.advance_iteration() == 2
    assert counters(db, run) == (2, 1, 1, 120)
    assert db.phases.get(phase).agents_count == 1  # type: ignore[union-attr]
    assert db.agents.get(agent).tool_calls_count == 1  # type: ignore[union-attr]
    db.db.execute("UPDATE agents SET tokens_input = 7 WHERE id = ?", (agent,))
    assert counters(db, run) == (2, 1, 1, 27)
    db.db.execute("DELETE FROM agents WHERE id = ?", (agent,))
    assert counters(db, run) == (2, 0, 0, 0)
    assert db.phases.get(phase).agents_count == 0  # type: ignore[union-attr]
    assert db.verify_rollups() == []


def test_drift_is_found_and_mended(db: SmithersDB, run: str) -> None:
    db.agents.start("a")
    db.db.execute("UPDATE executions SET total_agents = 9, total_tool_calls = 4")
    assert db.verify_rollups() == [
        Drift("executions", run, "total_agents", 9, 1),
        Drift("executions", run, "total_tool_calls", 4, 0),
    ]
    assert len(db.verify_rollups(repair=True)) == 2
    assert db.verify_rollups() == []
    assert counters(db, run) == (0, 1, 0, 0)


WRITES: dict[str, str] = {
    "insert agent": "INSERT INTO agents (id, execution_id, phase_id, prompt, created_at, "
    "tokens_input) SELECT 'a' || :n, e.id, (SELECT p.id FROM phases p WHERE p.execution_id = e.id "
    "ORDER BY p.id LIMIT 1 OFFSET :n % 3), '', '', :n FROM executions e "
    "ORDER BY e.id LIMIT 1 OFFSET :n % 3",
    "insert call": "INSERT INTO tool_calls (id, agent_id, execution_id, tool_name, input, "
    "created_at) SELECT 'c' || :n, id, execution_id, '', '{}', '' FROM agents "
    "ORDER BY id LIMIT 1 OFFSET :n % 4",
    "insert phase": "INSERT INTO phases (id, execution_id, name, created_at) "
    "SELECT 'p' || :n, id, '', '' FROM executions ORDER BY id LIMIT 1 OFFSET :n % 3",
    "tokens": "UPDATE agents SET tokens_output = :n, tokens_input = NULL WHERE rowid % 3 = :n % 3",
    "status": "UPDATE agents SET status = CASE :n % 2 WHEN 0 THEN 'completed' ELSE 'running' END",
    "rephase": "UPDATE agents SET phase_id = (SELECT id FROM phases ORDER BY id LIMIT 1 "
    "OFFSET :n % 3) WHERE rowid % 2 = :n % 2",
    "move agent": "UPDATE agents SET tokens_input = :n, execution_id = (SELECT id FROM executions "
    "ORDER BY id LIMIT 1 OFFSET :n % 3) WHERE rowid % 3 = :n % 3",
    "move call": "UPDATE tool_calls SET agent_id = (SELECT id FROM agents ORDER BY id LIMIT 1 "
    "OFFSET :n % 2), execution_id = (SELECT id FROM executions LIMIT 1 OFFSET :n % 2) "
    "WHERE rowid % 2 = :n % 2 AND EXISTS (SELECT 1 FROM agents LIMIT 1 OFFSET 1)",
    "delete agent": "DELETE FROM agents WHERE rowid % 4 = :n % 4",
    "delete phase": "DELETE FROM phases WHERE rowid % 4 = :n % 4",
    "delete call": "DELETE FROM tool_calls WHERE rowid % 4 = :n % 4",
    "replace agent": "REPLACE INTO agents (id, execution_id, prompt, created_at, tokens_input) "
    "SELECT id, execution_id, 'again', '', :n FROM agents ORDER BY id LIMIT 1 OFFSET :n % 3",
    "iteration": "UPDATE state SET value = :n WHERE key = 'iteration'",
    "no iteration": "UPDATE state SET value = '\"text\"' WHERE key = 'iteration' AND :n % 5 = 0",
    "delete run": "DELETE FROM executions WHERE :n % 7 = 0 "
    "AND id = (SELECT max(id) FROM executions) AND (SELECT count(*) FROM executions) > 3",
    "replace run": "REPLACE INTO executions SELECT * FROM executions WHERE :n % 5 = 0 "
    "AND id = (SELECT min(id) FROM executions)",
    "restore phase": "REPLACE INTO phases SELECT * FROM phases ORDER BY id LIMIT 1",
    "restore agent": "REPLACE INTO agents SELECT * FROM agents ORDER BY id DESC LIMIT 1",
    "rename key": "UPDATE OR REPLACE state SET key = CASE key WHEN 'iteration' THEN 'i' "
    "ELSE 'iteration' END WHERE key IN ('iteration', 'i') AND :n % 2 = 0",
    "huge iteration": "UPDATE state SET value = '9223372036854775808' WHERE key = 'iteration' "
    "AND :n % 5 = 1",
    "insert run": "INSERT INTO executions (id, file_path, created_at) VALUES ('e' || :n, '', '')",
}


@given(st.lists(st.tuples(st.sampled_from(sorted(WRITES)), st.booleans()), max_size=40))
@settings(max_examples=40)
def test_any_direct_sql_keeps_the_counters_right(writes: list[tuple[str, bool]]) -> None:
    with create_smithers_db() as db:
        for number in range(3):
            db.execution.start("r", "f", id=f"e{number:05}")
            db.phases.start("p")
            db.agents.start("a")
            db.tools.start("Bash", {})
        for number, (write, undone) in enumerate(writes, 100):
            sql: Any = WRITES[write]
            try:
                with db.db.transaction():
                    db.db.execute(sql, {"n": number})
                    if undone:
                        raise KeyboardInterrupt
            except KeyboardInterrupt:
                pass
        assert db.verify_rollups() == []


def test_rows_that_are_read_back_are_counted_once(db: SmithersDB, run: str) -> None:
    """An export restored by plain INSERTs, parents first, with the counters that it holds."""
    db.phases.start("p")
    for _ in range(3):
        agent = db.agents.start("a")
        db.tools.start("Bash", {})
        db.agents.complete(agent, "done", None, 5, 6)
    tables = ("executions", "phases", "agents", "tool_calls")
    kept = {table: db.db.execute(f"SELECT * FROM {table}").rows for table in tables}
    before = counters(db, run)
    db.execution.delete(run)
    for table, rows in kept.items():
        marks = ", ".join("?" * len(rows[0]))
        db.db.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(row) for row in rows])
    assert counters(db, run) == before
    assert db.verify_rollups() == []


def left_by_another_program(db: SmithersDB, value: Any) -> None:
    """An iteration that `db.state.set` would refuse."""
    db.db.execute("UPDATE state SET value = ? WHERE key = 'iteration'", (encode(value),))


@pytest.mark.parametrize("value", [10**18, 2**63, 2**63 - 1, 10**30, -1, True, "", 1.0, None])
def test_an_iteration_beyond_any_count(db: SmithersDB, run: str, value: Any) -> None:
    left_by_another_program(db, value)
    with pytest.raises(InvalidTransition, match="no whole number"):
        db.execution.advance_iteration()
    assert db.state.get("iteration") == value
    assert db.tasks.current_iteration() == 0
    assert db.phases.get(db.phases.start("p")).iteration == 0  # type: ignore[union-attr]
    assert type(db.execution.get(run).total_iterations) is int  # type: ignore[union-attr]
    assert db.verify_rollups() == []


def test_advancing_an_iteration_that_is_no_number(db: SmithersDB, run: str) -> None:
    left_by_another_program(db, "many")
    with pytest.raises(InvalidTransition, match="whole number"):
        db.execution.advance_iteration()
    assert db.tasks.current_iteration() == 0
    assert db.phases.get(db.phases.start("p")).iteration == 0  # type: ignore[union-attr]
    db.state.delete("iteration")
    assert db.execution.advance_iteration() == 1
