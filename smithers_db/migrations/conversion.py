"""Files of the original: backed up, converted in place in one transaction, and nothing lost.

Each table is renamed, made anew by this version's schema, filled from the old one and dropped.
Files of every age are read by what they hold: a table or column that is missing gets its default.
What has no place in the new schema goes to ``conversion_notes``, value by value. A row that refers
to one which is gone keeps its place: the missing row is put there, marked as such, and noted.

Text is carried over byte for byte, but for timestamps, which become ISO-8601 with milliseconds
and ``Z``; ``ralphCount`` and ``ralph_count`` become ``iteration``; the one global state goes to
the latest execution. Counters are carried over too, but for those that the original never kept:
where it has 0, the rows are counted.
"""

from __future__ import annotations

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db import rollups
from smithers_db.clock import now
from smithers_db.errors import MigrationError
from smithers_db.progress import Progress
from smithers_db.rows import ROW_TYPES

#: What the earliest files have, by which a file is known to be the original's.
_MARKS = {"executions": {"id", "file_path", "status"}, "state": {"key", "value"}}
_RENAMED = {("render_frames", "iteration"): "ralph_count"}
_KEYS = {
    "state": "key",
    "supersmithers_modules": "module_hash",
    "supersmithers_versions": "version_id",
    "supersmithers_active_overrides": "module_hash",
}
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
#: How the names of tables begin that SQLite keeps, and that neighbours tell each other things in.
_NOT_CONTENT = ("sqlite_", "_reactive_")
_LOST = "lost"  # the execution of what does not say whose it was
_MISSING = "this row was missing; it stands in for what refers to it"


class Column(msgspec.Struct, frozen=True):
    """A column as the schema declares it."""

    name: str
    type: str
    required: bool
    default: str | None


def _columns(db: ReactiveDatabase, table: str) -> list[Column]:
    sql = 'SELECT name, type, "notnull", dflt_value FROM pragma_table_info(?)'
    rows = db.execute(sql, (table,)).rows
    return [Column(row[0].lower(), row[1], bool(row[2]), row[3]) for row in rows]


def tables(db: ReactiveDatabase) -> list[str]:
    """The tables of a file in lower case, SQLite's and the journal's left out."""
    names = db.execute("SELECT lower(name) FROM sqlite_schema WHERE type = 'table'").rows
    return [row[0] for row in names if not row[0].startswith(_NOT_CONTENT)]


def is_original(db: ReactiveDatabase) -> bool:
    """Whether a file without migrations was made by the original."""
    return all(
        marks <= {column.name for column in _columns(db, table)} for table, marks in _MARKS.items()
    )


def _key_of(table: str, columns: set[str]) -> str:
    """What a row of the original's table is known by: its key, or its place where it has none."""
    key, place = _KEYS.get(table, "id"), f"'{_LOST}-{table}-' || rowid"
    return f'coalesce("{key}", {place})' if key in columns else place


