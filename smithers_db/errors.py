"""What can go wrong, by name. Errors of SQLite itself pass through unchanged."""

from __future__ import annotations


class SmithersError(Exception):
    """The root of every error that this package raises on its own account."""


class NoActiveExecution(SmithersError):
    """An id was needed, was not given, and the ambient context does not hold one."""


class NotFound(SmithersError, LookupError):
    """No row has this id."""


class InvalidTransition(SmithersError):
    """The row exists, and does not allow this step: it has ended, is taken, is answered."""


class InvalidValue(SmithersError, ValueError):
    """A value that the database cannot keep and give back as it was."""


class UnreadableRow(SmithersError):
    """A row of the file holds what no row can: another program wrote it. The others are read."""


class OutputError(SmithersError):
    """A tool's output that should be there is missing, or is not what was written."""


class MigrationError(SmithersError):
    """The file cannot be brought to this version's schema, and was left as it was."""
