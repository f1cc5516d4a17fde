"""What can be wrong with a database and its output files, and how it is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db import growth, rollups
from smithers_db.clock import later, now
from smithers_db.errors import OutputError
from smithers_db.facade import SmithersDB
from smithers_db.file import path_of
from smithers_db.lifecycle import OPEN, RUNNING_IN, interrupt
from smithers_db.orphans import is_forsaken
from smithers_db.owner import is_dead
from smithers_db.progress import Progress, silent
from smithers_db.rows import ROW_TYPES
from smithers_db.table import Table

#: A file whose row was deleted is being removed for so long at most, in milliseconds.
SWEPT_FOR = 60_000
_NAMED = (
    "SELECT id, output_path, output_size_bytes, output_git_hash FROM tool_calls "
    "WHERE output_path IS NOT NULL AND output_inline IS NULL"
)
_OPEN = " UNION ALL ".join(f"SELECT execution_id FROM {table} WHERE {OPEN}" for table in RUNNING_IN)
_LEFT_RUNNING = (
    f"SELECT e.id, coalesce(e.name, ''), e.status, count(*) FROM ({_OPEN}) "
    f"JOIN executions e ON e.id = execution_id AND NOT (e.{OPEN}) GROUP BY e.id ORDER BY e.rowid"
)
_DATABASES = (".db", ".db3", ".sqlite", ".sqlite3")


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong: of which kind, what, and whether it has been mended."""

    kind: str
    detail: str
    repaired: bool = False


#: The kinds of findings: what is found, and what to do about it.
CHECKS = {
    "integrity": ("damaged pages or indexes", "restore a backup"),
    "unreadable row": ("rows that cannot be read", "each says how it is mended"),
    "foreign key": ("references to no row", ""),
    "rollup": ("drifted counters", "--repair recounts"),
    "missing output": ("missing output files", ""),
    "altered output": ("altered output files", ""),
    "orphan output": ("output files without a row", "--repair removes them"),
    "dead run": ("dead runs", "resume them, or --end-dead"),
    "left running": ("ended runs with something running for ever", "--end-dead ends it"),
}


def examine(
    db: SmithersDB,
    *,
    repair: bool = False,
    end_dead: bool = False,
    progress: Progress = silent,
) -> list[Finding]:
    """Looks for everything that can be wrong; returns what it found, empty when all is well.

    ``repair`` mends drifted counters and removes orphan files. A dead run is only reported, for it
    can be resumed; ``end_dead`` ends it as failed, with what it left running, and what a worker
    that is gone left running in a run that it had ended. ``progress`` is called with what is done,
    how much there is, and what is next.
    """
    files = db.db.execute(_NAMED).rows
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "integrity": lambda: _integrity(db),
        "rows": lambda: _rows(db),
        "references": lambda: _references(db),
        "counters": lambda: _counters(db, repair),
        "output files": lambda: _orphan_files(db, repair),
        "dead runs": lambda: _dead_runs(db, end_dead),
        "ended runs": lambda: _left_running(db, end_dead),
    }
    total = len(checks) + len(files)
    found: list[Finding] = []
    for done, (name, check) in enumerate(checks.items()):
        progress(done, total, name)
        found += check()
    for done, (call_id, path, size, git_hash) in enumerate(files, len(checks)):
        progress(done, total, "outputs")
        found += _output(db, call_id, path, size, git_hash)
    order = list(CHECKS)
    return sorted(found, key=lambda finding: order.index(finding.kind))


def _integrity(db: SmithersDB) -> Iterator[Finding]:
    file = path_of(db.db)
    # A connection that has looked at the index of memories before checks it by what it had been
    # then, and takes what others have merged since for damage: only a new one looks afresh.
    with ReactiveDatabase(file, readonly=True) if file else nullcontext(db.db) as looking:
        messages = [row[0] for row in looking.execute("PRAGMA integrity_check").rows]
    for message in messages:
        if message != "ok":
            yield Finding("integrity", message)


def _rows(db: SmithersDB) -> Iterator[Finding]:
    for name, row_type in ROW_TYPES.items():
        for flaw in Table(db.db, name, row_type).flaws():
            yield Finding("unreadable row", flaw.told(name))


