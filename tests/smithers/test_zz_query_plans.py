"""No statement of a family scans a growing table or sorts for a list. Last, to know them all."""

from __future__ import annotations

import re

import apsw
import pytest

from smithers_db import SmithersDB, create_smithers_db
from smithers_db.migrations import known

from .conftest import STATEMENTS
from .tour import method, reads, tour

#: Statements that walk a table in its own order or an index's, and why they may.
WALKS = {
    r"FROM executions ORDER BY rowid DESC LIMIT": "the newest rows by rowid: stops at the limit",
    r"FROM memories WHERE .* ORDER BY seq LIMIT": "the first rows by key: stops at the limit",
    r"SELECT category, scope FROM memories": "counts all memories",
    r"FROM tickets (WHERE source = \? )?ORDER BY priority": "the whole catalogue, by its index",
    r"FROM discarded_outputs": "a table that is emptied each time it is read",
}
#: SQLite's own rowid walk of these is the walk of a list that came out of an index already.
HARMLESS = re.compile(
    r"SCAN (d VIRTUAL TABLE|json_each|memories_fts|f VIRTUAL TABLE|CONSTANT ROW|\d+ CONSTANT)"
)


@pytest.fixture(scope="module")
def schema() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    for migration in known():
        connection.execute(migration.sql)
    return connection


def explained(connection: apsw.Connection, sql: str) -> list[str]:
    marks = len(re.findall(r"\?", re.sub(r"'[^']*'", "", sql)))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * marks).fetchall()
    return [row[3] for row in plan]


def test_every_statement_of_the_families(db: SmithersDB, schema: apsw.Connection) -> None:
    at = tour(db)
    with db.context(phase_id=at.phase, agent_id=at.agent, step_id=at.step):
        for name, args in reads(db, at).items():
            method(db, name)(*args)
    db.state.reset()
    db.tickets.list(status="todo", source="seed")
    db.tickets.list(source="seed")
    db.memories.list("fact", "global")
    db.memories.list("fact")
    db.memories.list(scope="global")
    db.memories.search("sky", "fact")
    db.state.history("key")
    db.vcs.get_commit("abc", "git")
    db.vcs.get_reports("warning")
    db.agents.stream_events(at.agent, ["text", "tool"])
    db.agents.list(limit=2, before=at.agent)
    db.agents.list_for_phase(at.phase, limit=2, before=at.agent)
    db.steps.list(at.phase, limit=2, before=at.step)
    db.steps.list_for_execution(limit=2, before=at.step)
    db.tools.list(at.agent, limit=2, before=at.call)
    db.tools.list_for_execution(limit=2, before=at.call)
    db.phases.list(limit=2, before=at.phase)
    db.tasks.list(limit=2, before=at.task)
    db.artifacts.list(limit=2, before=at.artifact)
    db.memories.add("fact", "of nobody", "v")
    db.db.execute("UPDATE execution_owners SET owner_id = NULL")
    db.execution.resume(at.run)
    with db.context(execution_id=db.execution.fork(at.run, at.transition)):
        pass
    with create_smithers_db() as other:
        other.human.list_pending()
    assert len(STATEMENTS) > 120
    wrong = []
    for sql, module in sorted(STATEMENTS.items()):
        if sql.startswith(("PRAGMA", "VACUUM")):
            continue
        plan = explained(schema, sql)
        allowed = any(re.search(pattern, sql) for pattern in WALKS)
        for step in plan:
            scans = step.startswith("SCAN") and not HARMLESS.match(step) and not allowed
            if scans or "TEMP B-TREE" in step:
                wrong.append(f"{module}: {step}\n    {sql}")
    assert not wrong, "\n".join(wrong)


def test_the_exceptions_are_needed(db: SmithersDB, schema: apsw.Connection) -> None:
    tour(db)
    for pattern in WALKS:
        if pattern.startswith("FROM discarded"):
            continue
        used = [sql for sql in STATEMENTS if re.search(pattern, sql)]
        assert used, pattern
        assert any("SCAN" in step for sql in used for step in explained(schema, sql)), pattern


def test_cascades_find_their_children_by_an_index(schema: apsw.Connection) -> None:
    tables = [
        row[0] for row in schema.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    ]
    for table in tables:
        for key in schema.execute(
            'SELECT "from" FROM pragma_foreign_key_list(?)', (table,)
        ).fetchall():
            (step,) = explained(schema, f"SELECT 1 FROM {table} WHERE {key[0]} = ?")
            assert step.startswith("SEARCH"), f"{table}.{key[0]}: {step}"
