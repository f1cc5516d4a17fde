"""Growth: what takes the room is known, old runs leave it, and kept ones are not touched."""

from __future__ import annotations

import resource
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite import TransactionError
from smithers_db import InvalidValue, SmithersDB, create_smithers_db
from smithers_db.clock import later
from smithers_db.doctor import examine
from smithers_db.export import lines_of
from smithers_db.rows import ROW_TYPES

from .tour import ticket, tour


def a_run(db: SmithersDB, name: str, outputs: int = 1, *, end: bool = True) -> str:
    run = db.execution.start(name, "f")
    with db.phases.running("p"):
        agent = db.agents.start("a")
        for number in range(outputs):
            db.tools.complete(db.tools.start("Bash", {}), f"{name} {number} " * 1000)
            db.agents.record_stream_event(agent, {"type": "text", "content": "x" * 500})
            db.state.set("k", number)
        db.agents.complete(agent, "done")
    if end:
        db.execution.complete(run)
    return run


def everything(db: SmithersDB, run: str) -> list[bytes]:
    return list(lines_of(db, run))


def test_keep_and_older_than(db: SmithersDB) -> None:
    runs = [a_run(db, str(number)) for number in range(5)]
    for number, run in enumerate(runs):
        when = later(-(5 - number) * 86_400_000)
        db.db.execute("UPDATE executions SET completed_at = ? WHERE id = ?", (when, run))
    assert db.prune(keep=4, older_than=timedelta(days=3), dry_run=True).executions == runs[:1]
    assert db.prune(older_than=timedelta(days=3), dry_run=True).executions == runs[:3]
    assert db.prune(keep=0, older_than="2999-01-01", dry_run=True).executions == runs
    report = db.prune(keep=2, dry_run=True)
    assert (report.executions, report.dry_run, len(db.execution.list())) == (runs[:3], True, 5)
    done = db.prune(keep=2)
    assert (done.executions, done.rows, done.output_bytes) == (
        report.executions,
        report.rows,
        report.output_bytes,
    )
    assert [row.id for row in db.execution.list()] == [runs[4], runs[3]]
    assert done.rows["agents"] == done.rows["agent_stream_events"] == 3
    for wrong in ({}, {"keep": -1}, {"keep": 1.5}, {"older_than": "yesterday"}, {"older_than": 3}):
        with pytest.raises(InvalidValue):
            db.prune(**wrong)  # type: ignore[arg-type]


def test_a_run_that_has_not_ended_is_never_pruned(db: SmithersDB) -> None:
    run = a_run(db, "open", end=False)
    assert db.prune(keep=0, older_than=timedelta(days=-1)).executions == []
    assert db.execution.get(run) is not None


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=6), st.integers(0, 4))
@settings(max_examples=12)
def test_nothing_of_a_kept_run_changes(runs: list[tuple[int, bool]], keep: int) -> None:
    with create_smithers_db() as db:
        made = [(a_run(db, str(n), outputs, end=end), end) for n, (outputs, end) in enumerate(runs)]
        before = {run: everything(db, run) for run, _ in made}
        ended = [run for run, end in made if end]
        gone = ended[: max(0, len(ended) - keep)]
        assert db.prune(keep=keep).executions == gone
        for run, _ in made:
            assert everything(db, run) == ([] if run in gone else before[run])
        assert db.verify_rollups() == []
        assert [f for f in examine(db) if f.kind != "dead run"] == []
        files = {file.stem for file in db.outputs.files()}
        assert files == {row.id for row in db.query("SELECT id FROM tool_calls").get()}


def test_the_file_shrinks(file_db: SmithersDB, tmp_path: Path) -> None:
    for number in range(3):
        a_run(file_db, str(number), outputs=200)
    before = file_db.stats()
    report = file_db.prune(keep=0)
    after = file_db.stats()
    assert after.file_bytes < before.file_bytes - 200_000
    assert report.freed_bytes == before.file_bytes - after.file_bytes
    assert report.output_bytes == before.output_bytes > 0
    assert (after.free_bytes, after.output_files) == (0, 0)
    assert (tmp_path / "smithers.db").stat().st_size == after.file_bytes


