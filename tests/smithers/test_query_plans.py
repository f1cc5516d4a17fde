"""No statement of a family scans a growing table or sorts for a list.

The plan of every statement is looked at wherever a test of this folder runs it (conftest.py); here
are those that no other test runs, and the exceptions.
"""

from __future__ import annotations

import re

from smithers_db import SmithersDB, create_smithers_db

from . import plans
from .tour import method, reads, tour


def test_every_statement_of_the_families(db: SmithersDB, statements: dict[str, str]) -> None:
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
    (event, *_) = db.agents.stream_events(at.agent, ["text", "tool"])
    db.agents.stream_events(at.agent, ["text"], after=event.id, newest=True)
    db.agents.stream_events(at.agent, before=event.id, newest=True)
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
    assert len(statements) > 120


def test_the_exceptions_are_needed(db: SmithersDB, statements: dict[str, str]) -> None:
    at = tour(db)
    for name, args in reads(db, at).items():
        method(db, name)(*args)
    for pattern in plans.WALKS:
        if pattern.startswith("FROM discarded"):
            continue
        used = [sql for sql in statements if re.search(pattern, sql)]
        assert used, pattern
        assert any("SCAN" in step for sql in used for step in plans.plan(sql)), pattern


def test_a_walk_and_a_sort_are_faults() -> None:
    assert plans.faults("SELECT 1 FROM agents WHERE prompt = ?")
    assert plans.faults("SELECT 1 FROM agents WHERE execution_id = ? ORDER BY prompt")
    assert not plans.faults("SELECT 1 FROM agents WHERE execution_id = ?")


def test_cascades_find_their_children_by_an_index() -> None:
    tables = [
        row[0]
        for row in plans.schema().execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    ]
    for table in tables:
        for key in (
            plans.schema()
            .execute('SELECT "from" FROM pragma_foreign_key_list(?)', (table,))
            .fetchall()
        ):
            (step,) = plans.plan(f"SELECT 1 FROM {table} WHERE {key[0]} = ?")
            assert step.startswith("SEARCH"), f"{table}.{key[0]}: {step}"
