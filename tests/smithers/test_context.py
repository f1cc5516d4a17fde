"""Who is at work: explicit ids, else the ambient context of this database, never another's."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite import TransactionError
from smithers_db import Context, NoActiveExecution, NotFound, SmithersDB, create_smithers_db


def test_without_any_execution_the_error_says_both_ways_out(db: SmithersDB) -> None:
    for call in (
        lambda: db.phases.start("p"),
        lambda: db.agents.start("a"),
        lambda: db.steps.start(),
        lambda: db.tasks.start("t"),
        lambda: db.state.set("k", 1),
        lambda: db.state.get_all(),
        lambda: db.render_frames.store("<a/>"),
        lambda: db.vcs.add_report(type="t", title="t", content="c"),
        lambda: db.human.request("text", "?"),
        lambda: db.artifacts.add("a", "b", "c"),
    ):
        with pytest.raises(NoActiveExecution) as caught:
            call()
        assert "execution_id=" in str(caught.value)
        assert "db.context(" in str(caught.value)
    with pytest.raises(NoActiveExecution, match="agent_id="):
        db.tools.start("Bash", {})


def test_explicit_ids_need_no_context(db: SmithersDB) -> None:
    run = db.execution.start("r", "f")
    with db.context():
        pass
    db.execution.complete(run)
    assert db.current == Context()
    phase = db.phases.start("p", execution_id=run)
    assert db.phases.get(phase).execution_id == run  # type: ignore[union-attr]


def test_an_empty_id_is_an_id_and_not_the_current_one(db: SmithersDB, run: str) -> None:
    agent = db.agents.start("a")
    for call in (
        lambda: db.phases.start("p", execution_id=""),
        lambda: db.agents.start("a", execution_id=""),
        lambda: db.steps.start(execution_id=""),
        lambda: db.tasks.start("t", execution_id=""),
        lambda: db.state.set("k", 1, execution_id=""),
        lambda: db.tools.start("Bash", {}, ""),
        lambda: db.human.request("text", "?", execution_id=""),
        lambda: db.artifacts.add("a", "b", "c", agent_id=""),
        lambda: db.vcs_queue.enqueue("push", None, execution_id=""),
        lambda: db.execution.heartbeat(""),
    ):
        with pytest.raises(NotFound):
            call()
    db.human.request("text", "?")
    assert db.human.list_pending("") == db.agents.list("") == db.tools.list("") == []
    assert db.state.get_all(execution_id="") == {}
    with db.context(agent_id=""):
        assert db.current == Context(run, None, "")
    assert db.current == Context(run, None, agent)


def test_start_sets_and_finishing_clears(db: SmithersDB) -> None:
    run = db.execution.start("r", "f")
    assert db.current == Context(run)
    phase = db.phases.start("p")
    step = db.steps.start("s")
    agent = db.agents.start("a")
    assert db.current == Context(run, phase, agent, step)
    assert db.agents.current().id == agent  # type: ignore[union-attr]
    db.agents.complete(agent)
    assert db.current == Context(run, phase, None, step)
    db.steps.complete(step)
    assert db.current == Context(run, phase)
    db.phases.complete(phase)
    assert db.current == Context(run)
    db.execution.complete(run)
    assert db.current == Context()
    assert db.execution.current() is None


def test_finishing_another_ones_row_clears_nothing(db: SmithersDB, run: str) -> None:
    first = db.agents.start("first")
    second = db.agents.start("second")
    db.agents.complete(first)
    assert db.current.agent_id == second


def test_a_new_phase_is_without_the_old_ones_agent_and_step(db: SmithersDB, run: str) -> None:
    db.phases.start("one")
    db.steps.start("s")
    db.agents.start("a")
    two = db.phases.start("two")
    assert db.current == Context(run, two)


def test_a_phase_of_one_run_never_leaks_into_another(db: SmithersDB) -> None:
    first = db.execution.start("first", "f")
    phase = db.phases.start("of the first")
    second = db.execution.start("second", "f")
    assert db.current == Context(second)
    with db.context(execution_id=first, phase_id=phase):
        agent = db.agents.start("a", execution_id=second)
        assert db.agents.get(agent).phase_id is None  # type: ignore[union-attr]
    with pytest.raises(NotFound, match="phase"):
        db.agents.start("a", execution_id=second, phase_id=phase)
    with pytest.raises(NotFound, match="phase"):
        db.steps.start("s", execution_id=second, phase_id=phase)
    with db.context(execution_id=second):
        assert db.current == Context(second)


def test_context_blocks_nest_and_restore(db: SmithersDB) -> None:
    first, second = db.execution.start("1", "f"), db.execution.start("2", "f")
    with db.context(execution_id=first) as context:
        assert context == Context(first)
        phase = db.phases.start("p")
        with db.context(execution_id=second):
            assert db.current == Context(second)
        assert db.current == Context(first, phase)
    assert db.current == Context(second)


def test_two_databases_do_not_share_a_context() -> None:
    with create_smithers_db() as one, create_smithers_db() as two:
        run = one.execution.start("r", "f")
        assert two.current == Context()
        with pytest.raises(NoActiveExecution):
            two.phases.start("p")
        other = two.execution.start("r", "f")
        assert (one.current, two.current) == (Context(run), Context(other))


def test_a_plain_thread_starts_with_none_and_a_bound_function_has_the_binders(
    db: SmithersDB, run: str
) -> None:
    seen: list[Context] = []

    def look() -> None:
        seen.append(db.current)
        if db.current.execution_id:
            db.phases.start("in the thread")

    for target in (look, db.bind(look)):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert seen == [Context(), Context(run)]
    assert db.current == Context(run)


async def _agent(db: SmithersDB, name: str, pause: random.Random) -> None:
    with db.phases.running(f"phase of {name}") as phase:
        await asyncio.sleep(pause.random() / 1000)
        with db.steps.running(f"step of {name}"):
            await asyncio.sleep(pause.random() / 1000)
            agent = db.agents.start(name)
            await asyncio.sleep(0)
            for _ in range(2):
                call = db.tools.start("Bash", {"of": name})
                await asyncio.sleep(0)
                await asyncio.to_thread(db.tools.complete, call, name)
                db.state.set(name, db.state.get(name, 0) + 1)
                await asyncio.sleep(0)
            db.agents.complete(agent, name)
            assert db.current.phase_id == phase


@given(seed=st.integers(0, 2**32))
@settings(max_examples=5)
def test_interleaved_tasks_never_mix(seed: int) -> None:
    async def everybody(db: SmithersDB) -> None:
        async def run(number: int) -> None:
            execution = db.execution.start(f"run {number}", "f")
            names = [f"r{number}a{agent}" for agent in range(10)]
            await asyncio.gather(*(_agent(db, n, random.Random(f"{seed}{n}")) for n in names))
            assert db.current == Context(execution)
            db.execution.complete(execution)

        await asyncio.gather(*(run(number) for number in range(4)))

    with create_smithers_db() as db:
        asyncio.run(everybody(db))
        _nothing_is_mixed(db, 40)


def _nothing_is_mixed(db: SmithersDB, agents: int) -> None:
    rows = db.query(
        "SELECT a.prompt, p.name, e.name, a.execution_id = p.execution_id, a.tool_calls_count, "
        "(SELECT group_concat(c.output_inline) FROM tool_calls c WHERE c.agent_id = a.id), "
        "(SELECT t.trigger_agent_id = a.id FROM transitions t WHERE t.key = a.prompt LIMIT 1) "
        "FROM agents a JOIN phases p ON p.id = a.phase_id "
        "JOIN executions e ON e.id = a.execution_id"
    ).get()
    assert len(rows) == agents
    for prompt, phase, execution, same_run, calls, outputs, own_state in rows:
        assert phase == f"phase of {prompt}"
        assert execution == f"run {prompt[1 : prompt.index('a')]}"
        assert (same_run, calls, outputs, own_state) == (1, 2, f"{prompt},{prompt}", 1)
    assert db.verify_rollups() == []


def test_hundreds_of_tasks_at_once(db: SmithersDB) -> None:
    async def everybody() -> None:
        db.execution.start("run 0", "f")
        await asyncio.gather(*(_agent(db, f"r0a{n}", random.Random(n)) for n in range(200)))

    asyncio.run(everybody())
    _nothing_is_mixed(db, 200)


def test_a_bound_coroutine_works_under_the_binders_context(db: SmithersDB) -> None:
    async def work() -> list[str | None]:
        seen = []
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(db.current.execution_id)
        return seen

    with db.context(execution_id="bound"):
        bound = db.bind(work)

    async def main() -> None:
        with db.context(execution_id="outer"):
            tasks = [asyncio.create_task(bound()), asyncio.create_task(work())]
            assert await bound() == ["bound"] * 3
            assert db.current.execution_id == "outer"
            assert [await task for task in tasks] == [["bound"] * 3, ["outer"] * 3]

    asyncio.run(main())


def test_bound_threads_at_once(db: SmithersDB) -> None:
    run = db.execution.start("run 0", "f")

    def work(name: str) -> None:
        with db.phases.running(f"phase of {name}"):
            agent = db.agents.start(name)
            for _ in range(2):
                db.tools.complete(db.tools.start("Bash", {}), name)
            db.state.set(name, 1)
            db.agents.complete(agent)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(db.bind(work), [f"r0a{n}" for n in range(60)]))
    assert db.current == Context(run)
    _nothing_is_mixed(db, 60)


class _UndoError(Exception):
    pass


@pytest.fixture(params=["memory", "file"])
def either_db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmithersDB]:
    with create_smithers_db(":memory:" if request.param == "memory" else tmp_path / "a.db") as db:
        yield db


def _undone(db: SmithersDB, *work: Callable[[], object]) -> None:
    with pytest.raises(_UndoError), db.db.transaction():
        for one in work:
            one()
        raise _UndoError


def test_what_is_undone_leaves_the_context(either_db: SmithersDB) -> None:
    db = either_db
    _undone(db, lambda: db.execution.start("r", "f"))
    assert db.current == Context()
    with pytest.raises(NoActiveExecution):
        db.phases.start("p")
    first = db.execution.start("first", "f")
    phase = db.phases.start("p")
    _undone(db, lambda: db.execution.start("second", "f"), lambda: db.phases.start("q"))
    assert db.current == Context(first, phase)
    _undone(db, lambda: db.phases.complete(phase), lambda: db.phases.start("q"))
    assert db.current == Context(first, phase)
    _undone(db, lambda: db.steps.start("s"), lambda: db.agents.start("a"))
    assert db.current == Context(first, phase)
    _undone(db, lambda: db.execution.fork(first))
    _undone(db, lambda: db.execution.delete(first))
    assert db.current == Context(first, phase)
    _undone(db, lambda: db.execution.complete(first))
    assert db.current == Context(first, phase)


def test_what_is_committed_stays_in_the_context(either_db: SmithersDB) -> None:
    db = either_db
    with db.db.transaction():
        run = db.execution.start("r", "f")
        assert db.current == Context(run)
        _undone(db, lambda: db.phases.start("undone"))
        assert db.current == Context(run)
        phase = db.phases.start("p")
        with db.context(agent_id="a"):
            assert db.current == Context(run, phase, "a")
        with db.steps.running("s"):
            assert db.current.phase_id == phase
        assert db.current == Context(run, phase)
    assert db.current == Context(run, phase)
    with db.db.transaction():
        db.execution.complete(run)
        assert db.current == Context()
    assert db.current == Context()


def test_undone_by_a_statement_or_by_an_await(either_db: SmithersDB) -> None:
    db = either_db
    run = db.execution.start("r", "f")
    db.db.execute("BEGIN")
    db.db.execute("SAVEPOINT s")
    db.phases.start("p")
    db.db.execute("ROLLBACK TO s")
    assert db.current == Context(run)
    db.phases.start("p")
    db.db.execute("ROLLBACK")
    assert db.current == Context(run)

    async def main() -> None:
        with pytest.raises(TransactionError), db.db.transaction():
            db.phases.start("p")
            await asyncio.sleep(0)
        assert db.current == Context(run)

    asyncio.run(main())


def test_a_resume_that_is_undone(tmp_path: Path) -> None:
    with create_smithers_db(tmp_path / "a.db") as db:
        run = db.execution.start("r", "f")
    with create_smithers_db(tmp_path / "a.db") as db:
        _undone(db, lambda: db.execution.resume(run))
        assert db.current == Context()
        with db.db.transaction():
            db.execution.resume(run)
        assert db.current == Context(run)


def test_a_thread_that_is_told_before_the_commit(either_db: SmithersDB) -> None:
    db = either_db

    def work() -> str:
        return db.phases.start("p")

    with ThreadPoolExecutor(1) as pool:
        with db.db.transaction():
            run = db.execution.start("r", "f")
            phase = pool.submit(db.bind(work))  # waits for the commit
        assert db.phases.get(phase.result()).execution_id == run  # type: ignore[union-attr]
        db.execution.complete(run)
        bound = []
        _undone(db, lambda: db.execution.start("s", "f"), lambda: bound.append(db.bind(work)))
        with pytest.raises(NoActiveExecution):
            pool.submit(bound[0]).result()

    async def main() -> None:
        _undone(db, lambda: db.execution.start("s", "f"))
        with pytest.raises(NoActiveExecution):
            await asyncio.to_thread(work)

    asyncio.run(main())
