"""Questions to people, and their answers: each is answered once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import listed, text
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.errors import InvalidTransition, InvalidValue
from smithers_db.rows import HumanInteraction
from smithers_db.table import Table

#: What can become of a question.
ANSWERS = frozenset({"approved", "rejected", "timeout", "cancelled", "completed", "failed"})

_RESOLVE = (
    "UPDATE human_interactions SET status = ?, response = ?, session_transcript = ?, "
    "session_duration = ?, error = ?, resolved_at = ? WHERE id = ? AND status = 'pending'"
)
_SESSION = "interactive_session"
_RESOLVE_SESSION = f"{_RESOLVE} AND type = '{_SESSION}'"


class Human:
    """Questions to people (``db.human``).

    To wait for an answer, subscribe to ``db.observe(db.human.get, id)``.

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> question = db.human.request("select", "Deploy where?", ["staging", "production"])
    >>> [asked.prompt for asked in db.human.list_pending(run)]
    ['Deploy where?']
    >>> db.human.resolve(question, "approved", "staging")
    >>> db.human.get(question).response
    'staging'
    >>> session = db.human.request_interactive("Plan it with me", {"timeout": 600})
    >>> db.human.complete_interactive(session, {"plan": "small steps"}, duration=90_000)
    >>> db.human.cancel_interactive(db.human.request_interactive("And again?"))
    >>> db.human.list_pending(run)
    []
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "human_interactions", HumanInteraction)

    def request(
        self,
        type: str,
        prompt: str,
        options: Sequence[str] = (),
        *,
        execution_id: str | None = None,
    ) -> str:
        """Asks a question (``confirmation``, ``text``, ``select``, …); returns its id.

        Raises:
            NoActiveExecution: no run is given or current. NotFound: there is no such run.
            InvalidValue: options is no list of texts.
        """
        options = [text("options", option) for option in listed("options", options)]
        return self._ask(type, prompt, execution_id, options=options)

    def request_interactive(
        self, prompt: str, config: Any = None, *, execution_id: str | None = None
    ) -> str:
        """Asks for an interactive session; returns its id. Raises as `request` does."""
        return self._ask(_SESSION, prompt, execution_id, session_config=config)

    def _ask(self, type: str, prompt: str, execution_id: str | None, **columns: Any) -> str:
        interaction_id = new_id()
        self._table.insert(
            id=interaction_id,
            execution_id=self._ambient.execution_id(execution_id),
            type=type,
            prompt=prompt,
            status="pending",
            created_at=now(),
            **columns,
        )
        return interaction_id

    def resolve(self, id: str, status: str, response: Any = None) -> None:
        """Answers a question: approved, rejected, timeout, cancelled, completed or failed.

        Raises:
            NotFound: there is no such question. InvalidTransition: it is answered already.
            InvalidValue: an unknown status.
        """
        self._resolve(_RESOLVE, id, status, response)

    def complete_interactive(
        self,
        id: str,
        response: Any = None,
        *,
        status: str = "completed",
        transcript: str | None = None,
        duration: int | None = None,
        error: str | None = None,
    ) -> None:
        """Ends an interactive session; ``duration`` is in ms.

        Raises as `resolve` does, and `InvalidTransition` also when the question is of another
        type: somebody is to answer that.
        """
        self._resolve(_RESOLVE_SESSION, id, status, response, transcript, duration, error)

    def cancel_interactive(self, id: str) -> None:
        """Ends an interactive session that is not wanted. Raises as `complete_interactive` does."""
        self._resolve(_RESOLVE_SESSION, id, "cancelled", None)

    def _resolve(
        self,
        sql: str,
        id: str,
        status: str,
        response: Any,
        transcript: str | None = None,
        duration: int | None = None,
        error: str | None = None,
    ) -> None:
        if text("status", status) not in ANSWERS:
            raise InvalidValue(f"{status!r} is no answer; one of {', '.join(sorted(ANSWERS))} is")
        fits = self._table.adapted
        values = (
            status,
            fits("response", response),
            fits("session_transcript", transcript),
            fits("session_duration", duration),
            fits("error", error),
            now(),
            text("id", id),
        )
        if not self._db.execute(sql, values).changes:
            found = self._table.one(id)
            if found.status == "pending":
                raise InvalidTransition(
                    f"question {id!r} is no interactive session but {found.type}: resolve() it"
                )
            raise InvalidTransition(
                f"question {id!r} was {found.status} at {found.resolved_at}, and is answered once"
            )

    def get(self, id: str) -> HumanInteraction | None:
        """The question with this id, or None."""
        return self._table.get(id)

    def list_pending(self, execution_id: str | None = None) -> Sequence[HumanInteraction]:
        """The unanswered questions, oldest first: of the run given or current, else of all.

        Those of runs that have ended too, unless their worker had died: a run may end before its
        questions, and who does not want an answer any more says so (``resolve(id, "cancelled")``).
        """
        execution_id = self._ambient.known_execution_id(execution_id)
        if execution_id is None:
            return self._table.all("WHERE status = 'pending' ORDER BY rowid")
        return self._table.all(
            "WHERE execution_id = ? AND status = 'pending' ORDER BY rowid", (execution_id,)
        )