def test_a_file_that_was_not_made_for_it_shrinks_too(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        for number in range(3):
            a_run(db, str(number), outputs=2)
            db.execution.start("r", "f")
            db.state.set("large", "x" * 500_000)
            db.execution.complete(str(db.current.execution_id))
    # As left by a conversion that was killed before its last step.
    plain = sqlite3.connect(path)
    plain.executescript("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM")
    plain.close()
    size = path.stat().st_size
    with create_smithers_db(path) as db:
        assert db.prune(keep=0).freed_bytes > 1_000_000
        assert db.db.execute("PRAGMA auto_vacuum").rows[0][0] == 2
    assert path.stat().st_size < size - 1_000_000


def test_stats_say_what_takes_the_room(file_db: SmithersDB) -> None:
    small, large = a_run(file_db, "small"), a_run(file_db, "large", outputs=50)
    stats = file_db.stats()
    rows = {table.name: table.rows for table in stats.tables}
    for table in ROW_TYPES:
        assert rows[table] == file_db.query(f"SELECT count(*) FROM {table}").get()[0][0]
    pages = sum(table.bytes for table in stats.tables)
    # All but the free pages and the pointer maps of incremental vacuum.
    assert stats.file_bytes - stats.free_bytes - pages <= 2 * 4096
    by_id = {run.id: run for run in stats.runs}
    assert by_id[large].bytes > 20 * by_id[small].bytes / 4
    assert by_id[large].output_bytes + by_id[small].output_bytes == stats.output_bytes
    assert by_id[small].rows == len(everything(file_db, small))


def test_what_grows_beside_runs_is_pruned_too(db: SmithersDB) -> None:
    db.memories.add_fact("kept", "yes")
    db.memories.add("fact", "expired", "yes", expires_at=later(-1))
    for captured in ("2020-01-01T00:00:00.000Z", "2021-01-01T00:00:00.000Z"):
        db.rate_limits.record(provider="p", model="m", captured_at=captured)
    number = db.vcs_queue.enqueue("commit", None)
    db.vcs_queue.dequeue()
    db.vcs_queue.complete(number)
    report = db.prune(older_than=timedelta(days=-1))
    assert report.rows == {"memories": 1, "rate_limit_snapshots": 1, "vcs_queue": 1}
    assert db.rate_limits.latest("p", "m") is not None
    assert [row.key for row in db.memories.list()] == ["kept"]


def test_reports_on_tickets_go_when_nobody_can_want_them_any_more(db: SmithersDB) -> None:
    db.tickets.seed([ticket("done", 1), ticket("open", 2)])
    db.tickets.update_status("done", "done")
    made = {}
    for run in (a_run(db, "old", 0), a_run(db, "new", 0)):
        for of in ("done", "open", "unknown"):
            for triaged in (True, False):
                report = db.ticket_reports.add(
                    ticket_id=of,
                    step_name="s",
                    run_id="r",
                    report_type="ci",
                    title="t",
                    content="c",
                    execution_id=run,
                )
                if triaged:
                    db.ticket_reports.mark_triaged(report, "none")
                made[report] = (db.execution.get(run).name, of, triaged)  # type: ignore[union-attr]
    assert db.prune(keep=1, dry_run=True).rows["ticket_reports"] == 1
    assert db.prune(keep=1).rows["ticket_reports"] == 1
    (gone,) = made.keys() - {row.id for row in db.ticket_reports.get_by_run_id("r")}
    assert made[gone] == ("old", "done", True)
    assert "ticket_reports" not in db.prune(keep=1).rows
    db.tickets.update_status("open", "done")
    assert db.prune(keep=1).rows == {"ticket_reports": 1}


@pytest.mark.parametrize("dry_run", [True, False])
def test_keep_alone_bounds_what_grows_beside_runs_too(db: SmithersDB, dry_run: bool) -> None:
    for _ in range(3):
        db.rate_limits.record(provider="p", model="m", captured_at="2020-01-01")
        number = db.vcs_queue.enqueue("commit", None)
        db.vcs_queue.dequeue()
        db.vcs_queue.complete(number)
    db.db.execute("UPDATE vcs_queue SET completed_at = '2020-01-01T00:00:00.000Z' WHERE id < 3")
    runs = [a_run(db, str(number)) for number in range(2)]
    db.db.execute(
        "UPDATE executions SET created_at = '2020-02-02T00:00:00.000Z' WHERE id = ?", runs[1:]
    )
    db.rate_limits.record(provider="p", model="m")
    report = db.prune(keep=1, dry_run=dry_run)
    assert report.executions == runs[:1]
    assert (report.rows["rate_limit_snapshots"], report.rows["vcs_queue"]) == (3, 2)
    left = db.query("SELECT count(*) FROM rate_limit_snapshots").get()[0][0]
    assert left == (4 if dry_run else 1)


def test_the_limits_as_last_seen_are_not_pruned(db: SmithersDB) -> None:
    for captured in ("2021-01-01", "2020-01-01"):  # the second was seen earlier and told later
        db.rate_limits.record(provider="p", model="m", captured_at=captured)
    seen = db.rate_limits.latest("p", "m")
    assert db.prune(older_than=timedelta(0)).rows == {"rate_limit_snapshots": 1}
    assert db.rate_limits.latest("p", "m") == seen


def test_stats_say_what_neighbours_tell_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db, create_smithers_db(path) as other:
        other.observe(other.execution.list).subscribe(lambda _: None)
        a_run(db, "told", outputs=1)
        journal = {table.name: table.rows for table in db.stats().tables}["_reactive_journal"]
        assert journal > 0


def test_stats_say_what_another_programs_tables_take(file_db: SmithersDB) -> None:
    file_db.db.execute('CREATE TABLE "we""ird []"(x)')
    file_db.db.execute('INSERT INTO "we""ird []" VALUES (1), (2)')
    (found,) = (table for table in file_db.stats().tables if table.name == 'we"ird []')
    assert (found.rows, found.bytes) == (2, 4096)


def test_reset_forgets_every_table(file_db: SmithersDB, tmp_path: Path) -> None:
    tour(file_db)
    file_db.close()
    with create_smithers_db(tmp_path / "smithers.db", reset=True) as db:
        tables = {table.name: table.rows for table in db.stats().tables if table.rows}
        left = {name: rows for name, rows in tables.items() if name in ROW_TYPES}
        assert left == {"build_state": 1}
        assert list(db.outputs.files()) == []
        assert db.build_state.get().status == "passing"
        tour(db)
        assert db.memories.search("sky")


def test_progress_is_told(db: SmithersDB) -> None:
    for number in range(3):
        a_run(db, str(number), outputs=0)
    oldest = [run.id for run in db.execution.list()][:0:-1]
    told: list[tuple[int, int, str]] = []
    db.prune(keep=1, progress=lambda *at: told.append(at))
    assert told == [(0, 2, oldest[0]), (1, 2, oldest[1])]
    told.clear()
    db.stats(progress=lambda *at: told.append(at))
    assert [done for done, _, _ in told] == list(range(told[0][1]))


class _UndoError(Exception):
    pass


def test_a_delete_that_is_undone_leaves_the_files(file_db: SmithersDB) -> None:
    db = file_db
    run, other = a_run(db, "r"), a_run(db, "s")
    before = everything(db, run)
    with pytest.raises(_UndoError), db.db.transaction():
        db.execution.delete(run)
        raise _UndoError
    assert everything(db, run) == before
    assert examine(db) == []
    with db.db.transaction():
        db.execution.delete(run)
    db.execution.delete(other)  # and with it goes what waited for the commit
    assert list(db.outputs.files()) == []


def test_prune_and_reset_refuse_to_be_part_of_a_transaction(file_db: SmithersDB) -> None:
    db = file_db
    run = a_run(db, "r")
    before = everything(db, run)
    for call in (lambda: db.prune(keep=0), db.reset):
        with db.db.transaction(), pytest.raises(TransactionError, match="outside"):
            call()
    assert db.prune(keep=0, dry_run=True).executions == [run]
    assert everything(db, run) == before


def test_pruning_needs_little_room(tmp_path: Path) -> None:
    with create_smithers_db(tmp_path / "a.db") as db:
        for number in range(30):
            a_run(db, str(number), 10)
    size = (tmp_path / "a.db").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with create_smithers_db(tmp_path / "a.db") as db:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))  # of the log, too
        try:
            assert len(db.prune(keep=1).executions) == 29
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert len(list(db.outputs.files())) == 10
        assert examine(db) == []
