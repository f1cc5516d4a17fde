"""The state of the build: when it breaks, exactly one agent fixes it."""

from __future__ import annotations

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import natural, optional_text, text
from smithers_db.clock import later, now
from smithers_db.errors import InvalidTransition
from smithers_db.rows import BuildState
from smithers_db.table import Table

# Compare and set in one statement: the condition and the change cannot come apart.
_TAKE = (
    "UPDATE build_state SET status = 'fixing', fixer_agent_id = ?, "
    "broken_since = coalesce(broken_since, ?), last_check = ? "
    "WHERE id = 1 AND (status <> 'fixing' OR fixer_agent_id IS ? OR last_check < ?)"
)


class BuildDecision(msgspec.Struct, frozen=True):
    """What an agent that met a broken build should do: fix it, or wait and look again."""

    should_fix: bool
    wait_ms: int
    state: BuildState


class Builds:
    """Who fixes a broken build (``db.build_state``).

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> db.build_state.handle_broken_build("ann").should_fix
    True
    >>> decision = db.build_state.handle_broken_build("bob", wait_ms=500)
    >>> decision.should_fix, decision.wait_ms, decision.state.fixer_agent_id
    (False, 500, 'ann')
    >>> db.build_state.cleanup(stale_ms=60_000)  # ann has not been away for long
    False
    >>> db.build_state.mark_fixed("ann")
    >>> db.build_state.get().status
    'passing'
    """

    def __init__(self, db: ReactiveDatabase) -> None:
        self._db = db
        self._table = Table(db, "build_state", BuildState)

    def get(self) -> BuildState:
        """How the build is."""
        return self._table.one(1)

    def handle_broken_build(
        self, agent_id: str, wait_ms: int = 300_000, stale_ms: int = 1_800_000
    ) -> BuildDecision:
        """Says what an agent that met a broken build should do.

        The first one is to fix it; the others wait ``wait_ms``. A fixer that has not called this
        for ``stale_ms`` is taken to be gone, and the next caller replaces it.
        """
        natural("wait_ms", wait_ms)
        natural("stale_ms", stale_ms)
        moment = now()
        with self._db.transaction():
            taken = self._db.execute(
                _TAKE, (text("agent_id", agent_id), moment, moment, agent_id, later(-stale_ms))
            ).changes
            state = self.get()
        return BuildDecision(bool(taken), 0 if taken else wait_ms, state)

    def mark_fixed(self, agent_id: str | None = None) -> None:
        """Says that the build passes again.

        Raises:
            InvalidTransition: an agent is given, and another one is the fixer.
        """
        optional_text("agent_id", agent_id)
        fixed = self._db.execute(
            "UPDATE build_state SET status = 'passing', fixer_agent_id = NULL, "
            "broken_since = NULL, last_check = ? "
            "WHERE id = 1 AND (? IS NULL OR fixer_agent_id IS NULL "
            "OR fixer_agent_id = ?)",
            (now(), agent_id, agent_id),
        )
        if not fixed.changes:
            raise InvalidTransition(
                f"agent {self.get().fixer_agent_id!r} fixes it, not {agent_id!r}"
            )

    def cleanup(self, stale_ms: int = 1_800_000) -> bool:
        """Takes the build from a fixer that is gone; returns whether there was one."""
        freed = self._db.execute(
            "UPDATE build_state SET status = 'broken', fixer_agent_id = NULL "
            "WHERE id = 1 AND status = 'fixing' AND last_check < ?",
            (later(-natural("stale_ms", stale_ms)),),
        )
        return bool(freed.changes)
