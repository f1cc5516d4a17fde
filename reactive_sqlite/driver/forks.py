"""What a child made by ``fork`` inherits of its parent's connections, and how it is rid of them.

SQLite knows in memory, by file, which locks its process has. A fork copies that memory, and not
the locks: whatever else the child opened of such a file would take none, and its log could be
removed under it. So what was inherited is closed before anything is opened. What was in the middle
of a write cannot be: closing it would undo, in the file, what the parent goes on to write.
https://sqlite.org/howtocorrupt.html, 2.6
"""

from __future__ import annotations

import os
from contextlib import suppress
from weakref import WeakKeyDictionary

import apsw

from reactive_sqlite.driver.mutex import Lock
from reactive_sqlite.errors import ReactiveSqliteError
from reactive_sqlite.files.filesystem import Identity, identity_of, path_of
from reactive_sqlite.understanding.listing import quoted

_open: WeakKeyDictionary[apsw.Connection, frozenset[Identity]] = WeakKeyDictionary()
"""the connections of this process to files, attached ones too"""
_inherited: list[tuple[apsw.Connection, frozenset[Identity]]] = []
"""those of its parent that are not closed yet"""
_in_use: set[Identity] = set()
"""the files that the parent wrote to when it was forked"""
_lock = Lock()


def connect(name: str, flags: int) -> apsw.Connection:
    """Open a path or URI, once what was inherited is put away.

    Raises `ReactiveSqliteError` where the file cannot be opened in this process any more.
    """
    if _inherited or _in_use:
        _put_all_away()
        if _identities(path_of(name)) & _in_use:
            raise _refusal(name)
    connection = apsw.Connection(name, flags=flags, statementcachesize=256)
    if connection.filename:
        _open[connection] = _identities(connection.filename)
    return connection


def attached(connection: apsw.Connection) -> None:
    """A file was attached: should the process be forked, the child inherits that as well.

    Raises `ReactiveSqliteError`, and detaches it, where it cannot be opened in this process.
    """
    files = {name: connection.db_filename(name) or "" for name in connection.db_names()}
    for name, file in files.items():
        if _identities(file) & _in_use:
            with suppress(apsw.Error):
                connection.execute(f"DETACH {quoted(name)}")
            raise _refusal(file)
    _open[connection] = _identities(*files.values())


def _identities(*paths: str) -> frozenset[Identity]:
    found = set()
    for path in paths:
        with suppress(OSError):  # there is none, or none yet
            found.add(identity_of(path))
    return frozenset(found)


def _refusal(name: str) -> ReactiveSqliteError:
    return ReactiveSqliteError(
        f"{name!r} was being written to when this process was forked, and cannot be opened in "
        "it: fork outside transactions, or start processes by spawn"
    )


def _put_all_away() -> None:
    with _lock:
        for connection, identities in _inherited:
            if not _put_away(connection):
                _in_use.update(identities)
        _inherited.clear()


def _put_away(connection: apsw.Connection) -> bool:
    """Close it, which says nothing to the file; false if that could not be done."""
    try:
        if connection.txn_state() == apsw.SQLITE_TXN_WRITE:
            return False
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.close()
    except apsw.ConnectionClosedError:
        pass  # before the fork
    except apsw.Error:  # a thread of the parent was in the middle of a statement
        return False
    return True


def _inherit() -> None:
    """In a child: nothing may be closed by itself, when it is forgotten or the process ends."""
    global _lock
    _lock = Lock()
    _inherited.extend(_open.items())
    _open.clear()
    if _inherited:
        import ctypes  # few processes fork, and all would pay for it

        for connection, _ in _inherited:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inherit)
