"""Dead and resumed runs: running is told from abandoned, and a run is taken over once."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from smithers_db import Context, InvalidTransition, NotFound, SmithersDB, create_smithers_db
from smithers_db.clock import later
from smithers_db.doctor import examine
from smithers_db.owner import is_abandoned, process_started
from smithers_db.rows import ExecutionOwner
from tests.smithers.processes import child, line

WORK = """
import sys, time
from smithers_db import create_smithers_db
db = create_smithers_db(sys.argv[1])
run = db.execution.start("worked", "f", id="run")
phase = db.phases.start("p")
with db.steps.running("finished"): pass
db.steps.start("half done"); db.tasks.start("t"); db.agents.start("a"); db.tools.start("Bash", {})
db.human.request("text", "still to be answered?")
"""

WORKER = f"""{WORK}
print("ready", flush=True)
time.sleep(60)
"""

LEAVER = f"""{WORK}
getattr(db.execution, sys.argv[2])(run, *sys.argv[3:])
print("ended", flush=True)
sys.stdin.readline()
"""

RESUMER = """
import sys
from smithers_db import create_smithers_db, InvalidTransition
db = create_smithers_db(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    db.execution.resume("run")
    print("mine", flush=True)
    sys.stdin.readline()
except InvalidTransition:
    print("taken", flush=True)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Any:
    path = tmp_path / "a.db"
    worker = child(WORKER, path)
    assert line(worker) == "ready"
    with create_smithers_db(path) as db:
        (incomplete,) = db.execution.find_incomplete()
        assert incomplete.running
        with pytest.raises(InvalidTransition, match=f"process {worker.pid}"):
            db.execution.resume("run")
        with pytest.raises(InvalidTransition):
            db.execution.heartbeat("run")
        with pytest.raises(InvalidTransition, match="running"):
            db.execution.delete("run")
    worker.kill()
    worker.communicate()
    return path


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="told by Linux alone")
def test_a_killed_worker_that_nobody_has_waited_for_is_dead(tmp_path: Path) -> None:
    """It stays in the list of processes, and works on nothing."""
    worker = child(WORKER, tmp_path / "a.db")
    assert line(worker) == "ready"
    worker.kill()
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    with create_smithers_db(tmp_path / "a.db") as db:
        (incomplete,) = db.execution.find_incomplete()
        assert incomplete.abandoned
    worker.communicate()


def test_a_killed_run_is_abandoned_and_resumed(killed: Path) -> None:
    with create_smithers_db(killed) as db:
        (incomplete,) = db.execution.find_incomplete()
        assert (incomplete.id, incomplete.abandoned) == ("run", True)
        row = db.execution.resume("run")
        assert (row.status, db.current) == ("running", Context("run"))
        steps = db.steps.list_for_execution("run")
        assert [(step.name, step.status) for step in steps] == [
            ("finished", "completed"),
            ("half done", "failed"),
        ]
        for rows in (steps[1:], db.phases.list(), db.tasks.list(), db.agents.list()):
            assert [(row.status, row.error) for row in rows] == [
                ("failed", "interrupted: its worker died")
            ]
            assert rows[0].completed_at is not None
        (call,) = db.tools.list_for_execution()
        assert call.status == "failed"
        assert len(db.human.list_pending()) == 1
        assert db.tasks.running_count(0) == 0
        (incomplete,) = db.execution.find_incomplete()
        assert incomplete.running
        db.execution.heartbeat()
        with pytest.raises(InvalidTransition):
            db.execution.resume("run")
        db.execution.complete("run")
        assert db.execution.find_incomplete() == []
        with pytest.raises(InvalidTransition, match="completed"):
            db.execution.resume("run")
        with pytest.raises(NotFound):
            db.execution.resume("nobody")


@pytest.mark.parametrize("end", ["complete", "fail", "cancel", "end"])
def test_who_ends_a_dead_run_ends_what_it_left_running(killed: Path, end: str) -> None:
    rest: dict[str, tuple[Any, ...]] = {"fail": ("gone",), "end": ("gone", "gone", 1)}
    with create_smithers_db(killed) as db:
        getattr(db.execution, end)("run", *rest.get(end, ()))
        assert_all_interrupted(db)


