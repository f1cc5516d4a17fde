"""What can go wrong through misuse.

SQLite's own errors are not wrapped: an ``apsw.Error`` subclass passes through unchanged, with a
note (`BaseException.add_note`) that names the statement.
"""

from __future__ import annotations


class ReactiveSqliteError(Exception):
    """The root of every error that this package raises on its own account."""


class ClosedError(ReactiveSqliteError):
    """The database was used after ``close()``."""


class NotAQuery(ReactiveSqliteError):
    """A statement that returns no rows, or that writes, was given to a verb that reads."""


class NotAMutation(ReactiveSqliteError):
    """A statement that only reads was given to a verb that writes."""


class TransactionError(ReactiveSqliteError):
    """A transaction was left open across an ``await``, finished by a stranger, or misnested."""
