"""Everything is live: each read method, observed, hears of each change of its answer."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from smithers_db import SmithersDB, create_smithers_db

from .tour import method, reads, ticket, tour

with create_smithers_db() as _sample:
    NAMES = list(reads(_sample, tour(_sample)))


def change_everything(db: SmithersDB, run: str) -> None:
    """A second tour, and every row of the first one changed."""
    for table, change in {
        "executions": "name = name || '!'",
        "execution_owners": "host = host || '!'",
        "phases": "name = name || '!'",
        "agents": "model = model || '!'",
        "agent_stream_events": "event_type = event_type || '!'",
        "steps": "name = coalesce(name, '') || '!'",
        "tasks": "component_type = component_type || '!', status = 'running'",
        "tool_calls": "tool_name = tool_name || '!', output_inline = 'changed'",
        "state": "value = CASE key WHEN 'iteration' THEN '5' ELSE '\"changed\"' END",
        "transitions": "new_value = '\"changed\"'",
        "memories": "content = content || ' changed'",
        "artifacts": "name = name || '!'",
        "human_interactions": "prompt = prompt || '!'",
        "commits": "message = message || '!'",
        "snapshots": "change_id = change_id || '!'",
        "reviews": "summary = summary || '!'",
        "reports": "title = title || '!'",
        "render_frames": "tree_xml = tree_xml || '!'",
        "build_state": "status = 'broken'",
        "vcs_queue": "operation = operation || '!'",
        "tickets": "title = title || '!', status = 'done'",
        "ticket_reports": "title = title || '!'",
        "rate_limit_snapshots": "tier = 'changed'",
        "supersmithers_modules": "scope = 'changed'",
        "supersmithers_analyses": "trigger = 'changed'",
        "supersmithers_versions": "trigger = 'changed'",
    }.items():
        db.db.execute(f"UPDATE {table} SET {change}")
    db.db.execute("DELETE FROM state WHERE key = 'key'")
    with db.context(execution_id=run):
        db.render_frames.store("<More/>")
        db.tasks.start("Claude", iteration=1)
        db.memories.add_fact("more", "to know")
        db.human.request("text", "more?")


@pytest.mark.parametrize("name", NAMES)
def test_every_read_method_is_live(db: SmithersDB, name: str) -> None:
    at = tour(db)
    with db.context(phase_id=at.phase, agent_id=at.agent, step_id=at.step):
        values: list[Any] = []
        args = reads(db, at)[name]
        subscription = db.observe(method(db, name), *args).subscribe(values.append)
        assert values == [method(db, name)(*args)]
    change_everything(db, at.run)
    with db.context(execution_id=at.run, phase_id=at.phase, agent_id=at.agent, step_id=at.step):
        fresh = method(db, name)(*args)
    assert values[-1] == fresh
    assert len(values) > 1, "no change was heard of"
    assert values[0] != fresh
    subscription.dispose()


@pytest.mark.parametrize("name", ["verify_rollups", "stats"])
def test_what_is_said_of_the_whole_database_is_live(db: SmithersDB, name: str) -> None:
    read = getattr(db, name)
    run = tour(db).run
    values: list[Any] = []
    db.observe(read).subscribe(values.append)
    assert values == [read()]
    with db.db.transaction():
        db.db.execute("UPDATE executions SET total_agents = 7 WHERE id = ?", (run,))
        with db.context(execution_id=run):
            db.memories.add_fact("more", "to know")
        assert read() != values[0]  # inside its transaction
        assert len(values) == 1
    assert values[1:] == [read()]


def test_every_public_read_method_is_in_the_tour(db: SmithersDB) -> None:
    prefixes = ("get", "list", "current", "find", "has", "history", "at", "search", "stats")
    for family in vars(db):
        if family.startswith("_") or family == "db":
            continue
        for verb in dir(getattr(db, family)):
            if verb.startswith(prefixes):
                assert f"{family}.{verb}" in NAMES


def test_a_read_method_answers_in_its_subscribers_context(db: SmithersDB) -> None:
    first = db.execution.start("first", "f")
    seen: list[list[str]] = []
    db.observe(db.phases.list).subscribe(lambda rows: seen.append([row.name for row in rows]))
    db.execution.start("second", "f")
    db.phases.start("of the second")
    db.phases.start("of the first", execution_id=first)
    assert seen == [[], ["of the first"]]


def test_a_read_of_another_run_is_not_woken(db: SmithersDB) -> None:
    first = db.execution.start("first", "f")
    second = db.execution.start("second", "f")
    seen: list[Any] = []
    subscription = db.observe(db.phases.list, first).subscribe(seen.append)
    before = db.db.stats.queries
    db.phases.start("elsewhere", execution_id=second)
    db.tickets.seed([ticket("T", 1)])
    assert len(seen) == 1
    assert db.db.stats.queries == before
    subscription.dispose()


def test_every_verb_of_a_family_is_in_its_running_example(db: SmithersDB) -> None:
    families = {name.partition(".")[0] for name in NAMES}
    assert len(families) == 18
    for family in families:
        kind = type(getattr(db, family))
        for verb, function in inspect.getmembers(kind, inspect.isfunction):
            if not verb.startswith("_"):
                examples = [kind.__doc__ or "", function.__doc__ or ""]
                runs = [
                    line for text in examples for line in re.findall(r"(?:>>>|\.\.\.) .*", text)
                ]
                assert any(f".{verb}(" in line for line in runs), f"{family}.{verb}"
