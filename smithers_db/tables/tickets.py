"""Tickets: the project's catalogue of work, and how far each has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import identifier, listed, optional_text, text
from smithers_db.clock import new_id, now
from smithers_db.errors import InvalidTransition, InvalidValue
from smithers_db.rows import Ticket
from smithers_db.table import Table

STATUSES = frozenset({"todo", "in_progress", "blocked", "done"})

_LISTS = ("deps", "acceptance", "relevant_files", "tags", "progress_notes")
# Seeding again brings the catalogue up to date and leaves the progress alone.
_CATALOGUE = (
    "priority",
    "title",
    "description",
    "deps",
    "acceptance",
    "smallest_step_hint",
    "relevant_files",
    "requires_e2e",
    "budgets",
    "tags",
)
# What a new ticket has no default for.
_REQUIRED = ("priority", "title", "description", "acceptance")
# A file of the original, or another program, may have left something else than a list of notes.
_NOTES = (
    "CASE WHEN progress_notes IS NULL THEN '[]' "
    "WHEN NOT json_valid(progress_notes) THEN json_array(progress_notes) "
    "WHEN json_type(progress_notes) <> 'array' THEN json_array(json(progress_notes)) "
    "ELSE progress_notes END"
)
# A dependency that is not in the catalogue is not done.
_READY = (
    "NOT EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(tickets.deps) THEN tickets.deps "
    "ELSE '[]' END) d LEFT JOIN tickets needed ON needed.id = d.value "
    "WHERE d.type <> 'null' AND needed.status IS NOT 'done')"
)


class Tickets:
    """The project's tickets (``db.tickets``); a lower priority number comes first.

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> plan = {"title": "Plan", "description": "Draw it up", "acceptance": ["it is drawn up"]}
    >>> db.tickets.seed([
    ...     {"id": "T1", "priority": 2, "tags": ["m0"], **plan},
    ...     {"id": "T2", "priority": 1, "deps": ["T1"], **plan},
    ... ])
    ['T1', 'T2']
    >>> db.tickets.select_next().id, db.tickets.are_deps_complete("T2")
    ('T1', False)
    >>> db.tickets.add_progress_note("T1", "half way")
    >>> db.tickets.set_last_run("T1", goal="finish it")
    >>> db.tickets.update_status("T1", "done")
    >>> db.tickets.get("T1").progress_notes, db.tickets.select_next().id
    (['half way'], 'T2')
    >>> _ = db.tickets.create_from_triage("a report's id", title="Mend it", id="T3")
    >>> [ticket.id for ticket in db.tickets.list(status="todo")]
    ['T2', 'T3']
    """

    def __init__(self, db: ReactiveDatabase) -> None:
        self._db = db
        self._table = Table(db, "tickets", Ticket)

    def seed(self, tickets: Iterable[Mapping[str, Any]]) -> list[str]:
        """Brings the catalogue up to date, in one transaction; returns the ids.

        Each ticket is a mapping of its columns. One that exists keeps its status and notes, and
        the columns that are left out.

        Raises:
            InvalidValue: a value does not fit its column, or a new ticket lacks one that it needs;
            then nothing is changed.
        """
        with self._db.transaction():
            return [self._put(ticket) for ticket in listed("tickets", tickets)]

    def _put(self, ticket: Mapping[str, Any]) -> str:
        if not isinstance(ticket, Mapping):
            raise InvalidValue(f"a ticket is a mapping, not a {type(ticket).__name__}")
        columns = dict(ticket)
        if "id" not in columns:
            raise InvalidValue(f"a ticket needs an id; this one has {', '.join(columns)}")
        ticket_id = identifier("id", columns["id"])
        if self._table.get(ticket_id) is None:
            self._insert("", columns)
        else:
            given = self._checked(columns)
            for name, value in given.items():
                self._table.adapted(name, value)
            changes = {name: given[name] for name in _CATALOGUE if name in given}
            self._table.update(ticket_id, **changes, updated_at=now())
        return str(ticket_id)

    def _checked(self, columns: dict[str, Any]) -> dict[str, Any]:
        """The columns that are given, its lists as lists."""
        if text("status", columns.get("status", "todo")) not in STATUSES:
            raise InvalidValue(_no_status(columns["status"]))
        checked = dict(columns)
        for name in _LISTS:
            if name in columns:
                checked[name] = listed(name, columns[name] or ())
        if "deps" in checked:  # anything else is no ticket's id, and would never be done
            checked["deps"] = [str.__str__(text("deps", needed)) for needed in checked["deps"]]
        return checked

    def _insert(self, ending: str, columns: dict[str, Any]) -> int:
        lacking = [name for name in _REQUIRED if name not in columns]
        if lacking:
            raise InvalidValue(f"the new ticket {columns['id']!r} lacks {', '.join(lacking)}")
        moment = now()
        full: dict[str, Any] = {
            "deps": [],
            "relevant_files": [],
            "tags": [],
            "progress_notes": [],
            "smallest_step_hint": "",
            "created_at": moment,
            "updated_at": moment,
            **self._checked(columns),
        }
        return self._table.insert(ending, **full).changes

    def get(self, id: str) -> Ticket | None:
        """The ticket with this id, or None."""
        return self._table.get(id)

    def list(
        self,
        filter: Mapping[str, Any] | None = None,
        *,
        status: str | None = None,
        tag: str | None = None,
        source: str | None = None,
    ) -> Sequence[Ticket]:
        """The tickets by priority: all, or those with this status, exact tag and source.

        ``filter`` is a mapping of the same three, for those who have one at hand.
        """
        if filter is not None:
            if not isinstance(filter, Mapping):
                raise InvalidValue(f"filter is a mapping, not a {type(filter).__name__}")
            if not filter.keys() <= {"status", "tag", "source"}:
                raise InvalidValue(
                    f"filter has status, tag and source, not {', '.join(map(str, filter))}"
                )
            return self.list(**filter)
        conditions = []
        params = []
        if status is not None:
            conditions.append("status = ?")
            params.append(status)
        if source is not None:
            conditions.append("source = ?")
            params.append(source)
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        found = self._table.all(f"{where}ORDER BY priority, rowid", params)
        if tag is None:
            return found
        # Another program may have left something else than a list.
        tagged = [ticket for ticket in found if isinstance(ticket.tags, list)]
        return [ticket for ticket in tagged if tag in ticket.tags]

    def select_next(self, exclude_id: str | None = None) -> Ticket | None:
        """The ticket to work on: one in progress, else one to do with all it depends on done."""
        for condition in ("status = 'in_progress'", f"status = 'todo' AND {_READY}"):
            found = self._table.first(
                f"WHERE {condition} AND id IS NOT ? ORDER BY priority, rowid LIMIT 1", (exclude_id,)
            )
            if found is not None:
                return found
        return None

    def are_deps_complete(self, id: str) -> bool:
        """Whether all that a ticket depends on is done. Raises `NotFound`."""
        rows = self._db.execute(
            f"SELECT {_READY} FROM tickets WHERE id = ?", (text("id", id),)
        ).rows
        return bool(rows[0][0]) if rows else self._table.missing(id)

    def update_status(self, id: str, status: str, blocked_reason: str | None = None) -> None:
        """Sets a ticket's status: todo, in_progress, blocked or done.

        Raises:
            NotFound: there is no such ticket. InvalidValue: an unknown status.
        """
        if text("status", status) not in STATUSES:
            raise InvalidValue(_no_status(status))
        self._table.update(id, status=status, blocked_reason=blocked_reason, updated_at=now())

    def add_progress_note(self, id: str, note: str) -> None:
        """Appends a note. Raises `NotFound`."""
        added = self._db.execute(
            f"UPDATE tickets SET progress_notes = json_insert({_NOTES}, '$[#]', ?), "
            "updated_at = ? WHERE id = ?",
            (text("note", note), now(), text("id", id)),
        )
        if not added.changes:
            self._table.missing(id)

    def set_last_run(
        self,
        id: str,
        *,
        report_path: str | None = None,
        review_dir: str | None = None,
        goal: str | None = None,
    ) -> None:
        """Records that it was worked on just now, and where to read of it. Raises `NotFound`."""
        moment = now()
        self._table.update(
            id,
            last_run_at=moment,
            last_report_path=optional_text("report_path", report_path),
            last_review_dir=optional_text("review_dir", review_dir),
            last_ticket_goal=optional_text("goal", goal),
            updated_at=moment,
        )

    def create_from_triage(
        self, source_report_id: str, *, title: str, id: str | None = None, **columns: Any
    ) -> str:
        """Makes a ticket of a report; returns its id.

        ``columns`` as for `seed`; priority 100, no description and no acceptance if left out.

        Raises:
            InvalidTransition: a ticket has the given id already.
        """
        ticket_id = new_id() if id is None else identifier("id", id)
        made = self._insert(
            "ON CONFLICT (id) DO NOTHING",
            {
                "id": ticket_id,
                "title": title,
                "priority": 100,
                "description": "",
                "acceptance": [],
                **columns,
                "source": "triage",
                "source_report_id": source_report_id,
            },
        )
        if not made:
            raise InvalidTransition(f"a ticket {ticket_id!r} exists already")
        return ticket_id


def _no_status(status: Any) -> str:
    return f"{status!r} is no status of a ticket; one of {', '.join(sorted(STATUSES))} is"
