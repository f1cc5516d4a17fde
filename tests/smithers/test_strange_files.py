"""Files of the original that somebody else has been at: converted, or refused and not touched."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from smithers_db import MigrationError, create_smithers_db
from smithers_db.doctor import examine
from smithers_db.migrations import migrate_file, rehearse

from . import original

QUOTED = 'CREATE VIEW "a""b" AS SELECT * FROM agents'


def remade(table: str, columns: str, *rows: str) -> Callable[[apsw.Connection], object]:
    """A table of the original with other columns, and these rows."""

    def remake(connection: apsw.Connection) -> None:
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"CREATE TABLE {table} ({columns})")
        for row in rows:
            connection.execute(f"INSERT INTO {table} VALUES ({row})")

    return remake


#: A change of a file, a query, what it answers once converted, and the notes: of which row and
#: column, with what value.
CONVERTED: dict[str, tuple[Callable[[apsw.Connection], object], str, list[Any], list[Any]]] = {
    "text that is none": (
        lambda c: c.execute("UPDATE agents SET result = CAST(x'61ff' AS TEXT) WHERE rowid = 1"),
        "SELECT result FROM agents",
        ["a\\xff", "result 2, not JSON: naïve ✓"],
        [("agents-1", "result", "61ff")],
    ),
    "a BLOB for a text and for a number": (
        lambda c: c.execute("UPDATE agents SET result = x'6100', duration_ms = x'01'"),
        "SELECT result, duration_ms FROM agents LIMIT 1",
        [("a\\0", None)],
        [
            ("agents-1", "result", "6100"),
            ("agents-1", "duration_ms", "01"),
            ("agents-2", "result", "6100"),
            ("agents-2", "duration_ms", "01"),
        ],
    ),
    "a BLOB in a column of nobody": (
        lambda c: c.execute("ALTER TABLE agents ADD COLUMN mood TEXT DEFAULT x'00ff'"),
        "SELECT count(*) FROM agents",
        [2],
        [("agents-1", "mood", "00ff"), ("agents-2", "mood", "00ff")],
    ),
    "ids that are no text, and those who refer to them": (
        lambda c: [
            c.execute("PRAGMA foreign_keys = OFF"),
            c.execute("UPDATE phases SET id = CAST(x'ff' AS TEXT) WHERE rowid = 1"),
            c.execute("UPDATE agents SET phase_id = x'ff' WHERE rowid = 1"),
        ],
        "SELECT a.id, p.name IS NOT NULL FROM agents a JOIN phases p ON p.id = a.phase_id",
        [("agents-1", 1), ("agents-2", 1)],
        [("\\xff", "id", "ff"), ("agents-1", "phase_id", "ff"), ("phases-1", None, ...)],
    ),
    "ids that are BLOBs beside the same as text": (
        lambda c: c.execute(
            "INSERT INTO phases (id, execution_id, name) "
            "VALUES (CAST('phases-1' AS BLOB), 'executions-1', 'twin')"
        ),
        "SELECT count(*) FROM phases",
        [2],
        [("phases-1", "id", b"phases-1".hex()), ("phases-1", None, ...)],
    ),
    "a table without rowid": (
        remade("phases", "id TEXT PRIMARY KEY, name) WITHOUT ROWID; --", "'b', 'x'", "'a', 'y'"),
        "SELECT id, name FROM phases WHERE length(id) = 1 ORDER BY rowid",
        [("a", "y"), ("b", "x")],
        ...,
    ),
    "a column called rowid, and rows of one key": (
        remade("phases", "id, name, rowid", "'a', 'x', 7", "'a', 'y', 7"),
        "SELECT id, name FROM phases WHERE id = 'a'",
        [("a", "x")],
        ...,
    ),
    "quotes in names": (
        lambda c: [
            c.execute('ALTER TABLE agents ADD COLUMN "it\'s a ""mood""" DEFAULT "good"'),
            c.execute(QUOTED),
        ],
        "SELECT count(*) FROM agents",
        [2],
        [
            ('a"b', None, QUOTED),
            ("agents-1", 'it\'s a "mood"', "good"),
            ("agents-2", 'it\'s a "mood"', "good"),
        ],
    ),
    "a trigger on a view": (
        lambda c: [
            c.execute("CREATE VIEW v AS SELECT * FROM agents"),
            c.execute("CREATE TRIGGER t INSTEAD OF DELETE ON v BEGIN SELECT 1; END"),
        ],
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('v', 't')",
        [0],
        ...,
    ),
    "an index with a name of ours": (
        lambda c: c.execute("CREATE INDEX phases_execution ON agents(model)"),
        "SELECT tbl_name FROM sqlite_schema WHERE name = 'phases_execution'",
        ["phases"],
        [],
    ),
    "a view with a name of ours": (
        lambda c: [c.execute("DROP TABLE tickets"), c.execute("CREATE VIEW tickets AS SELECT 1")],
        "SELECT count(*) FROM tickets",
        [0],
        [("tickets", None, "CREATE VIEW tickets AS SELECT 1")],
    ),
    "a state of NULLs, of one key twice": (
        remade("state", "key, value", "NULL, NULL", "'a', '1'", "'a', '2'", "'b', NULL"),
        "SELECT key, value FROM state ORDER BY key",
        [("a", "2"), ("b", "null"), ("lost-state-1", "null")],
        [("a", None, "1")],
    ),
    "a queue whose ids are no integers": (
        remade("vcs_queue", "id, operation", "'x', 'one'", "5, 'two'", "NULL, 'three'"),
        "SELECT id, operation FROM vcs_queue",
        [(5, "two"), (6, "one"), (8, "three")],
        [("6", "id", "x")],
    ),
    "a build state of several rows": (
        remade("build_state", "id, status", "1, 'broken'", "2, 'x'", "'one', 'y'"),
        "SELECT id, status FROM build_state",
        [(1, "broken")],
        ...,
    ),
    "a reference of others that leads nowhere": (
        lambda c: [
            c.execute("CREATE TABLE mine(x REFERENCES yours(id))"),
            c.execute("CREATE TABLE yours(id PRIMARY KEY)"),
            c.execute("PRAGMA foreign_keys = OFF"),
            c.execute("INSERT INTO mine VALUES (1)"),
        ],
        "SELECT x FROM mine",
        [1],
        [],
    ),
}


