"""What SQLite's authorizer is asked while a statement is prepared: listened to, and answered."""

from __future__ import annotations

from typing import Final

from reactive_sqlite.understanding.access import PRAGMA, Action
from reactive_sqlite.understanding.effects import acts_when_prepared, refuse_lockout
from reactive_sqlite.values.comparison import fold

# https://sqlite.org/c3ref/c_deny.html
_OK: Final = 0
_IGNORE: Final = 2


class Authorizer:
    """Answers for one connection, to a database in a file or in memory.

    https://sqlite.org/c3ref/set_authorizer.html
    """

    def __init__(self, *, in_file: bool) -> None:
        self.actions: list[Action] | None = None
        """where what is asked is put down, while a statement is only to be understood"""
        self._in_file = in_file

    def __call__(
        self, op: int, one: str | None, two: str | None, database: str | None, inner: str | None
    ) -> int:
        """Allow it, but a PRAGMA that would already act on a statement nobody has run yet."""
        actions = self.actions
        if actions is not None:
            actions.append((op, one, two, database, inner))
        if op == PRAGMA:
            if self._in_file:
                refuse_lockout(one, two, database)
            if actions is not None and acts_when_prepared(fold(one or ""), two):
                return _IGNORE
        return _OK
