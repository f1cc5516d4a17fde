"""Files that are attached to a connection: has another one committed to them?"""

from __future__ import annotations

from typing import NamedTuple

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.errors import BusyError


class _Seen(NamedTuple):
    """A state of an attached file, as far as it can be told from another one."""

    data_version: int
    schema_version: int


#: What no file is: the next look finds another state.
_UNKNOWN = _Seen(-1, -1)


class AttachedFiles:
    """The files attached to the writing connection, and what was last seen of each.

    Nothing is known of what others commit to them but that they did: nobody keeps a journal there
    for who has attached it. Used under the lock of the connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._alone: dict[tuple[str, str], int] = {}
        """the version of each less own commits, while nobody else has changed its schema"""

    @property
    def files(self) -> frozenset[str]:
        """Their paths."""
        return frozenset(file for _, file in self._seen)

    def list_anew(self) -> None:
        """Another one was attached, or one of them detached."""
        seen, self._seen, self._alone = self._seen, {}, {}
        for name, file in self._connection.attached().items():
            try:
                self._seen[name, file] = seen.get((name, file)) or self._state(name)
            except BusyError:
                self._seen[name, file] = _UNKNOWN

    def moved(self) -> bool:
        """Whether others have committed to one of them since they were remembered."""
        return any(self._state(name) != seen for (name, _), seen in self._seen.items())

    def schema_moved(self) -> bool:
        """Whether others have changed the schema of one since then; to be asked after a commit.

        As `ForeignCommits.schema_moved`, without a statement unless others have committed there.
        """
        for key, seen in self._seen.items():
            if self._version_alone(key[0]) != self._alone.get(key):
                state = self._state(key[0])
                # Its number moves by a statement of one's own, too, but the other one does not.
                if all(now != before for now, before in zip(state, seen, strict=True)):
                    return True
                self._alone[key] = self._version_alone(key[0])  # of that state
        return False

    def _version_alone(self, name: str) -> int:
        return self._connection.known_version(name) - self._connection.wal_commits[name]

    def remember(self) -> bool:
        """Take their present states as seen; whether others had committed to one of them.

        Inside a transaction these are the states that it goes on reading.
        """
        before = self._seen
        self._seen = {key: self._state(key[0]) for key in before}
        return self._seen != before

    def forget(self) -> None:
        """The next look finds that others have committed."""
        self._seen = dict.fromkeys(self._seen, _UNKNOWN)

    def _state(self, name: str) -> _Seen:
        connection = self._connection
        return _Seen(connection.data_version(name), connection.schema_version(name))
