"""What a child made by ``fork`` inherits of its parent's connections, and how it is rid of them.

SQLite knows in memory, by file, which locks its process has. A fork copies that memory, and not
the locks: whatever else the child opened of such a file would take none, and its log could be
removed under it. So what was inherited is closed before anything is opened. What was in the middle
of a write cannot be: closing it would undo, in the file, what the parent goes on to write.
https://sqlite.org/howtocorrupt.html, 2.6
"""

from __future__ import annotations

import os
from weakref import WeakKeyDictionary

import apsw

from reactive_sqlite.driver.mutex import Lock
from reactive_sqlite.errors import ReactiveSqliteError
from reactive_sqlite.files.filesystem import Identity, identity_of, path_of

_open: WeakKeyDictionary[apsw.Connection, Identity] = WeakKeyDictionary()
"""the connections to files of this process"""
_inherited: list[tuple[apsw.Connection, Identity]] = []
"""those of its parent that are not closed yet"""
_in_use: set[Identity] = set()
"""the files that the parent wrote to when it was forked"""
_lock = Lock()


def opened(connection: apsw.Connection) -> None:
    """A connection was opened: should the process be forked, the child inherits it."""
    if connection.filename:
        _open[connection] = identity_of(connection.filename)


def check(name: str) -> None:
    """Before a path or URI is opened: put away what was inherited.

    Raises `ReactiveSqliteError` where the file cannot be opened in this process any more.
    """
    if not (_inherited or _in_use):
        return
    with _lock:
        for connection, identity in _inherited:
            if not _put_away(connection):
                _in_use.add(identity)
        _inherited.clear()
    try:
        identity = identity_of(path_of(name))
    except OSError:  # there is none yet
        return
    if identity in _in_use:
        raise ReactiveSqliteError(
            f"{name!r} was being written to when this process was forked, and cannot be opened in "
            "it: fork outside transactions, or start processes by spawn"
        )


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
        import ctypes

        for connection, _ in _inherited:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inherit)
