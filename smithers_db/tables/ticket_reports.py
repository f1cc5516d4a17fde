"""Ticket reports: what each step of a run says of a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import optional_text, text
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.errors import InvalidTransition
from smithers_db.rows import TicketReport
from smithers_db.table import Table


class TicketReports:
    """Reports on tickets (``db.ticket_reports``).

    They outlive the runs that wrote them, until they are triaged and their ticket is done.

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> report = db.ticket_reports.add(
    ...     ticket_id="T1", step_name="test", run_id="r1", report_type="ci", title="t", content="c"
    ... )
    >>> [report.title for report in db.ticket_reports.get_untriaged()]
    ['t']
    >>> db.ticket_reports.mark_triaged(report, "internal_ticket", "T2")
    >>> db.ticket_reports.get(report).triage_result_id
    'T2'
    >>> reports = db.ticket_reports
    >>> reports.get_by_run_id("r1") == reports.get_by_ticket_id("T1") == reports.list_by_type("ci")
    True
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "ticket_reports", TicketReport, parents=False)

    def add(
        self,
        *,
        ticket_id: str,
        step_name: str,
        run_id: str,
        report_type: str,
        title: str,
        content: str,
        data: Any = None,
        execution_id: str | None = None,
    ) -> str:
        """Records a report; returns its id. Raises `NoActiveExecution`."""
        report_id = new_id()
        self._table.insert(
            id=report_id,
            execution_id=self._ambient.execution_id(execution_id),
            ticket_id=ticket_id,
            step_name=step_name,
            run_id=run_id,
            report_type=report_type,
            title=title,
            content=content,
            data=data,
            created_at=now(),
        )
        return report_id

    def get(self, id: str) -> TicketReport | None:
        """The report with this id, or None."""
        return self._table.get(id)

    def get_by_run_id(self, run_id: str) -> Sequence[TicketReport]:
        """The reports of one run of a ticket, in order."""
        return self._table.all("WHERE run_id = ? ORDER BY rowid", (run_id,))

    def get_by_ticket_id(self, ticket_id: str) -> Sequence[TicketReport]:
        """The reports on a ticket, in order."""
        return self._table.all("WHERE ticket_id = ? ORDER BY rowid", (ticket_id,))

    def get_untriaged(self) -> Sequence[TicketReport]:
        """The reports that nobody has looked at yet, oldest first."""
        return self._table.all("WHERE triaged = 0 ORDER BY rowid")

    def list_by_type(self, report_type: str) -> Sequence[TicketReport]:
        """The reports of one type, in order."""
        return self._table.all("WHERE report_type = ? ORDER BY rowid", (report_type,))

    def mark_triaged(self, id: str, action: str, result_id: str | None = None) -> None:
        """Records what was made of a report: ``none``, ``internal_ticket``, ``github_issue``, ….

        Raises:
            NotFound: there is no such report. InvalidTransition: it is triaged already.
        """
        marked = self._db.execute(
            "UPDATE ticket_reports SET triaged = 1, triage_action = ?, triage_result_id = ? "
            "WHERE id = ? AND triaged = 0",
            (text("action", action), optional_text("result_id", result_id), text("id", id)),
        )
        if not marked.changes:
            found = self._table.one(id)
            raise InvalidTransition(f"report {id!r} is triaged already: {found.triage_action}")
