"""What a statement gave."""

from __future__ import annotations

from typing import NamedTuple

from reactive_sqlite.values.row import Row


class Result(NamedTuple):
    """What one statement did: ``rows`` it returned, rows it changed, the last rowid inserted.

    >>> from reactive_sqlite import ReactiveDatabase
    >>> db = ReactiveDatabase()
    >>> _ = db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
    >>> db.execute("INSERT INTO t(x) VALUES ('a'), ('b')")
    Result(rows=(), changes=2, last_insert_rowid=2)
    """

    rows: tuple[Row, ...]
    changes: int
    last_insert_rowid: int


result = tuple.__new__
"""what ``Result(...)`` does, without a Python function around it"""
