"""Bad input: a clear error each, and nothing half done."""

from __future__ import annotations

import errno
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from smithers_db import (
    InvalidTransition,
    InvalidValue,
    NotFound,
    OutputError,
    SmithersDB,
    create_smithers_db,
)

from . import original
from .tour import ticket


def set_iteration(value: Any, db: SmithersDB) -> None:
    db.state.set_many({"other": 1, "iteration": value})


#: Verbs that find something by what they are given.
BY_ID: dict[str, Callable[[Any, SmithersDB], Any]] = {
    "run": lambda id, db: db.execution.get(id),
    "run to end": lambda id, db: db.execution.complete(id),
    "run to go on with": lambda id, db: db.execution.resume(id),
    "run to copy": lambda id, db: db.execution.fork(id),
    "transition to copy from": lambda id, db: db.execution.fork(db.current.execution_id, id),  # type: ignore[arg-type]
    "run of a heartbeat": lambda id, db: db.execution.heartbeat(id),
    "run of a phase": lambda id, db: db.phases.start("p", execution_id=id),
    "run of an agent": lambda id, db: db.agents.start("a", execution_id=id),
    "run of a frame": lambda id, db: db.render_frames.count(id),
    "run of a context": lambda id, db: db.context(execution_id=id),
    "phase of an agent": lambda id, db: db.agents.start("a", phase_id=id),
    "phase of a step": lambda id, db: db.steps.start("s", phase_id=id),
    "page": lambda id, db: db.agents.list(before=id),
    "agent of an event": lambda id, db: db.agents.record_stream_event(id, {"type": "t"}),
    "agent of events": lambda id, db: db.agents.stream_events(id),
    "agent of a call": lambda id, db: db.tools.start("Bash", {}, id),
    "agent of a report": lambda id, db: db.vcs.add_report(
        type="t", title="t", content="c", agent_id=id
    ),
    "call": lambda id, db: db.tools.complete(id, "x"),
    "output": lambda id, db: db.tools.get_output(id),
    "key": lambda key, db: db.state.get(key),
    "key asked for": lambda key, db: db.state.has(key),
    "key to go": lambda key, db: db.state.delete(key),
    "key of changes": lambda key, db: db.state.history(key),
    "transition": lambda id, db: db.state.at(id),
    "memory to go": lambda id, db: db.memories.delete(id),
    "memory to change": lambda id, db: db.memories.update(id, content="x"),
    "category": lambda text, db: db.memories.search("x", text),
    "question": lambda id, db: db.human.resolve(id, "approved"),
    "commit": lambda id, db: db.vcs.get_commit(id),
    "item": lambda id, db: db.vcs_queue.complete(id),
    "lease": lambda id, db: db.vcs_queue.complete(1, lease_id=id),
    "ticket": lambda id, db: db.tickets.are_deps_complete(id),
    "ticket to note of": lambda id, db: db.tickets.add_progress_note(id, "n"),
    "ticket to leave out": lambda id, db: db.tickets.select_next(id),
    "report": lambda id, db: db.ticket_reports.mark_triaged(id, "none"),
    "fixer": lambda id, db: db.build_state.mark_fixed(id),
    "module": lambda id, db: db.supersmithers.set_active_version(id, "v"),
    "iteration": lambda number, db: db.tasks.total_count(number),
}

