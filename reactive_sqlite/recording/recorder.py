"""What a transaction has changed so far, savepoint-exact, and its net effect at the end.

The preupdate hook calls `ChangeRecorder.on_row` for each row that SQLite inserts, updates or
deletes, also through triggers, foreign-key actions and REPLACE. Those are events, not net
changes: `net` folds them, per row, into the first old and the last new image and drops what
is equal (https://sqlite.org/c3ref/preupdate_blobwrite.html).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from reactive_sqlite.driver.errors import DatabaseError
from reactive_sqlite.recording.bulk import ROWS_AT_LEAST, further_rows
from reactive_sqlite.recording.net import UNHEEDED, Event, PreUpdate, TableRoute, is_missed, net_of
from reactive_sqlite.understanding.catalog import Catalog
from reactive_sqlite.understanding.routing import RegionIndex
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.comparison import fold

logger = logging.getLogger("reactive_sqlite")

#: A transaction that changes more rows than this is recorded by table from there on.
ROWS_PER_TRANSACTION = 10_000

#: Why `record_all`, other than for somebody here: the journal.
FOR_OTHERS = "journal"
#: The keys under which a change of the schema is recorded, and one of unknown extent.
SCHEMA, EVERYTHING = "*schema*", "*everything*"


class ChangeRecorder:
    """The changes of the open transaction, with a mark for each savepoint.

    Only the connection that owns it calls it, under the lock of that connection. ``route_of``
    says how a table is recorded; the index of live queries whether anybody reads it (of a
    table that nobody reads only the name is kept); ``detach`` takes the hook away in the middle
    of a bulk statement; ``catalog`` tells what that can have changed.
    """

    def __init__(
        self,
        route_of: Callable[[str, str], TableRoute],
        index: RegionIndex[Any],
        detach: Callable[[], None],
        catalog: Callable[[], Catalog],
    ) -> None:
        self._route_of = route_of
        self._catalog = catalog
        self._index = index
        self._watched = index.by_table
        self._watching_all = index.everything
        self._additions: int | None = None
        self._detach = detach
        self._routes: dict[tuple[str, str], TableRoute] = {}
        self.events: list[Event] = []
        """what was written since the last commit"""
        self._whole: set[str] = set()
        self._columns: dict[str, frozenset[int]] = {}
        """of tables in ``_whole``: what may differ in them is in these columns only"""
        self._savepoints: list[tuple[str, int]] = []
        self._rows = 0
        self._rows_left = ROWS_AT_LEAST
        self._statement: Statement | None = None
        """the statement under way, until more rows of it are granted"""
        self._for_good = False
        self.detached = False
        self.records_all = False
        """the rows of unwatched tables are kept too: `record_all` says why"""
        self._reasons: set[str] = set()
        self._listened = False
        """somebody here wants to hear of the rows of unwatched tables"""

    def on_row(self, row: PreUpdate) -> None:
        """The preupdate hook. It never raises: what it cannot tell, it tells by table."""
        try:
            self._rows_left -= 1
            if self._rows_left < 0 and not self.detached:
                self._rows_left = self._grant()
                if self._rows_left <= 0:
                    self.detached = True
                    self._detach()
            names = (row.database_name, row.table_name)
            route = self._routes.get(names)
            if route is None:
                route = self._routes[names] = self._route_of(*names)
            key = route.key
            if key in self._whole:
                if self._columns:
                    self._columns.pop(key, None)
                return
            if not (self.records_all or self._watching_all):
                additions = self._index.additions  # first: what is added later will show
                watched = self._watched.get(key)
                if not watched:
                    self._whole.add(key)
                    self.events.append(key)
                    return
                drawers = watched.by_value
                if drawers is not None and route.exact and is_missed(route, row, drawers):
                    # Should a live query be opened before the commit, `net` will see that the
                    # index has grown, and say that the table was touched.
                    if self._additions is None:
                        self._additions = additions
                    if route.unheeded not in self._whole:
                        self._whole.add(route.unheeded)
                        self.events.append(route.unheeded)
                    return
            if not route.exact or self._rows >= ROWS_PER_TRANSACTION:
                self.touch(key)
                return
            new = row.new
            if new is None and row.blob_write >= 0:
                self.touch(key)
            else:
                self.events.append((route, row.rowid, row.rowid_new, row.old, new))
                self._rows += 1
        except Exception as error:
            # An exception here would surface in the writer's statement, which did nothing wrong.
            # Others may have removed columns since that was analysed, or added VIRTUAL ones; and
            # there may be text that is no UTF-8.
            known = isinstance(error, IndexError | DatabaseError | UnicodeDecodeError)
            level = logging.DEBUG if known else logging.ERROR
            message = "a row change could not be recorded; everything is taken as changed"
            logger.log(level, message, exc_info=error)
            self.everything_changed()

    def record_all(self, why: str, wanted: bool) -> None:
        """Keep the rows of unwatched tables too, for as long as there is a reason to."""
        (self._reasons.add if wanted else self._reasons.discard)(why)
        self.records_all = bool(self._reasons)
        self._listened = not self._reasons <= {FOR_OTHERS}

    def _grown(self) -> bool:
        """Whether what nobody heeded when it was written may concern somebody now."""
        return self.records_all or (
            self._additions is not None and self._additions != self._index.additions
        )

    def begin_statement(self, statement: Statement) -> int:
        """Start a statement; the result is the mark for `undo_to` and `keep_tables_from`."""
        self._statement = statement
        if statement.changes_rows:
            self._rows_left = ROWS_AT_LEAST
        else:
            self.begin_other()
        return len(self.events)

    def begin_other(self) -> None:
        """What is no INSERT, UPDATE or DELETE: the hook stays on, however many rows change.

        Such as COMMIT, in which virtual tables flush what they have pending: no text says which.
        """
        self._rows_left = sys.maxsize

    def _grant(self) -> int:
        """How many more rows of the statement to look at; asked once."""
        statement, self._statement = self._statement, None
        if statement is None:
            return 0
        return further_rows(statement, self._catalog(), self._index, wanted=self.records_all)

    def touch(self, key: str) -> None:
        """Record that the table was written, without saying which rows."""
        if key not in self._whole:
            self._whole.add(key)
            self.events.append(key)
        elif self._columns:
            self._columns.pop(key, None)

    def touch_since(self, mark: int, key: str, columns: frozenset[int] | None) -> None:
        """`touch` for a statement that began at ``mark`` and has changed only these columns.

        If the table was written before, what that did is not known of these columns alone.
        """
        known = key not in self._whole and not any(
            key == (event if isinstance(event, str) else event[0].key)
            for event in self.events[:mark]
        )
        self.touch(key)
        if known and columns is not None:
            self._columns[key] = columns

    def touch_all(self, keys: Iterable[str]) -> None:
        """`touch` for each of the keys."""
        for key in keys:
            self.touch(key)

    def schema_changed(self) -> None:
        """Record DDL."""
        self._routes.clear()
        self.touch(SCHEMA)

    def everything_changed(self, *, for_good: bool = False) -> None:
        """Record a change of which nothing is known, such as VACUUM's new rowids.

        ``for_good`` is one of the connection and not of the database: a rollback does not undo it.
        """
        self._for_good = self._for_good or for_good
        self._routes.clear()
        self.touch(EVERYTHING)

    def forget_routes(self) -> None:
        """The schema is another one than before; ask for the routes again."""
        self._routes.clear()

    def undo_to(self, mark: int) -> None:
        """The statement that began at ``mark`` raised and SQLite undid all of it."""
        del self.events[mark:]
        self._whole = {event for event in self.events if isinstance(event, str)}
        self._columns = {key: which for key, which in self._columns.items() if key in self._whole}
        self._rows = len(self.events) - len(self._whole)
        if self._for_good:
            self.touch(EVERYTHING)

    def keep_tables_from(self, mark: int) -> None:
        """The statement that began at ``mark`` raised, and some of its rows may be kept (OR FAIL).

        Its tables stay, as tables.
        """
        phantoms = {event[0].key for event in self.events[mark:] if not isinstance(event, str)}
        self.events[mark:] = [e for e in self.events[mark:] if isinstance(e, str)]
        self._rows = len(self.events) - len(self._whole)
        self.touch_all(sorted(phantoms))

    def savepoint(self, name: str) -> None:
        """SAVEPOINT name."""
        # SQLite compares their names as it does all names (sqlite3_stricmp).
        self._savepoints.append((fold(name), len(self.events)))

    def is_outermost(self, name: str) -> bool:
        """Whether releasing this savepoint takes all of them."""
        names, wanted = [known for known, _ in self._savepoints], fold(name)
        return names[:1] == [wanted] and names.count(wanted) == 1

    def release(self, name: str) -> None:
        """RELEASE name: the most recent savepoint of that name and all inside it are gone."""
        del self._savepoints[self._find(name) :]

    def rollback_to(self, name: str) -> bool:
        """ROLLBACK TO name, which itself remains; whether that undid a change of the schema."""
        at = self._find(name)
        del self._savepoints[at + 1 :]
        mark = self._savepoints[at][1]
        undone = self.events[mark:]
        self.undo_to(mark)
        return SCHEMA in undone or EVERYTHING in undone

    def _find(self, name: str) -> int:
        folded = fold(name)
        for at in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[at][0] == folded:
                return at
        raise LookupError(f"SQLite knows a savepoint {name!r} that the recorder does not")

    def rollback(self) -> None:
        """Forget the transaction."""
        remains = self._for_good
        self.clear()
        if remains:
            self.everything_changed()

    @property
    def unseen(self) -> bool:
        """Whether there are changes, and all of them in tables that nobody here reads.

        Then no `ChangeSet` is worth making; `clear` will do.
        """
        events, watched = self.events, self._watched
        if not events or self._listened or self._watching_all:
            return False
        if self._rows and not self.records_all:
            return False
        if self._additions is not None and self._grown():
            return False
        last: str | None = None
        for event in events:  # all() would cost more, and this is asked at every commit
            key = event if isinstance(event, str) else event[0].key
            if key is not last:
                if key in watched or key[0] == "*":
                    return False
                last = key
        return True

    def net(self, seq: int) -> ChangeSet | None:
        """The net effect of the transaction until now; None when there was none."""
        whole, columns = self._whole, self._columns
        if not whole:
            rows = net_of(self.events)
            return ChangeSet(seq, rows) if rows else None
        if self._additions is not None:
            unheeded = {key for key in whole if key[0] == UNHEEDED}
            whole = whole - unheeded
            if self._grown():
                whole |= {key[1:] for key in unheeded}
                columns = {}
        if EVERYTHING in whole:
            return ChangeSet.whole(seq)
        rows = net_of(self.events)
        for key in whole:
            rows.pop(key, None)
        return ChangeSet(
            seq, rows, frozenset(whole - {SCHEMA}), schema=SCHEMA in whole, columns=columns
        )

    def clear(self) -> None:
        """Start anew."""
        self.events = []
        self._whole = set()
        if self._columns:
            self._columns = {}
        self._rows = 0
        self._additions = None
        self._for_good = False
        if self._savepoints:
            self._savepoints = []
