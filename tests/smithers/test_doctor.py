"""The doctor finds what is wrong, and nothing else, while others write."""

from __future__ import annotations

from pathlib import Path

import pytest

from smithers_db import SmithersDB, create_smithers_db
from smithers_db.doctor import examine


def add_memories(db: SmithersDB, number: int) -> None:
    for at in range(number):
        db.memories.add_fact(f"{at}", f"about {at} in words {at * 7919}")


@pytest.fixture
def memories(file_db: SmithersDB, tmp_path: Path) -> SmithersDB:
    """A database that has been examined, and whose memories another one has added to since."""
    add_memories(file_db, 5)
    assert examine(file_db) == []
    with create_smithers_db(tmp_path / "smithers.db") as other:
        add_memories(other, 300)
    return file_db


def test_an_index_that_another_has_merged_is_no_damage(memories: SmithersDB) -> None:
    assert examine(memories) == []
    add_memories(memories, 1)
    assert examine(memories) == []


def test_an_index_that_another_has_damaged_is_damage(memories: SmithersDB, tmp_path: Path) -> None:
    with create_smithers_db(tmp_path / "smithers.db") as other:
        other.db.execute("DELETE FROM memories_fts_data WHERE id > 100")
    assert {finding.kind for finding in examine(memories)} == {"integrity"}


def test_a_database_in_memory_is_examined_too(db: SmithersDB) -> None:
    add_memories(db, 300)
    assert examine(db) == []
    db.db.execute("DELETE FROM memories_fts_data WHERE id > 100")
    assert {finding.kind for finding in examine(db)} == {"integrity"}


def test_an_output_that_goes_with_its_run_meanwhile_is_not_missing(file_db: SmithersDB) -> None:
    run = file_db.execution.start("r", "f")
    file_db.agents.start("a")
    file_db.tools.complete(file_db.tools.start("Bash", {}), "x" * 5000)

    def others(done: int, total: int, doing: str) -> None:
        if doing == "outputs":
            file_db.execution.delete(run)

    assert examine(file_db, progress=others) == []
