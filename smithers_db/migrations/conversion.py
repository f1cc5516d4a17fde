"""Files of the original: backed up, converted in place in one transaction, and nothing lost.

Each table is renamed, made anew by this version's schema, filled from the old one and dropped.
Files of every age are read by what they hold: a table or column that is missing gets its default.
What has no place in the new schema, and what no row can hold (text that is no UTF-8, a BLOB for a
text), goes to ``conversion_notes``, value by value. A row that refers to one which is gone keeps
its place: the missing row is put there, marked as such, and noted.

Text is carried over byte for byte, but for timestamps, which become ISO-8601 with milliseconds
and ``Z``; ``ralphCount`` and ``ralph_count`` become ``iteration``; the one global state goes to
the latest execution. Counters are carried over too, but for those that the original never kept:
where it has 0, the rows are counted.
"""

from __future__ import annotations

from collections.abc import Collection

from reactive_sqlite import ReactiveDatabase
from smithers_db import rollups
from smithers_db.clock import now
from smithers_db.errors import MigrationError
from smithers_db.migrations.mending import Notes, mend
from smithers_db.migrations.original import (
    INTEGER_KEYS,
    RENAMED,
    Column,
    columns_of,
    key_of,
    literal,
    place_in,
    tables,
)
from smithers_db.progress import Progress
from smithers_db.rows import KEYS, ROW_TYPES
from smithers_db.unreadable import quoted

_TIMES = {"broken_since", "last_check"}
#: Who refers to whom, innermost first: a missing agent needs its execution in turn.
_REFERENCES = (
    ("supersmithers_active_overrides", "active_version_id", "supersmithers_versions"),
    ("tool_calls", "agent_id", "agents"),
    ("agent_stream_events", "agent_id", "agents"),
    ("transitions", "trigger_agent_id", "agents"),
    ("artifacts", "agent_id", "agents"),
    ("reports", "agent_id", "agents"),
    ("commits", "agent_id", "agents"),
    ("reviews", "agent_id", "agents"),
    ("agents", "phase_id", "phases"),
    ("steps", "phase_id", "phases"),
    *(
        (name, "execution_id", "executions")
        for name, row_type in ROW_TYPES.items()
        if "execution_id" in row_type.__struct_fields__ and name != "ticket_reports"
    ),
)
#: Dropped last, in this order: the others refer to them.
_PARENTS = ("agents", "phases", "supersmithers_versions", "executions")
#: Columns whose values are of this version's making, whatever a file has under their names.
_OURS = {"state": {"execution_id"}, "transitions": {"seq"}, "memories": {"seq"}}
_LOST = "lost"  # the execution of what does not say whose it was
_MISSING = "this row was missing; it stands in for what refers to it"


def _normal_time(column: str) -> str:
    name = f'"{column}"'
    day = f"substr({name}, 1, 10)"  # SQLite takes '12:00' and '2026', too, for moments
    return (
        f"CASE WHEN typeof({name}) <> 'text' OR {name} GLOB '????-??-??T??:??:??.???Z' "
        f"OR julianday({name}) IS NULL OR date({day}) IS NOT {day} THEN {name} "
        f"ELSE strftime('%Y-%m-%dT%H:%M:%fZ', {name}) END"
    )


