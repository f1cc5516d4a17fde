"""State: what a run remembers, key by key, and every change that it went through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import natural, number_of_rows, optional_text, text
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.errors import InvalidValue, NotFound
from smithers_db.ledger import FRESH, state_at
from smithers_db.rows import StateEntry, Transition
from smithers_db.table import Table
from smithers_db.values import decode, encode

# One statement: the old value is read, the transition written, and its trigger writes the state.
_SET = (
    "INSERT INTO transitions "
    "(id, execution_id, key, old_value, new_value, trigger, trigger_agent_id, created_at) "
    "SELECT ?, e.id, ?, (SELECT s.value FROM state s WHERE s.execution_id = e.id AND s.key = ?), "
    "?, ?, ?, ? FROM executions e WHERE e.id = ?"
)
_DELETE = (
    "INSERT INTO transitions (id, execution_id, key, old_value, new_value, deleted, trigger, "
    "trigger_agent_id, created_at) SELECT ?, s.execution_id, s.key, s.value, 'null', 1, ?, ?, ? "
    "FROM state s WHERE s.execution_id = ? AND s.key = ?"
)


class State:
    """The state of runs (``db.state``): any JSON shape and more, see `smithers_db.values`.

    >>> from datetime import date
    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> first = db.state.set("due", date(2026, 1, 18), trigger="planner")
    >>> _ = db.state.set_many({"due": None, "seen": {1, 2}})
    >>> db.state.get("seen"), db.state.get("nothing", "default"), db.state.has("due")
    ({1, 2}, 'default', True)
    >>> db.state.delete("seen")
    True
    >>> [(change.key, change.new_value) for change in db.state.history("due")]
    [('due', None), ('due', datetime.date(2026, 1, 18))]
    >>> db.state.at(first)["due"]
    datetime.date(2026, 1, 18)
    >>> db.state.reset()
    >>> db.state.get_all()
    {'data': None, 'iteration': 0, 'phase': 'initial'}
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "state", StateEntry)
        self._transitions = Table(db, "transitions", Transition)

    def get(self, key: str, default: Any = None, *, execution_id: str | None = None) -> Any:
        """The value of a key, or the default."""
        rows = self._table.values(
            "value",
            "WHERE execution_id = ? AND key = ?",
            (self._ambient.execution_id(execution_id), key),
        )
        return decode(rows[0][0]) if rows else default

    def has(self, key: str, *, execution_id: str | None = None) -> bool:
        """Whether the key is there, None being a value like any other."""
        return bool(
            self._db.execute(
                "SELECT 1 FROM state WHERE execution_id = ? AND key = ?",
                (self._ambient.execution_id(execution_id), text("key", key)),
            ).rows
        )

    def get_all(self, *, execution_id: str | None = None) -> dict[str, Any]:
        """Every key and its value, sorted by key."""
        rows = self._table.values(
            "key, value",
            "WHERE execution_id = ? ORDER BY key",
            (self._ambient.execution_id(execution_id),),
        )
        return {key: decode(value) for key, value in rows}

    def _agent_id(self, execution_id: str, given: str | None) -> str | None:
        """The agent given, which must be one of this run, else the ambient one, if it is."""
        if given is not None:
            sql = "SELECT 1 FROM agents WHERE id = ? AND execution_id = ?"
            if not self._db.execute(sql, (text("agent_id", given), execution_id)).rows:
                raise NotFound(f"there is no agent_id {given!r} of the execution {execution_id!r}")
        return self._ambient.agent_id(execution_id, given)

    def set(
        self,
        key: str,
        value: Any,
        trigger: str | None = None,
        *,
        execution_id: str | None = None,
        agent_id: str | None = None,
    ) -> str:
        """Sets a key, and records that, with the agent who did it; returns the transition's id.

        ``iteration`` is the key that phases, tasks and frames take theirs from: a whole number
        from 0 on. Every other key holds what you like.

        Raises:
            NoActiveExecution: no run is given or current. NotFound: there is no such run, or it
            has no such agent. InvalidValue: the value would not come back as it is, or is no
            iteration.
        """
        if key == "iteration":
            natural("the state's iteration", value)
        execution_id = self._ambient.execution_id(execution_id)
        transition_id = new_id()
        changed = self._db.execute(
            _SET,
            (
                transition_id,
                text("key", key),
                key,
                encode(value),
                optional_text("trigger", trigger),
                self._agent_id(execution_id, agent_id),
                now(),
                execution_id,
            ),
        )
        if not changed.changes:
            raise NotFound(f"no execution has the id {execution_id!r}")
        return transition_id

    def set_many(
        self,
        values: Mapping[str, Any],
        trigger: str | None = None,
        *,
        execution_id: str | None = None,
        agent_id: str | None = None,
    ) -> list[str]:
        """Sets several keys in one transaction; returns the transitions' ids. Raises as `set`."""
        if not isinstance(values, Mapping):
            raise InvalidValue(f"values is a mapping, not a {type(values).__name__}")
        execution_id = self._ambient.execution_id(execution_id)
        with self._db.transaction():
            return [
                self.set(key, value, trigger, execution_id=execution_id, agent_id=agent_id)
                for key, value in values.items()
            ]

    def delete(
        self,
        key: str,
        trigger: str | None = None,
        *,
        execution_id: str | None = None,
        agent_id: str | None = None,
    ) -> bool:
        """Removes a key, and records that, as `set` does; False when it was not there."""
        execution_id = self._ambient.execution_id(execution_id)
        text("key", key)
        agent_id = self._agent_id(execution_id, agent_id)
        changed = self._db.execute(
            _DELETE,
            (new_id(), optional_text("trigger", trigger), agent_id, now(), execution_id, key),
        )
        return bool(changed.changes)

    def reset(self, *, execution_id: str | None = None) -> None:
        """Brings a run's state back to that of a new run, and records each change."""
        execution_id = self._ambient.execution_id(execution_id)
        with self._db.transaction():
            for key in self.get_all(execution_id=execution_id):
                if key not in FRESH:
                    self.delete(key, "reset", execution_id=execution_id)
            self.set_many(FRESH, "reset", execution_id=execution_id)

    def history(
        self, key: str | None = None, limit: int = 100, *, execution_id: str | None = None
    ) -> Sequence[Transition]:
        """The last ``limit`` changes of one key or all, newest first; values come decoded."""
        execution_id = self._ambient.execution_id(execution_id)
        rows = number_of_rows("limit", limit)
        if key is None:
            return self._transitions.all(
                "WHERE execution_id = ? ORDER BY seq DESC LIMIT ?", (execution_id, rows)
            )
        return self._transitions.all(
            "WHERE execution_id = ? AND key = ? ORDER BY seq DESC LIMIT ?",
            (execution_id, key, rows),
        )

    def at(self, transition_id: str) -> dict[str, Any]:
        """The whole state of a run as it was right after a transition.

        Raises:
            NotFound: there is no such transition.
        """
        transition = self._transitions.one(transition_id)
        kept = state_at(self._db, transition.execution_id, transition.seq)
        return {key: decode(value) for key, value in kept}
