"""What can be said of a database file and of those who use it, for ``reactive-sqlite doctor``."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.errors import DatabaseError, SQLError
from reactive_sqlite.files.checkpoints import WARN_PAGES
from reactive_sqlite.files.filesystem import network_file_system
from reactive_sqlite.files.locks import locks_on, process, processes
from reactive_sqlite.journal.records import last_record, records_since

Verdict = Literal["ok", "note", "wrong"]


class Finding(NamedTuple):
    """One line of the report."""

    topic: str
    verdict: Verdict
    """``wrong`` is what needs somebody to do something"""
    text: str


def examine(path: str) -> list[Finding]:
    """Look at a database file without changing it. Raises SQLite's error if it cannot be opened."""
    found = [_file_system(path)]
    connection = Connection(path, readonly=True)
    try:
        found += [
            _journal_mode(connection),
            _log(path, connection),
            *_users(path),
            _journal(connection),
            _foreign_keys(connection),
            _integrity(connection),
        ]
    finally:
        connection.close()
    return found


def _file_system(path: str) -> Finding:
    kind = network_file_system(path)
    if kind is None:
        return Finding("file system", "ok", "local")
    return Finding(
        "file system", "wrong", f"{kind}: write-ahead logging is unsafe on a network file system"
    )


def _journal_mode(connection: Connection) -> Finding:
    mode = connection.run("PRAGMA journal_mode")[0][0]
    if mode == "wal":
        return Finding("journal mode", "ok", "wal")
    return Finding("journal mode", "note", f"{mode}: readers and a writer wait for one another")


def _log(path: str, connection: Connection) -> Finding:
    frames = connection.wal_frames()
    if frames is None:
        return Finding("write-ahead log", "ok", "none")
    try:
        size = os.stat(path + "-wal").st_size
    except OSError:
        size = 0
    text = f"{frames} pages in use, {size / 2**20:.1f} MiB"
    if frames < WARN_PAGES:
        return Finding("write-ahead log", "ok", text)
    readers = processes(locks_on(path).readers - {os.getpid()})
    return Finding(
        "write-ahead log",
        "wrong",
        f"{text}: a read transaction keeps it from being written back; process "
        f"{readers or 'unknown'}",
    )


def _users(path: str) -> list[Finding]:
    locks = locks_on(path)
    # A file that nobody uses in WAL mode has no locks; /proc tells who has it open anyway.
    users = (locks.open | frozenset(_open_in(path))) - {os.getpid()}
    found = [Finding("open in", "ok", processes(users) or "no other process that can be seen")]
    if locks.writer is not None:
        found.append(Finding("write lock", "note", f"held by process {process(locks.writer)}"))
    return found


def _open_in(path: str) -> list[int]:
    """Processes that have the file open, as far as this user may see."""
    try:
        wanted = os.stat(path)
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [pid for pid in pids if _has_open(pid, wanted)]


def _has_open(pid: int, wanted: os.stat_result) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        return any(_is_file(f"{folder}/{name}", wanted) for name in os.listdir(folder))
    except OSError:  # another user's, or it has ended
        return False


def _is_file(link: str, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(link), wanted)
    except OSError:  # closed meanwhile
        return False


def _journal(connection: Connection) -> Finding:
    """The state of the journal of changes."""
    name = "_reactive_journal"
    tables = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    if not connection.run(tables, (name,)):
        return Finding("journal", "ok", "none: nobody has needed one")
    try:
        first, count = connection.run(f"SELECT min(seq), count(*) FROM {name} WHERE seq > 0")[0]
    except SQLError:
        text = f"the table {name} is no journal, and gives way to one when one is needed"
        return Finding("journal", "note", text)
    if not count:
        return Finding("journal", "ok", "empty")
    if records_since(connection, first - 1) is None:
        return Finding(
            "journal", "wrong", "records are missing or unreadable: whoever reads it starts over"
        )
    last = last_record(connection)
    return Finding("journal", "ok", f"{count} commits, numbers {first} to {last}")


def _foreign_keys(connection: Connection) -> Finding:
    broken = connection.run("PRAGMA foreign_key_check")
    if not broken:
        return Finding("foreign keys", "ok", "every reference has its row")
    tables = ", ".join(sorted({str(row[0]) for row in broken}))
    return Finding("foreign keys", "wrong", f"{len(broken)} rows refer to no row, in {tables}")


def _integrity(connection: Connection) -> Finding:
    try:
        complaints = [str(row[0]) for row in connection.run("PRAGMA integrity_check(20)")]
    except DatabaseError as error:
        complaints = [str(error)]
    if complaints == ["ok"]:
        return Finding("integrity", "ok", "ok")
    return Finding("integrity", "wrong", "; ".join(complaints))
