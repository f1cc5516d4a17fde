"""What another program left in a file and no row can hold: named, and in nobody else's way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from smithers_db import SmithersDB, UnreadableRow
from smithers_db.doctor import examine

from .tour import Toured, tour

NO_TEXT = "CAST(x'61ff62' AS TEXT)"
A_BLOB = "x'61ff62'"
LEFT = pytest.mark.parametrize("left", [NO_TEXT, A_BLOB])


@pytest.fixture
def at(db: SmithersDB) -> Toured:
    return tour(db)


#: What is left where, and a read that meets it; the last is one that does not.
READS: dict[str, tuple[str, Callable[[SmithersDB, Toured], Any], Callable[..., Any]]] = {
    "executions.name": (
        "executions SET name = {} WHERE id = :run",
        lambda db, at: db.execution.get(at.run),
        lambda db, at: db.phases.list(at.run),
    ),
    "executions.error": (
        "executions SET error = {} WHERE id = :run",
        lambda db, at: db.execution.list(),
        lambda db, at: db.agents.list(at.run),
    ),
    "agents.result": (
        "agents SET result = {} WHERE id = :agent",
        lambda db, at: db.agents.list(at.run),
        lambda db, at: db.agents.list(at.run, before=at.agent),
    ),
    "agents.result_structured": (
        "agents SET result_structured = {} WHERE id = :agent",
        lambda db, at: db.agents.get(at.agent),
        lambda db, at: db.agents.list(at.run, before=at.agent),
    ),
    "agents.duration_ms": (
        "agents SET duration_ms = {} WHERE id = :agent",
        lambda db, at: db.agents.get(at.agent),
        lambda db, at: db.agents.list(at.run, before=at.agent),
    ),
    "phases.status": (
        "phases SET status = {} WHERE id = :phase",
        lambda db, at: db.phases.complete(at.phase),
        lambda db, at: db.phases.list(at.run, before=at.phase),
    ),
    "state.value": (
        "state SET value = {} WHERE execution_id = :run AND key = 'key'",
        lambda db, at: db.state.get_all(execution_id=at.run),
        lambda db, at: [db.state.get("one", execution_id=at.run)],
    ),
    "state.value of a key": (
        "state SET value = {} WHERE execution_id = :run AND key = 'key'",
        lambda db, at: db.state.get("key", execution_id=at.run),
        lambda db, at: [db.state.get("one", execution_id=at.run)],
    ),
    "transitions.new_value": (
        "transitions SET new_value = {} WHERE id = :transition",
        lambda db, at: db.state.at(at.transition),
        lambda db, at: db.state.history("one", execution_id=at.run),
    ),
    "memories.content": (
        "memories SET content = {} WHERE id = :memory",
        lambda db, at: db.memories.list(),
        lambda db, at: [db.memories.stats()],
    ),
    "memories.scope": (
        "memories SET scope = {} WHERE id = :memory",
        lambda db, at: db.memories.stats(),
        lambda db, at: db.execution.list(),
    ),
}


@LEFT
@pytest.mark.parametrize("column", READS)
def test_a_row_that_cannot_be_read_is_named(
    db: SmithersDB, at: Toured, column: str, left: str
) -> None:
    change, meets, passes = READS[column]
    params = {
        "run": at.run,
        "agent": at.agent,
        "phase": at.phase,
        "transition": at.transition,
        "memory": at.memory,
    }
    sql = f"UPDATE {change.format(left)}"
    used = {name: value for name, value in params.items() if f":{name}" in sql}
    assert db.db.execute(sql, used).changes == 1
    with pytest.raises(UnreadableRow) as caught:
        meets(db, at)
    said = str(caught.value)
    table, column = column.split()[0].split(".")
    assert said.startswith(f"{table}.{column} of ")
    assert ("byte 0xff" if left == NO_TEXT else "a BLOB") in said
    assert passes(db, at)
    # What it says to do mends it.
    mend = said.rpartition(": ")[2]
    assert mend.startswith(f"UPDATE {table} SET {column} = … WHERE ")
    assert db.db.execute(mend.replace("…", "'1'")).changes == 1
    if column != "status":
        meets(db, at)


@LEFT
def test_a_row_whose_very_id_is_none(db: SmithersDB, at: Toured, left: str) -> None:
    db.db.execute(f"UPDATE artifacts SET id = {left} WHERE id = ?", (at.artifact,))
    with pytest.raises(UnreadableRow, match=r"^artifacts\.id of ") as caught:
        db.artifacts.list(at.run)
    mend = str(caught.value).rpartition(": ")[2]
    assert db.db.execute(mend.replace("…", "'mended'")).changes == 1
    assert db.artifacts.get("mended") is not None


@LEFT
def test_a_memory_that_is_found_and_cannot_be_read(db: SmithersDB, left: str) -> None:
    memory = db.memories.add("fact", "sky", "the sky is blue")
    db.memories.add("fact", "sea", "the sea is blue")
    db.db.execute(f"UPDATE memories SET source = {left} WHERE id = ?", (memory,))
    with pytest.raises(UnreadableRow, match=r"memories\.source"):
        db.memories.search("blue")
    assert [row.key for row in db.memories.search("sea")] == ["sea"]


def test_a_live_read_says_so_and_recovers(db: SmithersDB, at: Toured) -> None:
    seen: list[Any] = []
    states = db.observe(db.agents.get, at.agent).states()
    with states.subscribe(lambda state: seen.append(state.error or state.value)):
        db.db.execute(f"UPDATE agents SET result = {NO_TEXT} WHERE id = ?", (at.agent,))
        db.db.execute("UPDATE agents SET result = 'mended' WHERE id = ?", (at.agent,))
    assert [type(value).__name__ for value in seen] == ["Agent", "UnreadableRow", "Agent"]


def test_bytes_stay_where_bytes_belong(db: SmithersDB, at: Toured) -> None:
    db.agents.start("a", execution_id=at.run)
    call = db.tools.start("Bash", {})
    db.tools.complete(call, b"a\xffb")
    assert db.tools.get(call).output_inline == b"a\xffb"  # type: ignore[union-attr]


@LEFT
def test_the_doctor_finds_each(file_db: SmithersDB, left: str) -> None:
    at = tour(file_db)
    assert not [found for found in examine(file_db) if found.kind == "unreadable row"]
    for sql in (
        f"UPDATE agents SET result = {left}, error = {left} WHERE id = :agent",
        f"UPDATE state SET value = {left} WHERE execution_id = :run AND key IN ('key', 'phase')",
    ):
        used = {"agent": at.agent} if ":agent" in sql else {"run": at.run}
        file_db.db.execute(sql, used)
    found = [finding for finding in examine(file_db) if finding.kind == "unreadable row"]
    assert [finding.detail.split()[0] for finding in found] == [
        "agents.result",
        "agents.error",
        "state.value",
        "state.value",
    ]