WRONG: dict[str, Callable[[SmithersDB], Any]] = {
    "a name that is a number": lambda db: db.phases.start(5),  # type: ignore[arg-type]
    "an iteration that is text": lambda db: db.phases.start("p", "1"),  # type: ignore[arg-type]
    "an iteration that is a bool": lambda db: db.phases.start("p", True),
    "an iteration of 65 bits": lambda db: db.phases.start("p", 2**64),
    "a prompt that is None": lambda db: db.agents.start(None),  # type: ignore[arg-type]
    "a prompt that is bytes": lambda db: db.agents.start(b"x"),  # type: ignore[arg-type]
    "a model with NUL": lambda db: db.agents.start("p", "a\0b"),
    "a step that is a list": lambda db: db.steps.start(["s"]),  # type: ignore[arg-type]
    "tokens that are text": lambda db: db.agents.complete(
        db.agents.start("a"),
        "r",
        None,
        "many",  # type: ignore[arg-type]
    ),
    "an error that is None": lambda db: db.phases.fail(
        db.current.phase_id,
        None,  # type: ignore[arg-type]
    ),
    "an error that is an exception": lambda db: db.phases.fail(
        db.current.phase_id,
        ValueError("x"),  # type: ignore[arg-type]
    ),
    "an input of NaN": lambda db: db.tools.start("Bash", {"x": math.nan}),
    "an input that is an object": lambda db: db.tools.start("Bash", object()),
    "a key that is a number": lambda db: db.state.set(5, 1),  # type: ignore[arg-type]
    "a key with NUL": lambda db: db.state.set("a\0b", 1),
    "an exit code that is text": lambda db: db.execution.end(
        db.current.execution_id,
        "s",
        "r",
        "1",  # type: ignore[arg-type]
    ),
    "a config of NaN": lambda db: db.execution.start("r", "f", {"x": [math.inf]}),
    "a path that is a Path": lambda db: db.execution.start("r", Path("f")),  # type: ignore[arg-type]
    "a confidence of NaN": lambda db: db.memories.add("c", "k", "v", confidence=math.nan),
    "a memory without content": lambda db: db.memories.add("c", "k", None),  # type: ignore[arg-type]
    "a search for half of a surrogate pair": lambda db: db.memories.search("a \ud800"),
    "types of events that are one text": lambda db: db.agents.stream_events("a", "text"),
    "issues that are one text": lambda db: db.vcs.log_review(
        target_type="pr", approved=True, summary="s", issues="a.py:3"
    ),
    "a search for a number": lambda db: db.memories.search(5),  # type: ignore[arg-type]
    "a line count that is a float": lambda db: db.artifacts.add("a", "b", "c", line_count=1.5),  # type: ignore[arg-type]
    "a review approved by text": lambda db: db.vcs.log_review(
        target_type="pr",
        approved="yes",
        summary="s",  # type: ignore[arg-type]
    ),
    "an answer unknown": lambda db: db.human.resolve(db.human.request("t", "?"), "perhaps"),
    "an event without a type": lambda db: db.agents.record_stream_event("x", {"content": "c"}),
    "a ticket status unknown": lambda db: db.tickets.update_status("T", "perhaps"),
    "a ticket of deps as text": lambda db: db.tickets.seed([ticket("x", 1, deps="T")]),
    "a lease of text": lambda db: db.vcs_queue.dequeue(lease="long"),  # type: ignore[arg-type]
    "half of a surrogate pair": lambda db: db.phases.start("\ud800"),
    "options that are one text": lambda db: db.human.request("select", "?", "yes"),
    "an event that is none": lambda db: db.agents.record_stream_event("x", None),  # type: ignore[arg-type]
    "an expiry that is no time": lambda db: db.memories.add("c", "k", "v", expires_at="soon"),
    "a reset that is a number": lambda db: db.rate_limits.record(
        provider="p", model="m", requests_reset_at=5
    ),
    "a page of less than nothing": lambda db: db.agents.list(limit=-1),
    "a page of a text": lambda db: db.phases.list(limit="5"),  # type: ignore[arg-type]
    "an infinite confidence": lambda db: db.memories.add("c", "k", "v", confidence=math.inf),
    "a huge confidence": lambda db: db.memories.add("c", "k", "v", confidence=10**400),
    "an empty path": lambda db: create_smithers_db(""),
    "a lease of no time": lambda db: db.vcs_queue.dequeue(lease=-1),
    "a wait of less than nothing": lambda db: db.build_state.handle_broken_build("a", wait_ms=-1),
    "a moment that is none": lambda db: db.prune(older_than="soon"),
    "a wait of text": lambda db: db.build_state.handle_broken_build("a", wait_ms="5"),  # type: ignore[arg-type]
    "an age that is no number": lambda db: db.build_state.cleanup(stale_ms=None),  # type: ignore[arg-type]
    "an age below nothing": lambda db: db.execution.find_incomplete(stale_ms=-1),
    "an age of a bool": lambda db: db.execution.resume("x", stale_ms=True),
    "a count of runs below nothing": lambda db: db.prune(keep=-1),
    "an iteration below nothing": lambda db: db.phases.start("p", -1),
    "a task's iteration below nothing": lambda db: db.tasks.start("Claude", iteration=-1),
    "a frame's iteration below nothing": lambda db: db.render_frames.store("<a/>", -1),
    "an analysis' iteration below nothing": lambda db: db.supersmithers.record_analysis(
        module_hash="h", iteration=-1, trigger="error"
    ),
    "tokens read below nothing": lambda db: db.agents.complete(
        db.current.agent_id,  # type: ignore[arg-type]
        tokens_input=-1,
    ),
    "tokens written below nothing": lambda db: db.agents.complete(
        db.current.agent_id,  # type: ignore[arg-type]
        tokens_output=-1,
    ),
    "tokens whose sum no column holds": lambda db: db.agents.complete(
        db.current.agent_id,  # type: ignore[arg-type]
        tokens_input=2**63 - 1,
    ),
    "lines below nothing": lambda db: db.artifacts.add("a", "b", "c", line_count=-1),
    "bytes below nothing": lambda db: db.artifacts.add("a", "b", "c", byte_size=-1),
    "insertions below nothing": lambda db: db.vcs.log_commit(
        vcs_type="git", commit_hash="h", message="m", insertions=-1
    ),
    "deletions below nothing": lambda db: db.vcs.log_commit(
        vcs_type="git", commit_hash="h", message="m", deletions=-1
    ),
    "a limit below nothing": lambda db: db.rate_limits.record(
        provider="p", model="m", requests_remaining=-1
    ),
    "options that are no list": lambda db: db.human.request("select", "?", 5),  # type: ignore[arg-type]
    "options that are no texts": lambda db: db.human.request("select", "?", [5]),  # type: ignore[list-item]
    "issues that are a mapping": lambda db: db.vcs.log_review(
        target_type="pr", approved=True, summary="s", issues={"a.py": 3}
    ),
    "issues of a review that become one text": lambda db: db.vcs.update_review("x", issues="a.py"),
    "issues of a review that become none": lambda db: db.vcs.update_review("x", issues=None),
    "tickets needed that are numbers": lambda db: db.tickets.seed(
        [{**ticket("x", 1), "deps": [5]}]
    ),
    "types of events that are none": lambda db: db.agents.stream_events("a", None),  # type: ignore[arg-type]
    "values that are no mapping": lambda db: db.state.set_many(["a"]),  # type: ignore[arg-type]
    "an answer that is a list": lambda db: db.human.resolve("x", ["approved"]),  # type: ignore[arg-type]
    "a ticket status that is a list": lambda db: db.tickets.update_status("T", ["done"]),  # type: ignore[arg-type]
    "tickets that are none": lambda db: db.tickets.seed(5),  # type: ignore[arg-type]
    "one ticket for many": lambda db: db.tickets.seed(ticket("x", 1)),  # type: ignore[arg-type]
    "a ticket that is a text": lambda db: db.tickets.seed(["T"]),  # type: ignore[list-item]
    "a ticket without a name": lambda db: db.tickets.seed([ticket("", 1)]),
    "a filter that is a text": lambda db: db.tickets.list("todo"),  # type: ignore[arg-type]
    "a filter by a colour": lambda db: db.tickets.list({"colour": "red"}),
    "a run without a name": lambda db: db.execution.start("r", "f", id=""),
    "a query that FTS5 does not understand": lambda db: db.memories.search('"', syntax=True),
    "another place for a memory": lambda db: db.memories.update("x", seq=1),
    "another run for a review": lambda db: db.vcs.update_review("x", execution_id="y"),
    "a moment before all years": lambda db: db.prune(older_than=timedelta.max),
    "a moment after all years": lambda db: db.memories.add(
        "c", "k", "v", expires_at="9999-12-31T23:59:59-14:00"
    ),
    **{
        f"a {what} of {value!r:.20}": partial(verb, value)
        for value in (["x"], "\ud800", {"a": 1}, object, 2**63)
        for what, verb in BY_ID.items()
    },
    **{
        f"an iteration in the state of {value!r:.20}": partial(set_iteration, value)
        for value in (-1, 1.0, True, None, "1", [1], 10**18, 2**64)
    },
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_value_is_refused_and_nothing_is_done(db: SmithersDB, what: str) -> None:
    db.execution.start("r", "f")
    db.phases.start("p")
    db.agents.start("a")
    db.tickets.seed([ticket("T", 1)])
    context, version = db.current, db.db.version
    allowed = {"tokens that are text": 1, "an answer unknown": 1}.get(what, 0)
    with pytest.raises(InvalidValue) as caught:
        WRONG[what](db)
    assert len(str(caught.value)) > 15
    assert db.db.version <= version + allowed
    if not allowed:
        assert db.current == context


LIMITED: dict[str, Callable[[SmithersDB, Any], Any]] = {
    "commits": lambda db, limit: db.vcs.get_commits(limit=limit),
    "snapshots": lambda db, limit: db.vcs.get_snapshots(limit=limit),
    "reviews": lambda db, limit: db.vcs.get_reviews(limit=limit),
    "reports": lambda db, limit: db.vcs.get_reports(limit=limit),
    "reports of a type": lambda db, limit: db.vcs.get_reports("risk", limit=limit),
    "events": lambda db, limit: db.agents.stream_events("x", limit=limit),
    "changes": lambda db, limit: db.state.history(limit=limit),
    "changes of a key": lambda db, limit: db.state.history("phase", limit),
    "memories": lambda db, limit: db.memories.list(limit=limit),
    "found memories": lambda db, limit: db.memories.search("sky", limit=limit),
    "frames": lambda db, limit: db.render_frames.list(limit=limit),
    "agents": lambda db, limit: db.agents.list(limit=limit),
    "runs": lambda db, limit: db.execution.list(limit),
}


@pytest.mark.parametrize("what", LIMITED)
@pytest.mark.parametrize("limit", [-5, True, 1.0, "1", 2**63, math.nan])
def test_a_limit_that_is_no_number_of_rows(
    db: SmithersDB, run: str, what: str, limit: object
) -> None:
    with pytest.raises(InvalidValue, match="limit is a number of rows"):
        LIMITED[what](db, limit)
    assert list(LIMITED[what](db, 0)) == []


def test_minus_one_means_all_runs_and_nothing_else(db: SmithersDB, run: str) -> None:
    assert [row.id for row in db.execution.list(-1)] == [run]
    for what in LIMITED.keys() - {"runs"}:
        with pytest.raises(InvalidValue):
            LIMITED[what](db, -1)


def test_times_of_any_form_are_kept_as_times_that_sort(db: SmithersDB, run: str) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    east = soon.astimezone(timezone(timedelta(hours=9)))
    for key, moment in {"a": soon, "b": east, "c": east.isoformat(" ")}.items():
        db.memories.add("c", key, "v", expires_at=moment)
    texts = {memory.expires_at for memory in db.memories.list("c")}
    assert texts == {f"{soon:%Y-%m-%dT%H:%M:%S}.{soon.microsecond // 1000:03d}Z"}
    db.memories.add("c", "gone", "v", expires_at=east - timedelta(hours=2))
    assert db.memories.get("c", "gone") is None


def test_the_years_of_few_digits_sort_too(db: SmithersDB, run: str) -> None:
    db.memories.add("c", "past", "v", expires_at=datetime(999, 1, 1))
    assert db.memories.get("c", "past") is None
    (row,) = db.query("SELECT expires_at FROM memories").get()
    assert row.expires_at == "0999-01-01T00:00:00.000Z"


def test_a_memory_does_not_take_the_place_of_another(db: SmithersDB) -> None:
    first, second = db.memories.add("c", "k", "one"), db.memories.add("c", "l", "two")
    with pytest.raises(InvalidTransition, match="another memory of 'c', 'global', 'k'"):
        db.memories.update(second, key="k", content="three")
    db.memories.update(first, key="k", scope="project")
    db.memories.update(second, key="k")
    assert [row.content for row in db.memories.list("c")] == ["one", "two"]


def test_a_call_whose_id_is_a_path_writes_no_file_elsewhere(file_db: SmithersDB) -> None:
    file_db.execution.start("r", "f")
    agent = file_db.agents.start("a")
    file_db.db.execute(
        "INSERT INTO tool_calls (id, agent_id, execution_id, tool_name, input, status, created_at) "
        "SELECT '../../x', id, execution_id, 'Bash', '{}', 'running', '' FROM agents"
    )
    with pytest.raises(OutputError, match="cannot be the name"):
        file_db.tools.complete("../../x", "x" * 5000)
    assert list(file_db.outputs.files()) == []
    file_db.tools.complete("../../x", "short")
    assert [call.status for call in file_db.tools.list(agent)] == ["completed"]


def test_an_unknown_column_is_named(db: SmithersDB, run: str) -> None:
    with pytest.raises(TypeError, match="no column 'colour'"):
        db.vcs.log_commit(vcs_type="git", commit_hash="a", message="m", colour="red")
    with pytest.raises(TypeError, match="nothing to update"):
        db.vcs.update_review("x")


def test_rows_that_are_not_there_are_named(db: SmithersDB, run: str) -> None:
    other = db.execution.start("other", "f")
    stranger = db.agents.start("of another run")
    db.execution.complete(other)
    calls: dict[str, Callable[[], Any]] = {
        "nobody": lambda: db.agents.start("a", execution_id="nobody"),
        "no phase": lambda: db.agents.start("a", phase_id="no phase"),
        "no agent": lambda: db.tools.start("Bash", {}, "no agent"),
        "no run": lambda: db.vcs.add_report(
            type="t", title="t", content="c", execution_id="no run"
        ),
        "no author": lambda: db.artifacts.add("a", "b", "c", agent_id="no author"),
        "no question": lambda: db.human.resolve("no question", "approved"),
        "no output": lambda: db.tools.get_output("no output"),
        "no review": lambda: db.vcs.update_review("no review", approved=True),
        "no memory": lambda: db.memories.delete("no memory"),
        "no ticket": lambda: db.tickets.add_progress_note("no ticket", "n"),
        "no report": lambda: db.ticket_reports.mark_triaged("no report", "none"),
        "no execution": lambda: db.execution.delete("no execution"),
        "of the execution": lambda: db.artifacts.add("a", "b", "c", agent_id=stranger),
        stranger: lambda: db.vcs.add_report(type="t", title="t", content="c", agent_id=stranger),
    }
    with db.context(execution_id=run):
        for name, call in calls.items():
            with pytest.raises(NotFound, match=name):
                call()


def test_ten_megabytes_are_kept_whole(file_db: SmithersDB) -> None:
    large = "naïve ✓ " * 1_250_000
    file_db.execution.start("r", "f", {"large": large})
    agent = file_db.agents.start(large)
    call = file_db.tools.start("Bash", {"in": large})
    file_db.tools.complete(call, large)
    file_db.state.set("large", large)
    found = file_db.agents.get(agent)
    assert found is not None
    assert found.prompt == large
    assert file_db.tools.get_output(call) == large
    assert file_db.state.get("large") == large


# -- files ---------------------------------------------------------------------------------------


def test_a_path_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(apsw.CantOpenError):
        create_smithers_db(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(apsw.CantOpenError):
        create_smithers_db(tmp_path / "no" / "such" / "a.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("this is a text, and long enough to be looked at\n" * 100)
    before = path.read_bytes()
    with pytest.raises(apsw.NotADBError):
        create_smithers_db(path)
    assert path.read_bytes() == before


def test_a_corrupt_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    create_smithers_db(path).close()
    data = bytearray(path.read_bytes())
    data[100:3000] = b"\xff" * 2900  # the page of the schema
    path.write_bytes(data)
    with pytest.raises((apsw.CorruptError, apsw.SQLError, apsw.NotADBError)):
        create_smithers_db(path)
    assert path.read_bytes() == bytes(data)


def _open_as_nobody(path: Path) -> str:
    """What opening a file says to a user who may write nothing; in a child, if we are root."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "opened"
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            create_smithers_db(path)
        except Exception as error:  # noqa: BLE001  the parent judges it by its name
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as pipe:
        return pipe.read().decode()


def test_a_read_only_folder() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        create_smithers_db(folder / "there.db").close()
        before = (folder / "there.db").read_bytes()
        original.make(folder / "old.db")
        folder.chmod(0o555)
        try:
            assert _open_as_nobody(folder / "new.db").startswith("CantOpenError:")
            assert _open_as_nobody(folder / "there.db").startswith(
                ("CantOpenError:", "ReadOnlyError:")
            )
            said = _open_as_nobody(folder / "old.db")
            assert said.startswith("MigrationError: no copy of the file can be made beside it")
            assert {file.name for file in folder.iterdir()} == {"there.db", "old.db"}
            assert (folder / "there.db").read_bytes() == before
        finally:
            folder.chmod(0o755)


def test_a_full_database_leaves_nothing_half_done(file_db: SmithersDB) -> None:
    run = file_db.execution.start("r", "f")
    agent = file_db.agents.start("a")
    pages = file_db.db.execute("PRAGMA page_count").rows[0][0]
    file_db.db.execute(f"PRAGMA max_page_count = {pages + 3}")
    written = 0
    with pytest.raises(apsw.FullError):
        for _ in range(200):
            file_db.state.set_many({"a": "x" * 3000, "b": "y" * 3000})
            written += 1
    history = file_db.state.history(limit=1000)
    assert len([row for row in history if row.trigger != "init"]) == 2 * written
    assert file_db.state.has("a") == file_db.state.has("b") == (written > 0)
    with pytest.raises(apsw.FullError):
        for _ in range(200):
            file_db.agents.start("z" * 3000)
    assert file_db.verify_rollups() == []
    assert file_db.current.agent_id is not None
    file_db.db.execute("PRAGMA max_page_count = 1000000")
    file_db.agents.complete(agent)
    file_db.execution.complete(run)
    assert file_db.db.execute("PRAGMA integrity_check").rows[0][0] == "ok"


def test_a_full_disk_under_an_output(file_db: SmithersDB, monkeypatch: pytest.MonkeyPatch) -> None:
    file_db.execution.start("r", "f")
    file_db.agents.start("a")
    call = file_db.tools.start("Bash", {})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        file_db.tools.complete(call, "x" * 5000)
    assert file_db.tools.get(call).status == "running"  # type: ignore[union-attr]
    assert list(file_db.outputs.files()) == []


SMALL_DISK = """
import os, sys
from pathlib import Path
from smithers_db import create_smithers_db
folder = Path(sys.argv[1])
if sys.argv[2] == "quota":
    import resource
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, most[1]))
with create_smithers_db(folder / "a.db") as db:
    run = db.execution.start("r", "f")
    db.agents.start("a")
    size = 700_000 if sys.argv[2] == "quota" else 100_000
    kept, errors = [], []
    while not errors:
        call = db.tools.start("Bash", {})
        try:
            db.tools.complete(call, "x" * size)
            kept.append(call)
        except OSError as error:
            errors.append(error.errno)
    last = db.tools.get(call)
    assert (last.status, last.output_path) == ("running", None), last
    assert {file.stem for file in db.outputs.files()} == set(kept)  # no staged one either
    assert all(db.tools.get_output(call) == "x" * size for call in kept)
    written = 0
    while len(errors) < 2:
        try:
            db.state.set_many({"a": "x" * 3000, "b": "y" * 3000})
            written += 1
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
    history = [row for row in db.state.history(limit=10**6) if row.trigger != "init"]
    assert len(history) == 2 * written, (len(history), written)
    assert db.verify_rollups() == []
    if sys.argv[2] == "quota":
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    else:
        for call in kept[:5]:
            (folder / ".smithers" / "outputs" / f"{call}.txt").write_bytes(b"")
    db.tools.complete(last.id, "x" * 2000)
    db.execution.complete(run)
    report = db.prune(keep=0)
    assert len(report.executions) == 1
    assert list(db.outputs.files()) == []
with create_smithers_db(folder / "a.db") as db:
    assert db.db.execute("PRAGMA integrity_check").rows[0][0] == "ok"
    assert db.execution.list() == []
print(*errors, sep="\\n")
"""


@pytest.mark.parametrize("kind", ["full", "quota"])
def test_a_disk_that_is_really_full(tmp_path: Path, kind: str) -> None:
    if kind == "full":
        mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)]
        if shutil.which("mount") is None or subprocess.run(mounting).returncode:
            pytest.skip("only root may mount a small disk")
    try:
        done = subprocess.run(
            [sys.executable, "-c", SMALL_DISK, tmp_path, kind],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        first, second = done.stdout.splitlines()
        assert int(first) == (errno.ENOSPC if kind == "full" else errno.EFBIG)
        assert second.startswith(("FullError: database or disk is full", "IOError: disk I/O"))
    finally:
        if kind == "full":
            subprocess.run(["umount", str(tmp_path)], check=True)


def test_another_program_may_read_and_write_the_file(file_db: SmithersDB, tmp_path: Path) -> None:
    run = file_db.execution.start("r", "f")
    plain = sqlite3.connect(tmp_path / "smithers.db")
    plain.execute(
        "INSERT INTO phases (id, execution_id, name, created_at) VALUES ('p', ?, 'n', '')", (run,)
    )
    plain.commit()
    plain.close()
    assert [row.id for row in file_db.phases.list(run)] == ["p"]


def test_a_closed_database_answers_nothing(db: SmithersDB, run: str) -> None:
    db.close()
    db.close()
    for call in (
        lambda: db.execution.list(),
        lambda: db.phases.start("p", execution_id=run),
        lambda: db.stats(),
    ):
        with pytest.raises(Exception, match="closed"):
            call()
