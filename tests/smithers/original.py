"""Files as the original made them, of any age: tables and columns can be left out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import apsw

#: Table → columns with types, as of the original's last version; the first is the key.
TABLES: dict[str, str] = {
    "executions": (
        "id TEXT PRIMARY KEY, name TEXT, file_path TEXT NOT NULL, status TEXT NOT NULL "
        "DEFAULT 'pending', config TEXT DEFAULT '{}', result TEXT, error TEXT, end_summary "
        "TEXT, end_reason TEXT, exit_code INTEGER DEFAULT 0, started_at TEXT, completed_at "
        "TEXT, created_at TEXT DEFAULT (datetime('now')), total_iterations INTEGER DEFAULT 0, "
        "total_agents INTEGER DEFAULT 0, total_tool_calls INTEGER DEFAULT 0, "
        "total_tokens_used INTEGER DEFAULT 0"
    ),
    "phases": (
        "id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE "
        "CASCADE, name TEXT NOT NULL, iteration INTEGER NOT NULL DEFAULT 0, status TEXT NOT "
        "NULL DEFAULT 'pending', started_at TEXT, completed_at TEXT, created_at TEXT, "
        "duration_ms INTEGER, agents_count INTEGER DEFAULT 0"
    ),
    "agents": (
        "id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE "
        "CASCADE, phase_id TEXT REFERENCES phases(id) ON DELETE SET NULL, model TEXT NOT NULL "
        "DEFAULT 'sonnet', system_prompt TEXT, prompt TEXT NOT NULL, status TEXT NOT NULL "
        "DEFAULT 'pending', scope_rev TEXT, result TEXT, result_structured TEXT, log_path "
        "TEXT, stream_summary TEXT, error TEXT, started_at TEXT, completed_at TEXT, "
        "created_at TEXT, duration_ms INTEGER, tokens_input INTEGER, tokens_output INTEGER, "
        "tool_calls_count INTEGER DEFAULT 0"
    ),
    "agent_stream_events": (
        "id TEXT PRIMARY KEY, agent_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE, "
        "event_type TEXT NOT NULL, event_id TEXT, tool_name TEXT, content TEXT, timestamp "
        "INTEGER NOT NULL, created_at TEXT NOT NULL"
    ),
    "tool_calls": (
        "id TEXT PRIMARY KEY, agent_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE, "
        "execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE, tool_name "
        "TEXT NOT NULL, input TEXT NOT NULL, output_inline TEXT, output_path TEXT, "
        "output_git_hash TEXT, output_summary TEXT, output_size_bytes INTEGER, status TEXT "
        "NOT NULL DEFAULT 'pending', error TEXT, started_at TEXT, completed_at TEXT, "
        "created_at TEXT, duration_ms INTEGER"
    ),
    "state": "key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at TEXT DEFAULT (datetime('now'))",
    "transitions": (
        "id TEXT PRIMARY KEY, execution_id TEXT REFERENCES executions(id) ON DELETE CASCADE, "
        "key TEXT NOT NULL, old_value TEXT, new_value TEXT NOT NULL, trigger TEXT, "
        "trigger_agent_id TEXT REFERENCES agents(id), created_at TEXT"
    ),
    "memories": (
        "id TEXT PRIMARY KEY, category TEXT NOT NULL, scope TEXT DEFAULT 'global', key TEXT "
        "NOT NULL, content TEXT NOT NULL, confidence REAL DEFAULT 1.0, source TEXT, "
        "source_execution_id TEXT, created_at TEXT, updated_at TEXT, accessed_at TEXT, "
        "expires_at TEXT, UNIQUE(category, scope, key)"
    ),
    "build_state": (
        "id INTEGER PRIMARY KEY CHECK (id = 1), status TEXT NOT NULL DEFAULT 'passing', "
        "fixer_agent_id TEXT, broken_since TEXT, last_check TEXT"
    ),
    "artifacts": (
        "id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE "
        "CASCADE, agent_id TEXT REFERENCES agents(id) ON DELETE SET NULL, name TEXT NOT NULL, "
        "type TEXT NOT NULL, file_path TEXT NOT NULL, git_hash TEXT, git_commit TEXT, summary "
        "TEXT, line_count INTEGER, byte_size INTEGER, metadata TEXT DEFAULT '{}', created_at "
        "TEXT"
    ),
    "reports": (
        "id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE "
        "CASCADE, agent_id TEXT REFERENCES agents(id) ON DELETE SET NULL, type TEXT NOT NULL, "
        "title TEXT NOT NULL, content TEXT NOT NULL, data TEXT, severity TEXT DEFAULT 'info', "
        "created_at TEXT"
    ),
    "commits": (
        "id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE "
        "CASCADE, agent_id TEXT REFERENCES agents(id) ON DELETE SET NULL, vcs_type TEXT NOT "
        "NULL, commit_hash TEXT NOT NULL, change_id TEXT, message TEXT NOT NULL, author TEXT, "
        "files_changed TEXT, insertions INTEGER, deletions INTEGER, smithers_metadata TEXT, "
        "created_at TEXT, UNIQUE(vcs_type, commit_hash)"
    ),
    "tasks": (
        "id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE "
        "CASCADE, iteration INTEGER NOT NULL DEFAULT 0, scope_id TEXT, scope_rev TEXT, "
        "component_type TEXT NOT NULL, component_name TEXT, status TEXT NOT NULL DEFAULT "
        "'running', started_at TEXT, completed_at TEXT, duration_ms INTEGER"
    ),
    "steps": (
        "id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE "
        "CASCADE, phase_id TEXT REFERENCES phases(id) ON DELETE SET NULL, name TEXT, status "
        "TEXT NOT NULL DEFAULT 'pending', started_at TEXT, completed_at TEXT, created_at "
        "TEXT, duration_ms INTEGER, snapshot_before TEXT, snapshot_after TEXT, commit_created "
        "TEXT"
    ),
    "human_interactions": (
        "id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE "
        "CASCADE, type TEXT NOT NULL, prompt TEXT NOT NULL, options TEXT, status TEXT NOT "
        "NULL DEFAULT 'pending', response TEXT, session_config TEXT, session_transcript TEXT, "
        "session_duration INTEGER, error TEXT, created_at TEXT, resolved_at TEXT"
    ),
    "render_frames": (
        "id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE "
        "CASCADE, sequence_number INTEGER NOT NULL, tree_xml TEXT NOT NULL, ralph_count "
        "INTEGER NOT NULL DEFAULT 0, created_at TEXT, UNIQUE(execution_id, sequence_number)"
    ),
    "vcs_queue": (
        "id INTEGER PRIMARY KEY, execution_id TEXT, operation TEXT NOT NULL, payload TEXT NOT "
        "NULL, status TEXT NOT NULL DEFAULT 'pending', created_at TEXT, started_at TEXT, "
        "completed_at TEXT, error TEXT"
    ),
    "supersmithers_versions": (
        "version_id TEXT PRIMARY KEY, module_hash TEXT NOT NULL, parent_version_id TEXT, "
        "created_at TEXT, code_tsx TEXT NOT NULL, code_sha256 TEXT NOT NULL, overlay_rel_path "
        "TEXT NOT NULL, trigger TEXT NOT NULL, analysis_json TEXT, metrics_json TEXT, "
        "vcs_kind TEXT, vcs_commit_id TEXT"
    ),
    "supersmithers_active_overrides": (
        "module_hash TEXT PRIMARY KEY, active_version_id TEXT REFERENCES "
        "supersmithers_versions(version_id), updated_at TEXT"
    ),
    "tickets": (
        "id TEXT PRIMARY KEY, priority INTEGER NOT NULL, title TEXT NOT NULL, description "
        "TEXT NOT NULL, deps TEXT DEFAULT '[]', acceptance TEXT NOT NULL, smallest_step_hint "
        "TEXT NOT NULL, relevant_files TEXT DEFAULT '[]', requires_e2e INTEGER DEFAULT 0, "
        "budgets TEXT, tags TEXT DEFAULT '[]', status TEXT NOT NULL DEFAULT 'todo', "
        "progress_notes TEXT DEFAULT '[]', blocked_reason TEXT, last_run_at TEXT, "
        "last_report_path TEXT, last_review_dir TEXT, last_ticket_goal TEXT, source TEXT "
        "DEFAULT 'seed', source_report_id TEXT, created_at TEXT, updated_at TEXT"
    ),
}

#: Tables and columns that the first versions did not have.
LATER_TABLES = {
    "agent_stream_events",
    "build_state",
    "tasks",
    "human_interactions",
    "render_frames",
    "vcs_queue",
    "supersmithers_versions",
    "supersmithers_active_overrides",
    "tickets",
}
LATER_COLUMNS = {
    "end_summary",
    "end_reason",
    "exit_code",
    "log_path",
    "stream_summary",
    "scope_rev",
    "scope_id",
    "session_config",
    "session_transcript",
    "session_duration",
    "error",
}
_MAY_LACK_ERROR = {"human_interactions"}


def _split(columns: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for position, character in enumerate(columns + ","):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(columns[start:position].strip())
            start = position + 1
    return parts


def make(
    path: Path,
    *,
    without_tables: Collection[str] = (),
    without_columns: Collection[str] = (),
    seed: str = "ralphCount",
    rows: int = 2,
    also: Callable[[apsw.Connection], None] | None = None,
) -> Path:
    """A file of the original: every column of every row has a value of its own."""
    connection = apsw.Connection(str(path))
    names = []
    for table, columns in TABLES.items():
        if table in without_tables:
            continue
        kept = [
            part
            for part in _split(columns)
            if part.split()[0] not in without_columns
            or (part.split()[0] == "error" and table not in _MAY_LACK_ERROR)
        ]
        connection.execute(f"CREATE TABLE {table} ({', '.join(kept)})")
        connection.execute(f"CREATE INDEX idx_{table} ON {table}({kept[0].split()[0]})")
        names.append((table, [part for part in kept if not part.startswith("UNIQUE")]))
    if seed:
        connection.executemany(
            "INSERT INTO state (key, value, updated_at) VALUES (?, ?, '2026-01-18 10:00:00')",
            [("phase", '"build"'), (seed, "2"), ("data", "null")],
        )
    for table, parts in names:
        if table == "state":
            continue
        for number in range(1, (1 if table == "build_state" else rows) + 1):
            values = [_value(table, part, number) for part in parts]
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)
    if also is not None:
        also(connection)
    connection.close()
    return path


def _value(table: str, part: str, number: int) -> object:
    name, kind = part.split()[:2]
    if name == "id" or name == "version_id":
        return number if kind == "INTEGER" else f"{table}-{number}"
    if "REFERENCES" in part:
        return f"{part.split('REFERENCES ')[1].split('(')[0]}-{number}"
    if name == "execution_id":
        return f"executions-{number}"
    if name.endswith("_at") or name in ("broken_since", "last_check"):
        return f"2026-01-18 10:00:0{number}" if number % 2 else f"2026-01-18T10:00:0{number}.000Z"
    if kind == "INTEGER":
        return number
    if kind == "REAL":
        return number / 4
    return f"{name} {number}, not JSON: naïve ✓"