@pytest.mark.parametrize("end", [True, False])
def test_nobody_is_asked_for_a_dead_run_that_is_ended(tmp_path: Path, end: bool) -> None:
    with create_smithers_db(tmp_path / "a.db") as db:
        run = db.execution.start("r", "f")
        question = db.human.request("confirmation", "deploy?")
    with create_smithers_db(tmp_path / "a.db") as db:
        if end:
            db.execution.cancel(run)
        else:  # who resumes it waits for the answer again
            db.execution.resume(run)
        row = db.human.get(question)
        assert row is not None
        assert row.status == ("cancelled" if end else "pending")
        assert row.error == ("interrupted: its worker died" if end else None)
        assert (row.resolved_at is not None) == end
        assert [asked.id for asked in db.human.list_pending(run)] == ([] if end else [question])


def test_the_doctor_ends_dead_runs_with_what_they_left_running(killed: Path) -> None:
    with create_smithers_db(killed) as db:
        assert [found.kind for found in examine(db, end_dead=True)] == ["dead run"]
        assert_all_interrupted(db)
        assert examine(db) == []


def test_nobody_takes_a_run_over_between_the_doctors_look_and_its_end(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create_smithers_db(killed) as db:
        looked = []

        def under_the_lock(look: Any = db.execution.find_incomplete) -> Any:
            looked.append(db.db.transaction_thread == threading.get_ident())
            return look()

        monkeypatch.setattr(db.execution, "find_incomplete", under_the_lock)
        examine(db, end_dead=True)
        assert looked == [True]


def test_the_doctor_ends_what_a_worker_left_running_in_a_run_that_it_had_ended(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    worker = child(LEAVER, path, "fail", "no luck")
    assert line(worker) == "ended"
    with create_smithers_db(path) as db:
        assert examine(db, end_dead=True) == []  # it may be at it still
        worker.kill()
        worker.communicate()
        (found,) = examine(db)
        assert (found.kind, found.repaired) == ("left running", False)
        assert found.detail == "run worked is failed, with 5 still running in it"
        assert [found.repaired for found in examine(db, end_dead=True)] == [True]
        assert_all_interrupted(db)
        assert examine(db) == []
        ended = db.execution.get("run")
        assert ended is not None
        assert (ended.status, ended.error) == ("failed", "no luck")
        assert len(db.human.list_pending("run")) == 1  # a run may end before its questions


def test_ones_own_run_ends_and_leaves_the_others_their_end(db: SmithersDB, run: str) -> None:
    agent = db.agents.start("still at it")
    db.execution.complete(run)
    db.agents.complete(agent, "done")


def assert_all_interrupted(db: SmithersDB) -> None:
    rows = [
        *db.steps.list_for_execution("run")[1:],
        *db.phases.list("run"),
        *db.tasks.list("run"),
        *db.agents.list("run"),
        *db.tools.list_for_execution("run"),
    ]
    assert {(row.status, row.error) for row in rows} == {("failed", "interrupted: its worker died")}
    assert len(rows) == 5
    assert all(row.completed_at is not None for row in rows)


def test_two_processes_at_the_same_instant_take_it_once(killed: Path) -> None:
    resumers = [child(RESUMER, killed) for _ in range(3)]
    assert [line(process) for process in resumers] == ["ready"] * 3
    for process in resumers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sorted(line(process) for process in resumers) == ["mine", "taken", "taken"]
    for process in resumers:
        process.communicate("end\n")


def test_a_closed_database_gives_its_runs_up(tmp_path: Path) -> None:
    with create_smithers_db(tmp_path / "a.db") as db:
        run = db.execution.start("r", "f")
        ended = db.execution.start("ended", "f")
        db.execution.complete(ended)
    with create_smithers_db(tmp_path / "a.db") as db:
        assert [(row.id, row.abandoned) for row in db.execution.find_incomplete()] == [(run, True)]
        assert db.execution.owner(ended).owner_id is not None  # type: ignore[union-attr]
        db.execution.resume(run)


def test_a_beat_is_no_new_row_and_wakes_no_view_of_the_run(db: SmithersDB, run: str) -> None:
    seen: list[Any] = []
    db.observe(db.execution.get, run).subscribe(seen.append)
    db.db.execute("UPDATE execution_owners SET heartbeat_at = '2000'")
    before = db.stats().tables
    for _ in range(5):
        db.execution.heartbeat()
    assert {t.name: t.rows for t in db.stats().tables} == {t.name: t.rows for t in before}
    assert len(seen) == 1
    assert db.execution.owner(run).heartbeat_at > "2020"  # type: ignore[union-attr]


def test_on_another_host_the_heartbeat_speaks() -> None:
    def owner(host: str, pid: int, started: str, beat: int) -> ExecutionOwner:
        return ExecutionOwner("e", "o", host, pid, started, later(beat), later(beat))

    assert is_abandoned(None, "here", 60_000)
    assert is_abandoned(owner("there", 1, "", -61_000), "here", 60_000)
    assert not is_abandoned(owner("there", 1, "", -10_000), "here", 60_000)
    assert is_abandoned(owner("here", 2**22 + 1, "1", 0), "here", 60_000)
    assert is_abandoned(owner("here", os.getpid(), "another start", 0), "here", 60_000)


@pytest.mark.skipif(not os.path.exists("/proc/self/comm"), reason="names of processes in /proc")
def test_the_name_of_a_process_may_be_no_text() -> None:
    naming = "open('/proc/self/comm', 'wb').write(b'w\\xfcrm) Z')"
    named = child(f"{naming}; print('named', flush=True); input()")
    assert line(named) == "named"
    started = process_started(named.pid)
    assert started is not None
    assert started.isdecimal()
    named.kill()
    named.communicate()
    assert process_started(named.pid) is None


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
@pytest.mark.parametrize("known", ["to neither", "to the worker", "to who looks"])
def test_where_proc_hides_a_process_it_is_not_dead(
    error: type[OSError], known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it hides those of other users, or all: https://docs.kernel.org/filesystems/proc.html."""

    def hidden(path: Path) -> bytes:
        raise error(str(path))

    worker = child("input()")
    started = process_started(worker.pid) if known == "to the worker" else ""
    assert started is not None
    owner = ExecutionOwner("e", "o", "here", worker.pid, started, later(-99_000), later(-99_000))
    if known != "to who looks":
        monkeypatch.setattr(Path, "read_bytes", hidden)
        monkeypatch.setattr(Path, "read_text", hidden)
    assert not is_abandoned(owner, "here", 60_000)
    worker.kill()
    worker.communicate()
    assert is_abandoned(owner, "here", 60_000)
    for no_id in (0, -1, 2**40):
        nobody = ExecutionOwner("e", "o", "here", no_id, "1", later(0), later(0))
        assert is_abandoned(nobody, "here", 60_000)


def test_a_fork_has_the_state_of_a_transition(db: SmithersDB) -> None:
    origin = db.execution.start("r", "f", {"model": "opus"})
    at = db.state.set("a", {"n": 1})
    db.state.set("a", 2)
    db.state.set("b", 3)
    db.phases.start("of the origin")
    forked = db.execution.fork(origin, at)
    assert db.current == Context(forked)
    assert db.state.get_all() == {"a": {"n": 1}, "data": None, "iteration": 0, "phase": "initial"}
    row = db.execution.get(forked)
    assert row is not None
    assert (row.forked_from, row.forked_transition, row.config) == (origin, at, {"model": "opus"})
    assert db.phases.list() == []
    db.state.set("a", "changed")
    assert db.state.get("a", execution_id=origin) == 2
    whole = db.execution.fork(origin)
    assert db.state.get("b", execution_id=whole) == 3
    other = db.state.set("x", 1)
    with pytest.raises(NotFound):
        db.execution.fork(origin, other)
    with pytest.raises(NotFound):
        db.execution.fork("nobody")
    assert len(db.execution.list()) == 3
