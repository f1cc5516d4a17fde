"""Every way to finish sets time, duration and error; twice, or unknown, is an error."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from smithers_db import Context, InvalidTransition, NotFound, SmithersDB, create_smithers_db

Start = Callable[[SmithersDB], str]

STARTS: dict[str, Start] = {
    "execution": lambda db: db.execution.start("r", "f"),
    "phases": lambda db: db.phases.start("p"),
    "agents": lambda db: db.agents.start("a"),
    "steps": lambda db: db.steps.start("s"),
    "tasks": lambda db: db.tasks.start("t"),
    "tools": lambda db: db.tools.start("Bash", {}),
}
ENDINGS: dict[tuple[str, str], tuple[tuple[Any, ...], str]] = {
    ("execution", "complete"): (({"ok": True},), "completed"),
    ("execution", "fail"): (("broken",), "failed"),
    ("execution", "cancel"): ((), "cancelled"),
    ("execution", "end"): (({"n": 1}, "success", 0), "completed"),
    ("phases", "complete"): ((), "completed"),
    ("phases", "fail"): (("broken",), "failed"),
    ("phases", "skip"): ((), "skipped"),
    ("agents", "complete"): (("done", {"a": 1}, 3, 4), "completed"),
    ("agents", "fail"): (("broken",), "failed"),
    ("agents", "cancel"): ((), "cancelled"),
    ("steps", "complete"): (("a", "b", "c"), "completed"),
    ("steps", "fail"): (("broken",), "failed"),
    ("steps", "skip"): ((), "skipped"),
    ("tasks", "complete"): ((), "completed"),
    ("tasks", "fail"): (("broken",), "failed"),
    ("tasks", "cancel"): ((), "cancelled"),
    ("tools", "complete"): (("output",), "completed"),
    ("tools", "fail"): (("broken",), "failed"),
}


@pytest.fixture
def prepared(db: SmithersDB) -> SmithersDB:
    db.execution.start("r", "f")
    db.phases.start("p")
    db.agents.start("a")
    return db


@pytest.mark.parametrize(("family", "verb"), ENDINGS, ids=".".join)
def test_an_ending_sets_time_duration_and_error(
    prepared: SmithersDB, family: str, verb: str
) -> None:
    args, status = ENDINGS[family, verb]
    verbs = getattr(prepared, family)
    row_id = STARTS[family](prepared)
    before = verbs.get(row_id)
    assert (before.status, before.completed_at, before.duration_ms) == ("running", None, None)
    started = "2026-01-18T10:00:00.000Z"
    table = {"execution": "executions", "tools": "tool_calls"}.get(family, family)
    prepared.db.execute(f"UPDATE {table} SET started_at = ? WHERE id = ?", (started, row_id))
    getattr(verbs, verb)(row_id, *args)
    row = verbs.get(row_id)
    assert row.status == status
    assert row.completed_at > row.started_at
    elapsed = prepared.db.execute(
        "SELECT round((unixepoch(?, 'subsec') - unixepoch(?, 'subsec')) * 1000)",
        (row.completed_at, started),
    ).rows[0][0]
    assert row.duration_ms == elapsed
    assert row.error == ("broken" if verb == "fail" else None)


@pytest.mark.parametrize(("family", "verb"), ENDINGS, ids=".".join)
def test_ending_twice_or_an_unknown_one(prepared: SmithersDB, family: str, verb: str) -> None:
    verbs = getattr(prepared, family)
    args, _ = ENDINGS[family, verb]
    with pytest.raises(NotFound, match="nobody"):
        getattr(verbs, verb)("nobody", *args)
    row_id = STARTS[family](prepared)
    getattr(verbs, verb)(row_id, *args)
    ended = verbs.get(row_id)
    for other, (arguments, _) in ENDINGS.items():
        if other[0] == family:
            with pytest.raises(InvalidTransition, match=ended.status):
                getattr(verbs, other[1])(row_id, *arguments)
    assert verbs.get(row_id) == ended


def test_a_clock_that_went_back_gives_no_negative_duration(prepared: SmithersDB) -> None:
    phase = prepared.phases.start("p")
    prepared.db.execute("UPDATE phases SET started_at = '2999-01-01T00:00:00.000Z'")
    prepared.phases.complete(phase)
    assert prepared.phases.get(phase).duration_ms == 0  # type: ignore[union-attr]


RUNNING: dict[str, Callable[[SmithersDB], Any]] = {
    "execution": lambda db: db.execution.running("r", "f"),
    "phases": lambda db: db.phases.running("p"),
    "agents": lambda db: db.agents.running("a", "opus", system_prompt="s"),
    "steps": lambda db: db.steps.running("s"),
    "tasks": lambda db: db.tasks.running("t"),
    "tools": lambda db: db.tools.running("Bash", {"command": "x"}),
}


@pytest.mark.parametrize("family", RUNNING)
def test_a_running_block_completes_and_restores(prepared: SmithersDB, family: str) -> None:
    before = prepared.current
    with RUNNING[family](prepared) as row_id:
        assert getattr(prepared, family).get(row_id).status == "running"
    assert getattr(prepared, family).get(row_id).status == "completed"
    assert prepared.current == before


@pytest.mark.parametrize("family", RUNNING)
@pytest.mark.parametrize(
    "error", [ValueError("no\0luck"), KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(3)]
)
def test_a_running_block_fails_on_any_exception(
    prepared: SmithersDB, family: str, error: BaseException
) -> None:
    before = prepared.current
    with pytest.raises(type(error)), RUNNING[family](prepared) as row_id:
        raise error
    row = getattr(prepared, family).get(row_id)
    assert row.status == "failed"
    assert row.error.startswith(type(error).__name__)
    assert prepared.current == before


def test_a_running_block_that_ends_its_row_is_left_at_that(prepared: SmithersDB) -> None:
    with prepared.agents.running("a") as agent:
        prepared.agents.complete(agent, "the result")
    assert prepared.agents.get(agent).result == "the result"  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="later"), prepared.agents.running("a") as agent:
        prepared.agents.cancel(agent)
        raise ValueError("later")
    assert prepared.agents.get(agent).status == "cancelled"  # type: ignore[union-attr]


def test_a_running_block_whose_row_another_ends_at_its_end_is_left_at_that(
    prepared: SmithersDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = prepared.phases.complete

    def too_late(phase: str) -> None:
        prepared.phases.skip(phase)
        complete(phase)

    monkeypatch.setattr(prepared.phases, "complete", too_late)
    with prepared.phases.running("p") as phase:
        pass
    assert prepared.phases.get(phase).status == "skipped"  # type: ignore[union-attr]


@pytest.mark.parametrize("family", RUNNING)
def test_a_running_block_takes_what_start_takes(db: SmithersDB, family: str) -> None:
    verbs = getattr(db, family)
    start = inspect.signature(verbs.start).parameters
    running = inspect.signature(verbs.running).parameters
    assert "options" in running or running == start


def test_the_options_of_a_running_block_arrive(prepared: SmithersDB) -> None:
    with prepared.tasks.running("t", "n", "scope", "rev", iteration=3) as task:
        row = prepared.tasks.get(task)
    assert row is not None
    assert (row.scope_id, row.scope_rev, row.iteration) == ("scope", "rev", 3)
    with prepared.execution.running("r", "f", {"a": 1}, id="mine") as run:
        assert run == "mine"


def test_the_blocks_own_error_is_seen_when_the_database_is_gone() -> None:
    db = create_smithers_db()
    db.execution.start("r", "f")
    with pytest.raises(ValueError, match="first") as caught, db.phases.running("p"):
        db.close()
        raise ValueError("first")
    assert "was not marked failed" in caught.value.__notes__[0]


def test_a_cancelled_task_fails_its_block(db: SmithersDB) -> None:
    async def main() -> str:
        db.execution.start("r", "f")
        entered = asyncio.Event()
        ids = []

        async def work() -> None:
            with db.phases.running("p") as phase:
                ids.append(phase)
                entered.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return ids[0]

    phase = db.phases.get(asyncio.run(main()))
    assert phase is not None
    assert (phase.status, phase.error) == ("failed", "CancelledError")


def test_starting_a_run_with_an_id_that_exists(db: SmithersDB) -> None:
    db.execution.start("r", "f", id="mine")
    with pytest.raises(InvalidTransition, match=r"resume\(id\)"):
        db.execution.start("r", "f", id="mine")
    assert db.current == Context("mine")
    assert len(db.execution.list()) == 1


def test_end_with_another_exit_code_is_a_failure(db: SmithersDB, run: str) -> None:
    db.execution.end(run, {"files": [1]}, "max_iterations", 3)
    row = db.execution.get(run)
    assert row is not None
    assert (row.status, row.exit_code, row.end_reason) == ("failed", 3, "max_iterations")
    assert row.end_summary == {"files": [1]}


@pytest.mark.parametrize("config", [None, {}, [], 0, False, "", {"a": [1]}])
def test_a_config_comes_back_as_it_was(db: SmithersDB, config: Any) -> None:
    found = db.execution.get(db.execution.start("r", "f", config))
    assert found is not None
    assert found.config == ({} if config is None else config)
