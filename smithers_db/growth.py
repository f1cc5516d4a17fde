"""How large a database grows, what takes the room, and how old runs leave it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from reactive_sqlite import ReactiveDatabase, TransactionError
from smithers_db.checks import natural
from smithers_db.clock import moment, now
from smithers_db.errors import InvalidValue
from smithers_db.file import number, vacuum, write_back
from smithers_db.orphans import sweep_unnamed
from smithers_db.outputs import Outputs, size_of
from smithers_db.progress import Progress
from smithers_db.rows import ROW_TYPES
from smithers_db.unreadable import quoted

_FINISHED = "status NOT IN ('pending', 'running')"
#: The finished runs that neither their age nor a number of the newest spares.
_PRUNED = (
    f"SELECT id FROM executions WHERE {_FINISHED} "
    "AND (? IS NULL OR coalesce(completed_at, created_at) < ?) AND rowid NOT IN "
    f"(SELECT rowid FROM executions WHERE {_FINISHED} ORDER BY rowid DESC LIMIT ?) "
    "ORDER BY rowid"
)
#: A report on a ticket, when it is triaged, the ticket is done and the run is gone.
_SPENT = (
    "triaged AND EXISTS (SELECT 1 FROM tickets t WHERE t.id = ticket_id AND t.status = 'done') "
    "AND NOT EXISTS (SELECT 1 FROM executions e WHERE e.id = execution_id "
    "AND e.id NOT IN (SELECT value FROM json_each(?)))"
)
#: The rows of a run, by table; stream events hang on its agents.
OF_RUN = {
    name: (
        "agent_id IN (SELECT id FROM agents WHERE execution_id = ?)"
        if name == "agent_stream_events"
        else "execution_id = ?"
    )
    for name, row_type in ROW_TYPES.items()
    if name == "agent_stream_events"
    or ("execution_id" in row_type.__struct_fields__ and name != "ticket_reports")
}


class PruneReport(msgspec.Struct, frozen=True):
    """What a prune removed, or with ``dry_run`` would remove; sizes in bytes.

    ``output_bytes`` are those of files; ``freed_bytes`` is how much smaller the database became.
    """

    executions: list[str]
    rows: dict[str, int]
    output_bytes: int
    freed_bytes: int
    dry_run: bool


class TableStats(msgspec.Struct, frozen=True):
    """A table: its rows, and the bytes of the pages that it and its indexes take."""

    name: str
    rows: int
    bytes: int


class RunStats(msgspec.Struct, frozen=True):
    """A run: its rows, the bytes of what is in them, and the bytes of its output files."""

    id: str
    name: str | None
    status: str
    rows: int
    bytes: int
    output_bytes: int


class DatabaseStats(msgspec.Struct, frozen=True):
    """What takes the room; all sizes in bytes."""

    file_bytes: int
    free_bytes: int
    output_files: int
    output_bytes: int
    tables: list[TableStats]
    runs: list[RunStats]


def _in_transaction(db: ReactiveDatabase) -> bool:
    return db.transaction_thread == threading.get_ident()


def _refuse_inside_transaction(db: ReactiveDatabase, verb: str) -> None:
    if _in_transaction(db):
        raise TransactionError(
            f"{verb}() removes files and gives room back, which cannot be undone: "
            "call it outside the transaction"
        )


def sweep(db: ReactiveDatabase, outputs: Outputs) -> int:
    """Removes the files of deleted rows; returns the bytes that they took.

    Inside a transaction nothing is removed: it may be undone, and a file cannot be brought back.
    The rows of `discarded_outputs` keep their paths for the next time, and those of files in
    another folder for who has that one.
    """
    if _in_transaction(db):
        return 0
    paths = [row[0] for row in db.execute("SELECT path FROM discarded_outputs").rows]
    # First of all: on a full disk nothing can be written.
    sizes = {path: outputs.remove(path) for path in paths}
    done = [(path,) for path, size in sizes.items() if size is not None]
    db.executemany("DELETE FROM discarded_outputs WHERE path = ?", done)
    return sum(size or 0 for size in sizes.values())


def prune(
    db: ReactiveDatabase,
    outputs: Outputs,
    *,
    keep: int | None,
    older_than: str | datetime | timedelta | None,
    dry_run: bool,
    progress: Progress,
) -> PruneReport:
    """Removes finished runs: see `smithers_db.SmithersDB.prune`."""
    if keep is None and older_than is None:
        raise InvalidValue("say what to prune: keep=…, older_than=…, or both")
    if keep is not None:
        natural("keep", keep)
    before = moment(older_than) if older_than is not None else None
    if not dry_run:
        _refuse_inside_transaction(db, "prune")
    chosen = [row[0] for row in db.execute(_PRUNED, (before, before, keep or 0)).rows]
    pruned: list[str] = []
    rows: Counter[str] = Counter()
    # First, as long as the calls are known whose files these are.
    output_bytes = sweep_unnamed(db, outputs, dry_run=dry_run)
    for done, execution_id in enumerate(chosen):
        progress(done, len(chosen), execution_id)
        try:
            removed = _remove_run(db, outputs, execution_id, dry_run)
        except Exception:  # a full disk, most likely: what has gone makes room
            if dry_run or not pruned:
                raise
            sweep(db, outputs)
            write_back(db)
            removed = _remove_run(db, outputs, execution_id, dry_run)
        if removed is None:
            continue
        pruned.append(execution_id)
        counts, size = removed
        output_bytes += size
        rows.update(counts)
    if before is None:
        before = _oldest_but(db, frozenset(chosen))
    for table, condition, params in _beside_runs(before, pruned):
        rows[table] += number(db, f"SELECT count(*) FROM {table} WHERE {condition}", params)
        if not dry_run:
            db.execute(f"DELETE FROM {table} WHERE {condition}", params)
    freed = 0
    if not dry_run:
        sweep(db, outputs)
        freed = vacuum(db)
    counted = {table: count for table, count in rows.items() if count}
    return PruneReport(pruned, counted, output_bytes, freed, dry_run)


def _remove_run(
    db: ReactiveDatabase, outputs: Outputs, execution_id: str, dry_run: bool
) -> tuple[dict[str, int], int] | None:
    """Removes one run; returns its rows and the bytes of its files, None if it is not finished."""
    with db.transaction():  # one per run: the write lock is never held for long
        counts = rows_of(db, execution_id)
        paths = db.execute(
            "SELECT output_path FROM tool_calls WHERE execution_id = ? AND output_path IS NOT NULL",
            (execution_id,),
        ).rows
        size = sum(outputs.room_of(path) for (path,) in paths)
        delete = f"DELETE FROM executions WHERE id = ? AND {_FINISHED}"
        if not dry_run and not db.execute(delete, (execution_id,)).changes:
            return None
    return counts, size


def rows_of(db: ReactiveDatabase, execution_id: str) -> dict[str, int]:
    """How many rows a run has, by table."""
    counts = {"executions": 1}
    for table, condition in OF_RUN.items():
        sql = f"SELECT count(*) FROM {table} WHERE {condition}"
        counts[table] = number(db, sql, (execution_id,))
    return counts


def _oldest_but(db: ReactiveDatabase, gone: frozenset[str]) -> str:
    """When the oldest run began, of those that stay; now, if none does."""
    rows = db.execute("SELECT id, created_at FROM executions").rows
    return min((began for run, began in rows if run not in gone), default=now())


def _beside_runs(before: str, pruned: list[str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """What grows without belonging to a run: table, condition, parameters."""
    # The last word on each model's limits is kept, however old.
    limits = "rate_limit_snapshots"
    newer = (
        f"SELECT 1 FROM {limits} n WHERE n.provider = {limits}.provider "
        f"AND n.model = {limits}.model "
        f"AND (n.captured_at, n.rowid) > ({limits}.captured_at, {limits}.rowid)"
    )
    return [
        ("memories", "expires_at <= ?", (now(),)),
        (limits, f"captured_at < ? AND EXISTS ({newer})", (before,)),
        ("vcs_queue", "execution_id IS NULL AND completed_at < ?", (before,)),
        ("ticket_reports", _SPENT, (msgspec.json.encode(pruned).decode(),)),
    ]


def stats(db: ReactiveDatabase, outputs: Outputs, progress: Progress) -> DatabaseStats:
    """What takes the room: see `smithers_db.SmithersDB.stats`."""
    total = len(ROW_TYPES) + len(OF_RUN) + 1
    progress(0, total, "pages")
    pages = dict(
        map(
            tuple,
            db.execute(
                "SELECT coalesce(s.tbl_name, d.name), sum(d.pgsize) "
                "FROM dbstat('main', 1) d LEFT JOIN sqlite_schema s ON s.name = d.name GROUP BY 1"
            ).rows,
        )
    )
    tables = []
    for done, name in enumerate(ROW_TYPES, 1):
        progress(done, total, name)
        count = number(db, f"SELECT count(*) FROM {name}")
        tables.append(TableStats(name, count, pages.get(name, 0)))
    search = sum(size for name, size in pages.items() if name.startswith("memories_fts"))
    tables.append(
        TableStats("memories_fts", number(db, "SELECT count(*) FROM memories_fts"), search)
    )
    tables += [  # SQLite's own, and what neighbours tell each other
        TableStats(name, number(db, f"SELECT count(*) FROM {quoted(name)}"), pages[name])
        for name in pages.keys() - ROW_TYPES.keys()
        if not name.startswith("memories_fts")
    ]
    files = list(outputs.files())
    page_size = number(db, "SELECT page_size FROM pragma_page_size()")
    return DatabaseStats(
        number(db, "SELECT page_count FROM pragma_page_count()") * page_size,
        number(db, "SELECT freelist_count FROM pragma_freelist_count()") * page_size,
        len(files),
        sum(map(size_of, files)),
        sorted(tables, key=lambda table: -table.bytes),
        _runs(db, lambda done, what: progress(len(ROW_TYPES) + 1 + done, total, f"runs, {what}")),
    )


def _content(row_type: type[msgspec.Struct]) -> str:
    return " + ".join(f"coalesce(octet_length({name}), 0)" for name in row_type.__struct_fields__)


def _runs(db: ReactiveDatabase, progress: Callable[[int, str], object]) -> list[RunStats]:
    rows: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    outputs: Mapping[str, int] = dict(
        map(
            tuple,
            db.execute(
                "SELECT execution_id, sum(output_size_bytes) FROM tool_calls "
                "WHERE output_path IS NOT NULL GROUP BY execution_id"
            ).rows,
        )
    )
    for done, table in enumerate(OF_RUN):
        progress(done, table)
        content = _content(ROW_TYPES[table])
        source, key = table, "execution_id"
        if table == "agent_stream_events":
            agents = "JOIN agents a ON a.id = e.agent_id"
            source = f"(SELECT e.*, a.execution_id AS run FROM {table} e {agents})"
            key = "run"
        for run, count, size in db.execute(
            f"SELECT {key}, count(*), sum({content}) FROM {source} GROUP BY {key}"
        ).rows:
            rows[run] += count
            sizes[run] += size or 0
    own = _content(ROW_TYPES["executions"])
    return [
        RunStats(run, name, status, rows[run] + 1, sizes[run] + size, outputs.get(run, 0))
        for run, name, status, size in db.execute(
            f"SELECT id, name, status, {own} FROM executions ORDER BY rowid DESC"
        ).rows
    ]


def empty(db: ReactiveDatabase, outputs: Outputs) -> None:
    """Deletes every row of every table, and the output files."""
    _refuse_inside_transaction(db, "reset")
    with db.transaction():
        for table in ROW_TYPES:
            if table != "discarded_outputs":
                db.execute(f"DELETE FROM {table}")
        db.execute("INSERT INTO build_state (id, status) VALUES (1, 'passing')")
    sweep(db, outputs)
    vacuum(db)
