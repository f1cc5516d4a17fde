"""Tool calls, and where their outputs are kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import optional_text, text
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.errors import NotFound
from smithers_db.lifecycle import DURATION, OPEN, Lifecycle
from smithers_db.outputs import INLINE_BELOW, Outputs, encoded, git_blob_hash
from smithers_db.rows import ToolCall
from smithers_db.table import Table
from smithers_db.values import encode

_START = (
    "INSERT INTO tool_calls "
    "(id, agent_id, execution_id, tool_name, input, status, started_at, created_at) "
    "SELECT ?, a.id, a.execution_id, ?, ?, 'running', ?, ? FROM agents a WHERE a.id = ?"
)
_COMPLETE = (
    f"UPDATE tool_calls SET status = 'completed', completed_at = ?, duration_ms = {DURATION}, "
    "output_inline = ?, output_path = ?, output_encoding = ?, output_git_hash = ?, "
    f"output_summary = ?, output_size_bytes = ? WHERE id = ? AND {OPEN}"
)
_SUMMARY_LENGTH = 200


class Tools:
    r"""The tool calls of agents (``db.tools``).

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run, agent = db.execution.start("nightly", "workflow.py"), db.agents.start("fix the tests")
    >>> call = db.tools.start("Bash", {"command": "make test"})
    >>> db.tools.complete(call, "ok\n" * 1000)
    >>> len(db.tools.get_output(call)), db.tools.get(call).output_size_bytes
    (3000, 3000)
    >>> db.tools.fail(db.tools.start("Read", {"path": "gone"}), "no such file")
    >>> with db.tools.running("Bash", {"command": "ls"}) as call:
    ...     db.tools.complete(call, b"a\x00b")
    >>> [(call.tool_name, call.status) for call in db.tools.list(agent)]
    [('Bash', 'completed'), ('Read', 'failed'), ('Bash', 'completed')]
    >>> [call.id for call in db.tools.list_for_execution(run, limit=1)] == [call]
    True
    >>> db.close()  # and the temporary files of a database in memory are gone
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient, outputs: Outputs) -> None:
        self._db = db
        self._ambient = ambient
        self._outputs = outputs
        self._table = Table(db, "tool_calls", ToolCall)
        self._life = Lifecycle(self._table, ambient)
        self._fail = self._life.ending("failed", "error")

    def start(self, tool_name: str, input: Any, agent_id: str | None = None) -> str:
        """Starts a tool call of an agent (the current one, if none is given); returns its id.

        Raises:
            NoActiveExecution: no agent is given or current. NotFound: there is no such agent.
            InvalidValue: the input cannot be kept as JSON.
        """
        agent_id = self._ambient.needed_agent_id(agent_id)
        call_id = new_id()
        moment = now()
        started = self._db.execute(
            _START, (call_id, text("tool_name", tool_name), encode(input), moment, moment, agent_id)
        )
        if not started.changes:
            raise NotFound(f"no agent has the id {agent_id!r}")
        return call_id

    def complete(
        self, id: str, output: str | bytes | None = None, summary: str | None = None
    ) -> None:
        """Ends a tool call with its output: text, bytes, or none.

        An output of 1 KiB and more, or with a NUL in it, at which SQLite's functions would cut it,
        becomes a file, there and synced before the row says so. If no summary is given, its first
        200 bytes are it, as text.

        Raises:
            NotFound: there is no such call. InvalidTransition: it has ended.
            InvalidValue: the output is neither text nor bytes. OSError: the file cannot be written.
        """
        text("id", id)
        optional_text("summary", summary)
        if output is None:
            self._update(id, None, None, None, None, summary, None)
            return
        data, encoding = encoded(output)
        if len(data) < INLINE_BELOW and b"\0" not in data:
            inline = data if encoding is None else output
            self._update(id, inline, None, encoding, git_blob_hash(data), summary, len(data))
            return
        if summary is None:
            cut = "replace" if encoding is None else "ignore"  # of text, the half of a letter
            summary = data[:_SUMMARY_LENGTH].decode("utf-8", cut).replace("\0", "\\0")
        if not self._life.is_open(id):  # spare a call that has ended the writing of a file
            self._life.refuse(id, "completed")
        staged = self._outputs.stage(data)
        placed: Path | None = None
        try:
            path = self._outputs.path_of(id)
            # The row changes first, unseen: whoever loses a race for it never touches the file.
            with self._db.transaction():
                self._update(id, None, str(path), encoding, git_blob_hash(data), summary, len(data))
                self._outputs.place(staged, id)
                placed = path
        except BaseException:
            if placed is None:
                staged.unlink(missing_ok=True)
            elif not self._names(id, placed):
                placed.unlink(missing_ok=True)
            raise

    def _names(self, id: str, path: Path) -> bool:
        """Whether a row says that its output is this file; also where that cannot be asked.

        An interrupt can come after the commit, while subscribers are told: the file is then the
        row's. One that is left behind without need is found by the doctor.
        """
        try:
            call = self._table.get(id)
        except Exception:  # noqa: BLE001  the error that brought us here is the one to be seen
            return True
        return call is not None and call.output_path == str(path)

    def _update(self, id: str, *values: Any) -> None:
        moment = now()
        if not self._db.execute(_COMPLETE, (moment, moment, *values, id)).changes:
            self._life.refuse(id, "completed")

    def fail(self, id: str, error: str) -> None:
        """Ends a tool call with an error. Raises `NotFound` and `InvalidTransition`."""
        self._fail(id, error)

    def running(
        self, tool_name: str, input: Any, agent_id: str | None = None
    ) -> AbstractContextManager[str]:
        """``with db.tools.running("Bash", {…}) as id:``; call ``complete(id, output)`` inside."""
        return self._life.running(
            lambda: self.start(tool_name, input, agent_id), self.complete, self.fail
        )

    def get(self, id: str) -> ToolCall | None:
        """The tool call with this id, or None."""
        return self._table.get(id)

    def get_output(self, id: str) -> str | bytes | None:
        """The output of a tool call, as it was given; None when there was none.

        Raises:
            NotFound: there is no such call. OutputError: the file is missing or was altered, or
            the output was never kept (files of the original).
        """
        return self._outputs.of(self._table.one(id))

    def list(
        self, agent_id: str | None = None, *, limit: int | None = None, before: str | None = None
    ) -> Sequence[ToolCall]:
        """The tool calls of an agent, in the order in which they were started, or a page of them.

        A page is the last ``limit`` of them, of those started before the call ``before``.
        """
        agent_id = self._ambient.needed_agent_id(agent_id)
        return self._table.page("agent_id = ?", agent_id, limit, before)

    def list_for_execution(
        self,
        execution_id: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> Sequence[ToolCall]:
        """The tool calls of a run, or a page of them: as `list`."""
        execution_id = self._ambient.execution_id(execution_id)
        return self._table.page("execution_id = ?", execution_id, limit, before)