class Conversion:
    """One conversion, inside one transaction: `set_aside`, this version's tables, `carry_over`."""

    def __init__(self, db: ReactiveDatabase) -> None:
        self._db = db
        self._moment = now()
        present = tables(db)
        self._old = [table for table in ROW_TYPES if table in present]
        self._taken_down: list[tuple[str, str, str]] = []
        self._copied: set[str] = set()
        self._notes = Notes(db, self._moment)

    def set_aside(self, names: Collection[str]) -> None:
        """Renames the original's tables, and takes down the views and triggers upon them.

        ``names`` are those of the new schema: an index of the original that has one goes too.
        """
        self._db.execute("PRAGMA defer_foreign_keys = ON")
        for kind, name, sql in self._db.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('view', 'trigger')"
        ).rows:
            # IF EXISTS, as a view's triggers go with it.
            self._db.execute(f"DROP {kind} IF EXISTS {quoted(name)}")
            self._taken_down.append((kind, name, sql))
        for (index,) in self._db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        ).rows:
            if index.lower() in names:
                self._db.execute(f"DROP INDEX {quoted(index)}")
        for table in self._old:
            self._db.execute(f'ALTER TABLE "{table}" RENAME TO "original_{table}"')

    def carry_over(self, progress: Progress) -> None:
        """Fills the new tables, puts in what is missing, and drops the old ones."""
        total = 2 * len(self._old) + 1
        for kind, name, sql in self._taken_down:
            why = f"this {kind} was taken down"
            self._notes.add("sqlite_schema", literal(name), "", value=literal(sql), why=why)
        for done, table in enumerate(self._old):
            progress(done, total, table)
            if mend(self._db, table, self._notes):
                self._copied.add(table)
            if table == "state":
                self._carry_state()
            else:
                self._carry(table)
            self._note_unknown_columns(table)
        progress(len(self._old), total, "references and counters")
        self._fill_gaps()
        for drift in rollups.verify(self._db):
            if not drift.stored:  # a counter that the original never kept
                rollups.mend(self._db, drift)
        parents = [table for table in _PARENTS if table in self._old]
        dropped = [table for table in self._old if table not in parents] + parents
        for done, table in enumerate(dropped, len(self._old) + 1):
            progress(done, total, f"old {table}")
            self._db.execute(f'DROP TABLE "original_{table}"')
            if table in self._copied:
                self._db.execute(f'DROP TABLE "constrained_{table}"')

    def check(self) -> None:
        """Raises `MigrationError` if a reference still leads nowhere."""
        everything = self._db.execute("PRAGMA foreign_key_check").rows
        broken = [row for row in everything if row[0] in ROW_TYPES]
        if broken:
            raise MigrationError(
                f"{len(broken)} references lead nowhere, the first in {broken[0][0]}"
            )

    def _carry(self, table: str) -> None:
        columns = columns_of(self._db, f"original_{table}")
        old = {column.name for column in columns}
        filled: dict[str, str] = {}
        for column in columns_of(self._db, table):
            expression = self._expression(table, column, old)
            if expression is not None:
                filled[column.name] = expression
        place = place_in(old)
        (count,) = self._db.execute(f"SELECT count(*) FROM original_{table}").rows[0]
        carried = self._db.execute(
            f"INSERT OR IGNORE INTO {table} ({', '.join(filled)}) "
            f"SELECT {', '.join(filled.values())} FROM original_{table} ORDER BY {place}"
        )
        self._note_lost_keys(table, old)
        if carried.changes == count:
            return
        whole = ", ".join(
            f"{literal(column.name)}, CASE typeof({quoted(column.name)}) WHEN 'blob' "
            f"THEN hex({quoted(column.name)}) ELSE {quoted(column.name)} END"
            for column in columns
        )
        key = key_of(table, old)
        self._notes.add(
            table,
            key,
            f"FROM original_{table} "
            f'WHERE {key} NOT IN (SELECT "{KEYS[table][-1]}" FROM {table}) '
            f"OR {place} NOT IN (SELECT min({place}) FROM original_{table} GROUP BY {key})",
            value=f"json_object({whole})",
            why="this row could not be kept beside another one",
        )

    def _note_lost_keys(self, table: str, old: set[str]) -> None:
        if table in INTEGER_KEYS and "id" in old:
            self._notes.add(
                table,
                key_of(table, old),
                f"FROM original_{table} WHERE typeof(id) NOT IN ('integer', 'null')",
                column="id",
                value="id",
                why="this id is no integer; the row has another one",
            )

    def _expression(self, table: str, column: Column, old: set[str]) -> str | None:
        """What fills a new column from the old table; None where its default is right."""
        name = column.name
        if name in _OURS.get(table, ()):
            return None
        source = name if name in old else RENAMED.get((table, name), name)
        default = column.default or ("''" if column.type == "TEXT" else "0")
        is_key = name == KEYS[table][-1]
        if source not in old:
            if name == "output_encoding":
                return "'utf-8'"
            if not column.required or column.default:
                return None
            if is_key:
                return key_of(table, old)
            return self._fallback(old) if name.endswith("_at") else default
        is_time = name.endswith("_at") or name in _TIMES
        value = _normal_time(source) if is_time else f'"{source}"'
        if is_key and column.is_rowid:
            return key_of(table, old)
        if (table, name) == ("transitions", "key"):
            return f"CASE {value} WHEN 'ralphCount' THEN 'iteration' ELSE {value} END"
        if not column.required:
            return value
        if is_key:
            return key_of(table, old)
        if is_time:
            return f"coalesce({value}, {self._fallback(old)})"
        return f"coalesce({value}, {default})"

    def _fallback(self, old: set[str]) -> str:
        known = [_normal_time(name) for name in ("created_at", "started_at") if name in old]
        return f"coalesce({', '.join([*known, 'NULL'])}, '{self._moment}')"

    def _carry_state(self) -> None:
        latest = self._db.execute(
            "SELECT id FROM executions ORDER BY created_at DESC, rowid DESC LIMIT 1"
        ).rows
        if not latest:
            self._notes.add(
                "state", "key", "FROM original_state", value="value", why="there was no execution"
            )
            return
        old = {column.name for column in columns_of(self._db, "original_state")}
        key, place = key_of("state", old), place_in(old)
        self._notes.add(
            "state",
            key,
            "FROM original_state "
            f"WHERE {place} NOT IN (SELECT max({place}) FROM original_state GROUP BY {key})",
            value="value",
            why="this key has a later value",
        )
        keys = {row[0] for row in self._db.execute("SELECT key FROM original_state").rows}
        if {"ralphCount", "iteration"} <= keys:
            self._notes.add(
                "state",
                "key",
                "FROM original_state WHERE key = 'iteration'",
                value="value",
                why="ralphCount is the iteration now",
            )
        time = "NULL" if "updated_at" not in old else _normal_time("updated_at")
        self._db.execute(
            "INSERT OR REPLACE INTO state (execution_id, key, value, updated_at) "
            f"SELECT ?, CASE {key} WHEN 'ralphCount' THEN 'iteration' ELSE {key} END, "
            f"coalesce(value, 'null'), coalesce({time}, ?) FROM original_state "
            f"ORDER BY {key} = 'ralphCount', {place}",
            (latest[0][0], self._moment),
        )

    def _note_unknown_columns(self, table: str) -> None:
        columns = columns_of(self._db, f"original_{table}")
        names = {column.name for column in columns}
        key = key_of(table, names)
        known = {*ROW_TYPES[table].__struct_fields__} - _OURS.get(table, set())
        known |= {
            source for (name, new), source in RENAMED.items() if name == table and new not in names
        }
        for column in columns:
            if column.name not in known:
                self._notes.add(
                    table,
                    key,
                    f"FROM original_{table} WHERE {quoted(column.name)} IS NOT NULL",
                    column=column.name,
                    value=quoted(column.name),
                    why="this column has no place in the schema",
                )

    def _fill_gaps(self) -> None:
        for child, column, parent in _REFERENCES:
            key = KEYS[parent][-1]
            gaps = (
                f"FROM {child} c WHERE c.{column} IS NOT NULL "
                f"AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.{key} = c.{column}) "
                f"GROUP BY c.{column}"
            )
            self._notes.add(parent, f"c.{column}", gaps, why=_MISSING)
            ours = "execution_id" in ROW_TYPES[child].__struct_fields__
            run = f"coalesce(max(c.execution_id), '{_LOST}')" if ours else f"'{_LOST}'"
            columns, values = {
                "executions": ("id, file_path", f"c.{column}, ''"),
                "phases": ("id, execution_id, name", f"c.{column}, {run}, '(missing)'"),
                "agents": ("id, execution_id, prompt", f"c.{column}, {run}, '(missing)'"),
                "supersmithers_versions": (
                    "version_id, module_hash, code_tsx, code_sha256, overlay_rel_path, trigger",
                    f"c.{column}, max(c.module_hash), '', '', '', '(missing)'",
                ),
            }[parent]
            if parent != "supersmithers_versions":
                columns += ", status, error, completed_at"
                values += f", 'failed', '{_MISSING}', '{self._moment}'"
            self._db.execute(
                f"INSERT INTO {parent} ({columns}, created_at) "
                f"SELECT {values}, '{self._moment}' {gaps}"
            )