@pytest.mark.parametrize("oddity", CONVERTED)
def test_what_somebody_else_did_to_a_file_is_converted_or_noted(
    tmp_path: Path, oddity: str
) -> None:
    change, query, answer, noted = CONVERTED[oddity]
    path = original.make(tmp_path / "a.db", also=lambda c: (change(c), None)[1])
    with create_smithers_db(path) as db:
        rows = [tuple(row) if len(row) > 1 else row[0] for row in db.query(query).get()]
        assert rows == answer
        notes = db.query("SELECT row_key, column_name, value FROM conversion_notes").get()
        if noted is not ...:
            assert len(notes) == len(noted)
            for note, (key, column, value) in zip(notes, noted, strict=True):
                assert tuple(note)[:2] == (key, column)
                assert value in (note.value, ...)
        elif "rows of one key" in oddity:
            assert any('"name":"y"' in (note.value or "") for note in notes)
        assert [found for found in examine(db) if found.kind == "unreadable row"] == []
        left = "SELECT name FROM sqlite_schema WHERE name GLOB 'constrained_*'"
        assert db.query(left).get() == ()


REFUSED: dict[str, tuple[Callable[[apsw.Connection], object], str]] = {
    "another's table of migrations": (
        lambda c: c.execute("CREATE TABLE schema_migrations(version INTEGER)"),
        "'schema_migrations' of another program",
    ),
    "another's table with a name of ours": (
        lambda c: c.execute("CREATE TABLE memories_fts(x)"),
        "'memories_fts'.*rename or drop",
    ),
    "another's table with the name of an index": (
        lambda c: c.execute("CREATE TABLE Agents_Phase(x)"),
        "'Agents_Phase'.*rename or drop",
    ),
    "another's index with a name of ours": (
        lambda c: [c.execute("CREATE TABLE m(x)"), c.execute("CREATE INDEX agents_phase ON m(x)")],
        "index 'agents_phase'.*rename or drop",
    ),
    "another's table with a name that is needed": (
        lambda c: c.execute("CREATE TABLE original_agents(x)"),
        "'original_agents'.*rename or drop",
    ),
    "rows of another's table that would go too": (
        lambda c: [
            c.execute("CREATE TABLE mine(agent REFERENCES agents(id) ON DELETE CASCADE)"),
            c.execute("INSERT INTO mine SELECT id FROM agents"),
        ],
        "'mine'.*foreign key to 'agents'",
    ),
    "columns with each name of a place": (
        remade("phases", "rowid, oid, _rowid_"),
        "each of the names",
    ),
    "a database of something else": (
        lambda c: [c.execute("DROP TABLE executions")],
        "no Smithers database",
    ),
}


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("oddity", REFUSED)
def test_what_cannot_be_converted_is_refused_and_not_touched(
    tmp_path: Path, oddity: str, journal: str
) -> None:
    change, said = REFUSED[oddity]
    path = original.make(tmp_path / "a.db", also=lambda c: (change(c), None)[1])
    plain = apsw.Connection(str(path))
    plain.execute(f"PRAGMA journal_mode = {journal}").fetchall()
    plain.close()
    before = path.read_bytes()
    for opening in (create_smithers_db, migrate_file, rehearse):
        with pytest.raises(MigrationError, match=said):
            opening(path)
        assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} <= {"a.db", "a.db-wal", "a.db-shm"}


def test_a_file_that_a_writer_left_in_the_middle_is_opened(tmp_path: Path) -> None:
    """Its journal has to be rolled back first, which only a writer can."""
    path = original.make(tmp_path / "a.db")
    killed = (
        "import apsw, os, sys; c = apsw.Connection(sys.argv[1]);"
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN');"
        'c.execute("UPDATE agents SET prompt = hex(randomblob(90000))");'
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", killed, str(path)], check=True)
    assert (tmp_path / "a.db-journal").exists()
    with create_smithers_db(path) as db:
        assert [row.prompt for row in db.agents.list("executions-1")] == [
            "prompt 1, not JSON: naïve ✓"
        ]
