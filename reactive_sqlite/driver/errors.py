"""SQLite's own errors, by the names that they have here."""

from __future__ import annotations

import apsw

#: The root of SQLite's own errors.
DatabaseError = apsw.Error
#: SQLite could not get a lock in time.
BusyError = apsw.BusyError
#: The file is no database, or is damaged.
SPOILT = (apsw.NotADBError, apsw.CorruptError)
#: The statement or the schema is wrong: no such table, syntax error.
SQLError = apsw.SQLError
#: The statement would break a constraint, or a trigger refuses it.
ConstraintError = apsw.ConstraintError