def _normal_time(column: str) -> str:
    name = f'"{column}"'
    return (
        f"CASE WHEN typeof({name}) <> 'text' OR {name} GLOB '????-??-??T??:??:??.???Z' "
        f"OR julianday({name}) IS NULL THEN {name} "
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

    def set_aside(self) -> None:
        """Renames the original's tables, and takes down the views and triggers upon them."""
        self._db.execute("PRAGMA defer_foreign_keys = ON")
        for kind, name, sql in self._db.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('view', 'trigger')"
        ).rows:
            self._db.execute(f'DROP {kind} "{name}"')
            self._taken_down.append((kind, name, sql))
        for table in self._old:
            self._db.execute(f'ALTER TABLE "{table}" RENAME TO "original_{table}"')

    def carry_over(self, progress: Progress) -> None:
        """Fills the new tables, puts in what is missing, and drops the old ones."""
        total = 2 * len(self._old) + 1
        for kind, name, sql in self._taken_down:
            self._db.execute(
                "INSERT INTO conversion_notes (table_name, row_key, value, reason, created_at) "
                "VALUES ('sqlite_schema', ?, ?, ?, ?)",
                (name, sql, f"this {kind} was taken down", self._moment),
            )
        for done, table in enumerate(self._old):
            progress(done, total, table)
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

    def check(self) -> None:
        """Raises `MigrationError` if a reference still leads nowhere."""
        broken = self._db.execute("PRAGMA foreign_key_check").rows
        if broken:
            raise MigrationError(
                f"{len(broken)} references lead nowhere, the first in {broken[0][0]}"
            )

    def _note(
        self, table: str, key: str, source: str, *, column: str = "", value: str = "NULL", why: str
    ) -> None:
        """Notes a value of each row of a source; ``key`` and ``value`` are expressions."""
        self._db.execute(
            "INSERT INTO conversion_notes "
            "(table_name, row_key, column_name, value, reason, created_at) "
            f"SELECT '{table}', {key}, ?, {value}, ?, ? {source}",
            (column or None, why, self._moment),
        )

    def _carry(self, table: str) -> None:
        old = _columns(self._db, f"original_{table}")
        filled: dict[str, str] = {}
        for column in _columns(self._db, table):
            expression = self._expression(table, column, {other.name for other in old})
            if expression is not None:
                filled[column.name] = expression
        (count,) = self._db.execute(f"SELECT count(*) FROM original_{table}").rows[0]
        carried = self._db.execute(
            f"INSERT OR IGNORE INTO {table} ({', '.join(filled)}) "
            f"SELECT {', '.join(filled.values())} FROM original_{table} ORDER BY rowid"
        )
        if carried.changes == count:
            return
        whole = ", ".join(
            f"'{column.name}', CASE typeof(\"{column.name}\") WHEN 'blob' "
            f'THEN hex("{column.name}") ELSE "{column.name}" END'
            for column in old
        )
        key = _key_of(table, {column.name for column in old})
        self._note(
            table,
            key,
            f"FROM original_{table} "
            f'WHERE {key} NOT IN (SELECT "{_KEYS.get(table, "id")}" FROM {table}) '
            f"OR rowid NOT IN (SELECT min(rowid) FROM original_{table} GROUP BY {key})",
            value=f"json_object({whole})",
            why="this row could not be kept beside another one",
        )

    def _expression(self, table: str, column: Column, old: set[str]) -> str | None:
        """What fills a new column from the old table; None where its default is right."""
        name = column.name
        source = name if name in old else _RENAMED.get((table, name), name)
        default = column.default or ("''" if column.type == "TEXT" else "0")
        is_key = name == _KEYS.get(table, "id")
        if source not in old:
            if name == "output_encoding":
                return "'utf-8'"
            if not column.required or column.default:
                return None
            if is_key:
                return _key_of(table, old)
            return self._fallback(old) if name.endswith("_at") else default
        is_time = name.endswith("_at") or name in _TIMES
        value = _normal_time(source) if is_time else f'"{source}"'
        if (table, name) == ("transitions", "key"):
            return f"CASE {value} WHEN 'ralphCount' THEN 'iteration' ELSE {value} END"
        if not column.required:
            return value
        if is_key:
            return _key_of(table, old)
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
            self._note(
                "state", "key", "FROM original_state", value="value", why="there was no execution"
            )
            return
        keys = {row[0] for row in self._db.execute("SELECT key FROM original_state").rows}
        if {"ralphCount", "iteration"} <= keys:
            self._note(
                "state",
                "key",
                "FROM original_state WHERE key = 'iteration'",
                value="value",
                why="ralphCount is the iteration now",
            )
        old = {column.name for column in _columns(self._db, "original_state")}
        time = "NULL" if "updated_at" not in old else _normal_time("updated_at")
        self._db.execute(
            "INSERT OR REPLACE INTO state (execution_id, key, value, updated_at) "
            "SELECT ?, CASE key WHEN 'ralphCount' THEN 'iteration' ELSE key END, value, "
            f"coalesce({time}, ?) FROM original_state ORDER BY key = 'ralphCount'",
            (latest[0][0], self._moment),
        )

    def _note_unknown_columns(self, table: str) -> None:
        columns = _columns(self._db, f"original_{table}")
        key = _key_of(table, {column.name for column in columns})
        known = {*ROW_TYPES[table].__struct_fields__}
        known |= {source for (name, _), source in _RENAMED.items() if name == table}
        for column in columns:
            if column.name not in known:
                self._note(
                    table,
                    key,
                    f'FROM original_{table} WHERE "{column.name}" IS NOT NULL',
                    column=column.name,
                    value=f'"{column.name}"',
                    why="this column has no place in the schema",
                )

    def _fill_gaps(self) -> None:
        for child, column, parent in _REFERENCES:
            key = _KEYS.get(parent, "id")
            gaps = (
                f"FROM {child} c WHERE c.{column} IS NOT NULL "
                f"AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.{key} = c.{column}) "
                f"GROUP BY c.{column}"
            )
            self._note(parent, f"c.{column}", gaps, why=_MISSING)
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