def _references(db: SmithersDB) -> Iterator[Finding]:
    for table, rowid, parent, _ in db.db.execute("PRAGMA foreign_key_check").rows:
        yield Finding("foreign key", f"row {rowid} of {table} refers to no row of {parent}")


def _counters(db: SmithersDB, repair: bool) -> Iterator[Finding]:
    for drift in rollups.verify(db.db, repair=repair):
        yield Finding(
            "rollup",
            f"{drift.table}.{drift.column} of {drift.id} is {drift.stored}, not {drift.counted}",
            repair,
        )


def _output(
    db: SmithersDB, call_id: str, path: str, size: int | None, git_hash: str | None
) -> Iterator[Finding]:
    if db.outputs.found(path) is None:
        # Another process may have removed it with its row since the rows were read.
        if db.db.execute("SELECT 1 FROM tool_calls WHERE id = ?", (call_id,)).rows:
            yield Finding("missing output", f"tool call {call_id}: {path}")
        return
    try:
        db.outputs.read(path, size, git_hash)
    except OutputError as error:
        yield Finding("altered output", f"tool call {call_id}: {error}")


def _orphan_files(db: SmithersDB, repair: bool) -> Iterator[Finding]:
    # Under the write lock nobody can be between placing a file and committing its row.
    with db.db.transaction():
        rows = db.db.execute("SELECT path, discarded_at FROM discarded_outputs").rows
        discarded = {Path(path).name: moment for path, moment in rows}
        recent = later(-SWEPT_FOR)
        calls = {
            row[0]: row[1] for row in db.db.execute("SELECT id, output_path FROM tool_calls").rows
        }
        shared = _has_neighbours(db)
        for file in db.outputs.files():
            if calls.get(file.stem) is not None:
                continue
            if not repair and discarded.get(file.name, "") > recent:  # it is just being removed
                continue
            if file.suffix == ".tmp":
                orphan = is_forsaken(file)
            else:  # one of which no row knows may be a neighbour's
                orphan = file.stem in calls or file.name in discarded or not shared
            if not orphan:
                continue
            if repair:
                file.unlink(missing_ok=True)
            yield Finding("orphan output", str(file), repair)
        for path, moment in rows:
            if moment <= recent and db.outputs.is_elsewhere(path):
                yield Finding("orphan output", f"{path}, in another folder: open it with outputs=…")
    if repair:
        growth.sweep(db.db, db.outputs)


def _has_neighbours(db: SmithersDB) -> bool:
    """Whether other databases may keep their outputs in the same folder.

    Told by their names: to open one and close it again would drop the locks that this process
    holds on it, if it has it open; https://sqlite.org/howtocorrupt.html#_posix_advisory_locks
    """
    folder = db.outputs.folder
    own = path_of(db.db)
    if folder is None or not own or not folder.is_dir():
        return False
    beside, file = folder.parent.parent.resolve(), Path(own).resolve()
    if file.parent != beside:  # a folder that was given: others may have been given it too
        return True
    return any(other.suffix in _DATABASES and other.resolve() != file for other in beside.iterdir())


def _dead_runs(db: SmithersDB, end: bool) -> Iterator[Finding]:
    # Under the write lock nobody can take a run over between the look and its end.
    with db.db.transaction():
        for incomplete in db.execution.find_incomplete():
            if incomplete.abandoned:
                if end:
                    db.execution.fail(incomplete.id, "abandoned: its worker died")
                name = incomplete.execution.name or ""
                yield Finding("dead run", f"{incomplete.id} {name}".rstrip(), end)


def _left_running(db: SmithersDB, end: bool) -> Iterator[Finding]:
    with db.db.transaction():
        for run, name, status, count in db.db.execute(_LEFT_RUNNING).rows:
            if is_dead(db.execution.owner(run)):  # else it may be at it still
                if end:
                    interrupt(db.db, run, now())
                named = f"{run} {name}".rstrip()
                detail = f"{named} is {status}, with {count} still running in it"
                yield Finding("left running", detail, end)
