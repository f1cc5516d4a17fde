"""Agents: the model runs of a phase, and the events of their streams."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import listed, number_of_rows, optional_text, text, whole
from smithers_db.clock import at_millisecond, new_id, now
from smithers_db.context import Ambient, Context
from smithers_db.errors import InvalidValue, NotFound
from smithers_db.lifecycle import Lifecycle
from smithers_db.rows import Agent, AgentStreamEvent
from smithers_db.table import Table
from smithers_db.values import encode

# A phase of another run is no phase of this one: then nothing is inserted.
_START = (
    "INSERT INTO agents (id, execution_id, phase_id, model, system_prompt, prompt, status, "
    "scope_rev, log_path, started_at, created_at) "
    "SELECT ?, e.id, ?, ?, ?, ?, 'running', ?, ?, ?, ? FROM executions e WHERE e.id = ? "
    "AND (? IS NULL OR EXISTS (SELECT 1 FROM phases p WHERE p.id = ? AND p.execution_id = e.id))"
)
_EVENT = (
    "INSERT INTO agent_stream_events "
    "(id, agent_id, event_type, event_id, tool_name, content, timestamp, created_at) "
    "SELECT ?, a.id, ?, ?, ?, ?, ?, ? FROM agents a WHERE a.id = ?"
)
_EVENT_FIELDS = frozenset({"type", "id", "tool_name", "content", "timestamp"})


class Agents:
    """The agents of runs (``db.agents``).

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> agent = db.agents.start("fix the tests", model="opus")
    >>> _ = db.agents.record_stream_event(agent, {"type": "text", "content": "thinking"})
    >>> [event.content for event in db.agents.stream_events(agent, ["text"])]
    ['thinking']
    >>> newest = db.agents.stream_events(agent, limit=50, newest=True)
    >>> db.agents.stream_events(agent, after=newest[-1].id)
    []
    >>> db.agents.set_stream_summary(agent, "it thinks")
    >>> db.agents.current().stream_summary
    'it thinks'
    >>> db.agents.complete(agent, "done", {"files": 3}, tokens_input=10, tokens_output=5)
    >>> db.agents.get(agent).result_structured
    {'files': 3}
    >>> db.agents.fail(db.agents.start("try it"), "no luck")
    >>> db.agents.cancel(db.agents.start("never mind"))
    >>> with db.phases.running("review") as phase, db.agents.running("look at it"):
    ...     [agent.prompt for agent in db.agents.list_for_phase(phase)]
    ['look at it']
    >>> [(agent.prompt, agent.status) for agent in db.agents.list(run, limit=2)]
    [('never mind', 'cancelled'), ('look at it', 'completed')]
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "agents", Agent)
        self._events = Table(db, "agent_stream_events", AgentStreamEvent)
        self._life = Lifecycle(self._table, ambient, "agent_id")
        self._complete = self._life.ending(
            "completed", "result", "result_structured", "tokens_input", "tokens_output"
        )
        self._fail = self._life.ending("failed", "error")
        self._cancel = self._life.ending("cancelled")

    def start(
        self,
        prompt: str,
        model: str = "sonnet",
        system_prompt: str | None = None,
        log_path: str | None = None,
        *,
        execution_id: str | None = None,
        phase_id: str | None = None,
        scope_rev: str | None = None,
    ) -> str:
        """Starts an agent and makes it the calling task's current one; returns its id.

        Raises:
            NoActiveExecution: no run is given or current. NotFound: there is no such run, or the
            phase is not one of it.
        """
        context = self._ambient.get()
        if execution_id is None:
            execution_id = context.execution_id or self._ambient.execution_id()
        else:
            text("execution_id", execution_id)
        if context.execution_id != execution_id:
            context = Context(execution_id)
        if phase_id is None:
            phase_id = context.phase_id
        elif text("phase_id", phase_id) != context.phase_id:  # the step at hand is of another phase
            context = Context(execution_id, phase_id)
        agent_id = new_id()
        moment = now()
        started = self._db.execute(
            _START,
            (
                agent_id,
                phase_id,
                text("model", model),
                optional_text("system_prompt", system_prompt),
                text("prompt", prompt),
                optional_text("scope_rev", scope_rev),
                optional_text("log_path", log_path),
                moment,
                moment,
                execution_id,
                phase_id,
                phase_id,
            ),
        )
        if not started.changes:
            raise NotFound(f"no execution {execution_id!r} with a phase {phase_id!r}")
        self._life.enter(Context(execution_id, phase_id, agent_id, context.step_id))
        return agent_id

    def complete(
        self,
        id: str,
        result: str | None = None,
        structured: Any = None,
        tokens_input: int | None = None,
        tokens_output: int | None = None,
    ) -> None:
        """Ends an agent well. Raises `NotFound`, and `InvalidTransition` when it has ended."""
        self._complete(id, result, structured, tokens_input, tokens_output)

    def fail(self, id: str, error: str) -> None:
        """Ends an agent with an error. Raises as `complete` does."""
        self._fail(id, error)

    def cancel(self, id: str) -> None:
        """Ends an agent that is not wanted any more. Raises as `complete` does."""
        self._cancel(id)

    def running(
        self, prompt: str, model: str = "sonnet", **options: Any
    ) -> AbstractContextManager[str]:
        """``with db.agents.running(prompt) as id:`` takes what `start` takes.

        Call ``complete(id, result, …)`` inside to record the result.
        """
        return self._life.running(
            lambda: self.start(prompt, model, **options), self.complete, self.fail
        )

    def set_stream_summary(self, id: str, summary: str) -> None:
        """Records a summary of the agent's stream. Raises `NotFound`."""
        self._table.update(id, stream_summary=summary)

    def record_stream_event(self, agent_id: str, event: Mapping[str, Any]) -> str:
        """Records one event of an agent's stream; returns the row's id.

        ``event`` has a ``type`` (text), and may have ``id``, ``tool_name``, ``content`` (kept as
        it is if it is text, else as JSON) and ``timestamp`` (milliseconds since 1970, else now).

        Raises:
            NotFound: there is no such agent. InvalidValue: the event has no type, or other fields.
        """
        if not isinstance(event, Mapping):
            raise InvalidValue(f"an event is a mapping, not {type(event).__name__}")
        if not event.keys() <= _EVENT_FIELDS or "type" not in event:
            raise InvalidValue(
                f"an event has a type, and only {', '.join(sorted(_EVENT_FIELDS))}; "
                f"this one has {', '.join(sorted(map(str, event)))}"
            )
        content = event.get("content")
        if content is not None:
            content = text("content", content) if isinstance(content, str) else encode(content)
        present = time.time_ns() // 1_000_000
        timestamp = event.get("timestamp")
        event_id = new_id()
        recorded = self._db.execute(
            _EVENT,
            (
                event_id,
                text("type", event["type"]),
                optional_text("id", event.get("id")),
                optional_text("tool_name", event.get("tool_name")),
                content,
                present if timestamp is None else whole("timestamp", timestamp),
                at_millisecond(present),
                text("agent_id", agent_id),
            ),
        )
        if not recorded.changes:
            self._table.missing(agent_id)
        return event_id

    def stream_events(
        self,
        agent_id: str,
        types: Sequence[str] = (),
        limit: int = 1000,
        *,
        after: str | None = None,
        before: str | None = None,
        newest: bool = False,
    ) -> Sequence[AgentStreamEvent]:
        """The first ``limit`` events of an agent's stream, all or of some types, in order.

        With ``newest`` the last ones instead. ``after`` and ``before`` are ids of events: only
        those recorded after the one and before the other are counted and given. So the last event
        of a page leads to the next page (``after``), and the first to the one before it
        (``before``, with ``newest``).

        Raises:
            NotFound: there is no event ``after`` or ``before``. InvalidValue: types is one text,
            or the limit is no number of rows.
        """
        types = listed("types", types)
        rows = number_of_rows("limit", limit)
        conditions = ["agent_id = ?"]
        params: list[Any] = [agent_id]
        if types:
            conditions.append(f"event_type IN ({', '.join('?' * len(types))})")
            params += types
        for event, beyond in ((after, ">"), (before, "<")):
            if event is not None:
                conditions.append(f"rowid {beyond} ?")
                params.append(self._events.place(event))
        order = "DESC" if newest else "ASC"
        tail = f"WHERE {' AND '.join(conditions)} ORDER BY rowid {order} LIMIT ?"
        found = self._events.all(tail, (*params, rows))
        return found[::-1] if newest else found

    def current(self) -> Agent | None:
        """The calling task's agent, or None."""
        return self._life.current()

    def get(self, id: str) -> Agent | None:
        """The agent with this id, or None."""
        return self._table.get(id)

    def list(
        self,
        execution_id: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> Sequence[Agent]:
        """The agents of a run, in the order in which they were started, or a page of them.

        A page is the last ``limit`` of them, of those started before the agent ``before``.
        """
        execution_id = self._ambient.execution_id(execution_id)
        return self._table.page("execution_id = ?", execution_id, limit, before)

    def list_for_phase(
        self, phase_id: str, *, limit: int | None = None, before: str | None = None
    ) -> Sequence[Agent]:
        """The agents of a phase, or a page of them: as `list`."""
        return self._table.page("phase_id = ?", phase_id, limit, before)
