"""Migrations: numbered, checked, all or nothing; and the original's files, with nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase
from smithers_db import MigrationError, OutputError, create_smithers_db, migrations
from smithers_db.migrations import known, migrate_file, pending, rehearse
from smithers_db.rows import ROW_TYPES

from . import original
from .tour import tour

ROOT = Path(__file__).parents[2]

# -- this project's own files --------------------------------------------------------------------


def test_migrations_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in known()] == list(range(1, len(known()) + 1))


def test_a_new_file_remembers_its_migrations(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        rows = db.query("SELECT id, applied_at, checksum FROM schema_migrations").get()
        assert [(row.id, row.checksum) for row in rows] == [(m.id, m.checksum) for m in known()]
        assert db.query("SELECT * FROM pragma_foreign_key_check").get() == ()
        assert db.db.execute("PRAGMA auto_vacuum").rows[0][0] == 2
    before = path.read_bytes()
    with create_smithers_db(path) as db:
        assert pending(db.db) == []
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE schema_migrations SET checksum = 'x' WHERE id LIKE '0002%'", "is not the one"),
        ("INSERT INTO schema_migrations VALUES ('0999_future', '', '')", "newer version"),
        ("DELETE FROM schema_migrations WHERE id LIKE '0001%'", "but not 0001_initial"),
    ],
)
def test_a_changed_or_newer_file_is_refused(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "a.db"
    create_smithers_db(path).close()
    connection = apsw.Connection(str(path))
    connection.execute(change)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(MigrationError, match=message):
        create_smithers_db(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("first", range(1, len(known())))
def test_a_file_of_an_earlier_version_gets_what_it_lacks(tmp_path: Path, first: int) -> None:
    path = tmp_path / "a.db"
    plain = apsw.Connection(str(path))
    plain.execute(
        "CREATE TABLE schema_migrations (id TEXT PRIMARY KEY NOT NULL, applied_at TEXT NOT NULL, "
        "checksum TEXT NOT NULL)"
    )
    for migration in known()[:first]:
        plain.execute(migration.sql)
        row = (migration.id, "2026-01-01T00:00:00.000Z", migration.checksum)
        plain.execute("INSERT INTO schema_migrations VALUES (?, ?, ?)", row)
    plain.execute(
        "INSERT INTO executions (id, file_path, status, created_at) VALUES ('e', 'f', 'failed', '')"
    )
    plain.execute(
        "INSERT INTO vcs_queue (id, execution_id, operation, payload, attempts, lease_id, "
        "created_at) VALUES (7, 'e', 'push', '{\"to\": 1}', 2, 'worker/1', '')"
    )
    queued = plain.execute("SELECT * FROM vcs_queue").fetchall()
    # What another program may have left there, without foreign keys.
    plain.execute("CREATE VIEW of_another AS SELECT count(*) AS n FROM vcs_queue")
    plain.execute(
        "INSERT INTO vcs_queue (id, execution_id, operation, payload, created_at) "
        "VALUES (8, 'gone', 'push', '{}', '')"
    )
    plain.close()
    with create_smithers_db(path) as db, create_smithers_db() as new:
        found = [*map(tuple, db.db.execute("SELECT * FROM vcs_queue ORDER BY id").rows)]
        assert (found[:-1], found[-1][:2]) == (queued, (8, None))
        notes = db.db.execute("SELECT row_key, value FROM conversion_notes").rows
        assert [*map(tuple, notes)] == [("8", "gone")]
        db.db.execute("DELETE FROM vcs_queue")
        assert db.vcs_queue.enqueue("push", None) == 9
        assert db.query("SELECT n FROM of_another").get()[0].n == 1
        schema = (
            "SELECT type, name, sql FROM sqlite_schema "
            "WHERE name NOT LIKE '_reactive%' AND name <> 'of_another'"
        )
        assert sorted(map(tuple, db.db.execute(schema).rows)) == sorted(
            map(tuple, new.db.execute(schema).rows)
        )
        assert db.execution.get("e") is not None
        applied = db.db.execute("SELECT id FROM schema_migrations ORDER BY id").rows
        assert [row[0] for row in applied] == [migration.id for migration in known()]
    assert list(tmp_path.glob("*.backup")) == []


def test_references_are_checked_after_a_migration(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        db.execution.start("nightly", "main.tsx")
    plain = apsw.Connection(str(path))
    plain.execute("INSERT INTO steps (id, execution_id, created_at) VALUES ('s', 'gone', '')")
    plain.execute("DELETE FROM schema_migrations WHERE id = ?", (known()[-1].id,))
    plain.close()
    assert migrations.rehearse(path).dangling == 1
    create_smithers_db(path).close()
    assert "references to no row (1)" in caplog.text
    caplog.clear()
    create_smithers_db(path).close()
    assert caplog.text == ""


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "places.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE moz_places(id INTEGER PRIMARY KEY, url TEXT)")
    connection.close()
    with pytest.raises(MigrationError, match="moz_places"):
        create_smithers_db(path)
    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("moz_places",)]
    connection.close()


def test_a_file_that_somebody_watched_before_there_was_anything(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with ReactiveDatabase(path, journal=True) as watching:
        watching.changes_since()
        seen = watching.query("SELECT count(*) FROM sqlite_schema").subscribe(lambda rows: None)
        with create_smithers_db(path) as db:
            run = db.execution.start("r", "f")
            assert db.execution.get(run) is not None
        seen.dispose()


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import smithers_db.migrations as migrations

    good = known()
    bad = migrations.Migration("0004_bad", "CREATE TABLE fine(a); CREATE TABLE executions(a);", "x")
    monkeypatch.setattr(migrations, "known", lambda: (*good, bad))
    with pytest.raises(Exception, match="executions already exists"):
        create_smithers_db(tmp_path / "a.db")
    with ReactiveDatabase(tmp_path / "a.db") as db:
        assert db.query("SELECT name FROM sqlite_schema").get() == ()


OPENER = """
import sys
from smithers_db import create_smithers_db
sys.stdin.readline()
with create_smithers_db(sys.argv[1]) as db:
    db.execution.start("r", "f")
    print(db.stats().tables[0].rows >= 0)
"""


@pytest.mark.parametrize("of_the_original", [False, True])
def test_several_processes_at_first_open(tmp_path: Path, of_the_original: bool) -> None:
    path = tmp_path / "a.db"
    if of_the_original:
        original.make(path)
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [opener.communicate(timeout=60)[0] for opener in openers] == ["True\n"] * 4
    assert [opener.returncode for opener in openers] == [0] * 4
    with create_smithers_db(path) as db:
        assert len(db.execution.list()) == 4 + 2 * of_the_original
    assert len(list(tmp_path.glob("*.backup"))) == of_the_original


# -- the original's -------------------------------------------------------------------------------

KEYS = {
    "state": "key",
    "supersmithers_versions": "version_id",
    "supersmithers_active_overrides": "module_hash",
}
AGES: dict[str, dict[str, Any]] = {
    "last": {},
    "without the newest columns": {"without_columns": original.LATER_COLUMNS},
    "without the newest tables": {"without_tables": original.LATER_TABLES},
    "the first": {
        "without_tables": original.LATER_TABLES,
        "without_columns": original.LATER_COLUMNS,
        "seed": "iteration",
    },
    "only what a run needs": {
        "without_tables": set(original.TABLES) - {"executions", "state", "transitions", "agents"}
    },
    "empty": {"rows": 0},
    "nothing in it at all": {"rows": 0, "seed": ""},
}


def content(path: Path) -> dict[str, dict[Any, dict[str, Any]]]:
    connection = apsw.Connection(str(path))
    found: dict[str, dict[Any, dict[str, Any]]] = {}
    for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        cursor = connection.execute(f'SELECT * FROM "{table}"')
        key = KEYS.get(table, "id")
        found[table] = {}
        for row in cursor:
            named = dict(zip((column[0] for column in cursor.get_description()), row, strict=True))
            found[table][named.get(key)] = named
    connection.close()
    return found


def normal(value: Any) -> Any:
    """A timestamp of either form as this project writes it."""
    if isinstance(value, str) and len(value) == 19 and value[10] == " " and value[4] == "-":
        return f"{value.replace(' ', 'T')}.000Z"
    return value


def assert_nothing_lost(before: Path, after: Path) -> None:
    old, new = content(before), content(after)
    for table, rows in old.items():
        for key, row in rows.items():
            if table == "state" and not old["executions"]:
                assert any(
                    note["row_key"] == key and note["value"] == row["value"]
                    for note in new["conversion_notes"].values()
                )
                continue
            key = "iteration" if (table, key) == ("state", "ralphCount") else key
            found = new[table][key]
            for column, value in row.items():
                column = {"ralph_count": "iteration"}.get(column, column)
                if (table, column, value) == ("state", "key", "ralphCount"):
                    value = "iteration"
                assert found[column] == normal(value), f"{table}.{column} of {key}"


@pytest.mark.parametrize("age", AGES)
def test_a_file_of_any_age_opens_with_nothing_lost(tmp_path: Path, age: str) -> None:
    path = original.make(tmp_path / "a.db", **AGES[age])
    kept = tmp_path / "kept.db"
    kept.write_bytes(path.read_bytes())
    create_smithers_db(path).close()
    assert_nothing_lost(kept, path)
    (backup,) = tmp_path.glob("a.db.*.backup")
    assert content(backup) == content(kept)
    with create_smithers_db(path) as db:
        assert db.query("SELECT * FROM pragma_foreign_key_check").get() == ()
        assert db.db.execute("PRAGMA integrity_check").rows[0][0] == "ok"
        for row_type, rows in (
            ("executions", db.execution.list()),
            ("agents", db.agents.list("executions-1")),
        ):
            assert all(isinstance(row, ROW_TYPES[row_type]) for row in rows)
        tour(db)


def test_what_a_converted_file_says(tmp_path: Path) -> None:
    path = original.make(tmp_path / "a.db", rows=3)
    with create_smithers_db(path) as db:
        latest = db.execution.list()[0].id
        assert latest == "executions-3"
        assert db.state.get_all(execution_id=latest) == {
            "data": None,
            "iteration": 2,
            "phase": "build",
        }
        assert db.state.get_all(execution_id="executions-1") == {}
        assert db.render_frames.list("executions-2")[0].iteration == 2
        (transition,) = db.state.history(execution_id="executions-1")
        assert transition.new_value == "new_value 1, not JSON: naïve ✓"
        db.db.execute("UPDATE memories SET expires_at = NULL")
        assert len(db.memories.search("naïve")) == 3
        (call,) = db.tools.list("agents-1")
        assert db.tools.get_output(call.id) == call.output_inline
        db.db.execute("UPDATE tool_calls SET output_inline = NULL, output_path = NULL")
        with pytest.raises(OutputError, match="only a summary"):
            db.tools.get_output(call.id)


def test_the_iteration_of_either_name_and_of_both(tmp_path: Path) -> None:
    def both(connection: apsw.Connection) -> None:
        connection.execute("INSERT INTO state (key, value) VALUES ('iteration', '7')")

    path = original.make(tmp_path / "a.db", also=both)
    with create_smithers_db(path) as db:
        assert db.state.get("iteration", execution_id="executions-2") == 2
        (note,) = db.query("SELECT * FROM conversion_notes").get()
        assert (note.table_name, note.row_key, note.value) == ("state", "iteration", "7")


def test_orphans_are_kept_and_reported(tmp_path: Path) -> None:
    def orphan(connection: apsw.Connection) -> None:
        connection.execute("PRAGMA foreign_keys = OFF")
        for table in ("executions", "phases", "agents", "supersmithers_versions"):
            connection.execute(f"DELETE FROM {table} WHERE rowid = 1")

    path = original.make(tmp_path / "a.db", also=orphan)
    kept = tmp_path / "kept.db"
    kept.write_bytes(path.read_bytes())
    with create_smithers_db(path) as db:
        notes = {
            (note.table_name, note.row_key)
            for note in db.query("SELECT * FROM conversion_notes").get()
        }
        assert notes == {
            ("executions", "executions-1"),
            ("phases", "phases-1"),
            ("agents", "agents-1"),
            ("supersmithers_versions", "supersmithers_versions-1"),
        }
        (call,) = db.tools.list("agents-1")
        assert call.execution_id == "executions-1"
        stand_in = db.execution.get("executions-1")
        assert stand_in is not None
        assert stand_in.status == "failed"
        assert "missing" in (stand_in.error or "")
    assert_nothing_lost(kept, path)


ODDITIES: dict[str, Callable[[apsw.Connection], object]] = {
    "an unknown column": lambda c: c.execute("ALTER TABLE agents ADD COLUMN mood TEXT DEFAULT 'x'"),
    "an unknown table": lambda c: c.execute("CREATE TABLE mine AS SELECT 1 AS id, 'x' AS y"),
    "a view": lambda c: c.execute("CREATE VIEW v AS SELECT * FROM agents"),
    "a trigger": lambda c: c.execute(
        "CREATE TRIGGER t AFTER INSERT ON agents BEGIN DELETE FROM state; END"
    ),
    "NULL where a default is": lambda c: c.execute(
        "UPDATE executions SET exit_code = NULL, created_at = NULL, total_agents = NULL"
    ),
    "no key": lambda c: c.execute(
        "INSERT INTO agents (execution_id, prompt) VALUES ('executions-1', 'p')"
    ),
    "memories of no scope": lambda c: c.execute(
        "INSERT INTO memories (id, category, key, content, scope) VALUES "
        "('m1', 'c', 'k', 'one', NULL), ('m2', 'c', 'k', 'two', NULL)"
    ),
    "numbers as text": lambda c: c.execute(
        "UPDATE agents SET duration_ms = 'long', tokens_input = 1.5"
    ),
    "blobs": lambda c: c.execute("UPDATE tool_calls SET output_inline = x'00ff'"),
    "memories of no scope, with a blob": lambda c: c.execute(
        "INSERT INTO memories (id, category, key, content, scope) VALUES "
        "('m1', 'c', 'k', 'one', NULL), (NULL, 'c', 'k', x'ff', NULL)"
    ),
    "no column for what is needed": lambda c: c.execute(
        "ALTER TABLE agents RENAME COLUMN prompt TO wish"
    ),
    "no column for the key": lambda c: [
        c.execute("CREATE TABLE p AS SELECT execution_id, name, 'x' AS mood FROM phases"),
        c.execute("DROP TABLE phases"),
        c.execute("ALTER TABLE p RENAME TO phases"),
    ],
    "a key twice": lambda c: [
        c.execute("CREATE TABLE p AS SELECT * FROM phases"),
        c.execute("INSERT INTO p SELECT * FROM p WHERE id = 'phases-1'"),
        c.execute("UPDATE p SET name = 'again' WHERE rowid = 3"),
        c.execute("DROP TABLE phases"),
        c.execute("ALTER TABLE p RENAME TO phases"),
    ],
    "capitals": lambda c: [
        c.execute("ALTER TABLE agents RENAME TO a"),
        c.execute("ALTER TABLE a RENAME TO AGENTS"),
        c.execute("ALTER TABLE AGENTS RENAME COLUMN prompt TO p"),
        c.execute("ALTER TABLE AGENTS RENAME COLUMN p TO Prompt"),
    ],
    "no time": lambda c: c.execute("UPDATE phases SET started_at = 'yesterday'"),
}


@pytest.mark.parametrize("oddity", ODDITIES)
def test_oddities_are_kept(tmp_path: Path, oddity: str) -> None:
    path = original.make(tmp_path / "a.db", also=lambda c: (ODDITIES[oddity](c), None)[1])
    old = content(path)
    with create_smithers_db(path) as db:
        notes = db.query(
            "SELECT table_name, row_key, column_name, value, reason FROM conversion_notes"
        ).get()
        said = [tuple(note)[:4] for note in notes]
        if oddity == "an unknown column":
            assert said == [("agents", f"agents-{n}", "mood", "x") for n in (1, 2)]
        elif oddity == "an unknown table":
            assert db.query("SELECT * FROM mine").get()[0].y == "x"
        elif oddity in ("a view", "a trigger"):
            assert said[0][:2] == ("sqlite_schema", oddity[2])
            assert "CREATE" in said[0][3]
        elif oddity == "memories of no scope":
            assert [row.id for row in db.memories.list("c")] == ["m1"]
            assert [(note.row_key, '"two"' in note.value) for note in notes] == [("m2", True)]
        elif oddity == "memories of no scope, with a blob":
            assert said[0] == ("memories", "lost-memories-4", "content", "ff")
            assert [(note.row_key, r"\\xff" in note.value) for note in notes[1:]] == [
                ("lost-memories-4", True)
            ]
        elif oddity == "no column for what is needed":
            assert [row.prompt for row in db.agents.list("executions-1")] == [""]
            assert said[0] == ("agents", "agents-1", "wish", "prompt 1, not JSON: naïve ✓")
        elif oddity == "no column for the key":
            assert next(iter(db.phases.list("executions-1"))).id == "lost-phases-1"
            assert ("phases", "lost-phases-1", "mood", "x") in said
        elif oddity == "a key twice":
            assert [(note.row_key, '"again"' in note.value) for note in notes] == [
                ("phases-1", True)
            ]
        elif oddity == "capitals":
            assert notes == ()
            agent = db.agents.get("agents-2")
            assert agent is not None
            assert agent.prompt == "prompt 2, not JSON: naïve ✓"
        elif oddity == "no key":
            assert [row.id for row in db.agents.list("executions-1")] == [
                "agents-1",
                "lost-agents-3",
            ]
        elif oddity == "NULL where a default is":
            row = db.execution.get("executions-1")
            assert row is not None
            assert (row.exit_code, row.total_agents) == (0, 1)
            assert row.created_at == "2026-01-18T10:00:01.000Z"
        elif oddity == "numbers as text":
            assert db.agents.get("agents-1").duration_ms == "long"  # type: ignore[union-attr]
        elif oddity == "blobs":
            assert db.tools.get_output("tool_calls-1") == b"\x00\xff"
        else:
            assert db.phases.get("phases-1").started_at == "yesterday"  # type: ignore[union-attr]
    assert old


TIMES = {
    **{time: time for time in ("12:00", "now", "0", "2026", "2461058.5", "-0001-01-01", "")},
    **{time: time for time in ("2026-02-31", "1737158400", "Sun, 18 Jan 2026")},
    "2026-01-18": "2026-01-18T00:00:00.000Z",
    "2026-01-18 10:00": "2026-01-18T10:00:00.000Z",
    "2026-01-18T01:00:00+02:00": "2026-01-17T23:00:00.000Z",
}


def test_only_what_is_a_moment_is_written_as_one(tmp_path: Path) -> None:
    def times(connection: apsw.Connection) -> None:
        connection.executemany(
            "INSERT INTO phases (id, execution_id, name, created_at) "
            "VALUES (?1, 'executions-1', 'p', ?1)",
            [(time,) for time in TIMES],
        )

    path = original.make(tmp_path / "a.db", also=times)
    with create_smithers_db(path) as db:
        rows = db.query("SELECT id, created_at FROM phases WHERE name = 'p'").get()
        assert {row.id: row.created_at for row in rows} == TIMES


def test_what_has_no_place_is_noted(tmp_path: Path) -> None:
    """Columns with the names of new ones, and keys that are one only as text."""

    def change(connection: apsw.Connection) -> None:
        connection.execute("""
            ALTER TABLE render_frames ADD COLUMN iteration INTEGER NOT NULL DEFAULT 7;
            ALTER TABLE transitions ADD COLUMN seq TEXT DEFAULT 'x';
            ALTER TABLE memories ADD COLUMN seq INTEGER DEFAULT 1;
            CREATE TABLE s(key, value, execution_id);
            INSERT INTO s VALUES (1, '10', NULL), ('1', '20', 'executions-1');
            DROP TABLE state;
            ALTER TABLE s RENAME TO state;
            CREATE TABLE r(id, execution_id, type, title, content);
            INSERT INTO r VALUES
                (1, 'executions-1', 't', 'first', ''), ('1', NULL, 't', 'second', '');
            DROP TABLE reports;
            ALTER TABLE r RENAME TO reports;
        """)

    path = original.make(tmp_path / "a.db", also=change)
    with create_smithers_db(path) as db:
        notes = db.query(
            "SELECT table_name, row_key, column_name, value FROM conversion_notes"
        ).get()
        second = '{"id":"1","execution_id":null,"type":"t","title":"second","content":""}'
        assert {tuple(note) for note in notes} == {
            *(("render_frames", f"render_frames-{n}", "ralph_count", f"{n}") for n in (1, 2)),
            *(("transitions", f"transitions-{n}", "seq", "x") for n in (1, 2)),
            *(("memories", f"memories-{n}", "seq", "1") for n in (1, 2)),
            ("state", "1", None, "10"),
            ("state", "1", "execution_id", "executions-1"),
            ("reports", "1", None, second),
        }
        for table in ("transitions", "memories"):
            assert db.query(f"SELECT count(*) FROM {table}").get()[0][0] == 2


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_conversion_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    from smithers_db.migrations import conversion

    path = original.make(tmp_path / "a.db")
    plain = apsw.Connection(str(path))
    plain.execute(f"PRAGMA journal_mode = {journal}").fetchall()
    plain.close()
    before = path.read_bytes()

    def fail(self: conversion.Conversion) -> None:
        raise ValueError("for the test")

    monkeypatch.setattr(conversion.Conversion, "check", fail)
    with pytest.raises(MigrationError, match=r"cannot be converted.*for the test"):
        create_smithers_db(path)
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.backup")) == []


def test_transitions_of_no_run_rebuild_a_state_too(tmp_path: Path) -> None:
    path = original.make(tmp_path / "a.db")
    plain = apsw.Connection(str(path))
    for number in range(3):
        plain.execute(
            "INSERT INTO transitions (id, key, new_value, created_at) VALUES (?, ?, ?, '')",
            (f"t{number}", f"k{number % 2}", str(number)),
        )
    plain.close()
    with create_smithers_db(path) as db:
        assert db.state.at("t1") == {"k0": 0, "k1": 1}
        assert db.state.at("t2") == {"k0": 2, "k1": 1}


def test_a_killed_backup_is_never_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = original.make(tmp_path / "a.db")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f"a.db.20260101T000000000Z-{gone.pid}.part"
    others = tmp_path / f"a.db.20260101T000000000Z-{os.getpid()}.part"
    for part in (left, Path(f"{left}-journal"), others):
        part.write_bytes(b"")
    seen: list[str] = []
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        assert list(tmp_path.glob("*.backup")) == []
        seen.append(content(source)["executions"] and "whole")
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    create_smithers_db(path).close()
    assert seen == ["whole"]
    assert len(list(tmp_path.glob("*.backup"))) == 1
    assert list(tmp_path.glob("*.part*")) == [others]


def test_a_rehearsal_touches_nothing(tmp_path: Path) -> None:
    path = original.make(tmp_path / "a.db")
    before = path.read_bytes()
    report = rehearse(path)
    assert (len(report.applied), report.notes) == (len(known()), 0)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]
    assert migrate_file(path).applied == report.applied
    assert migrate_file(path).applied == []


def test_a_file_that_is_always_written_to_is_converted_with_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = original.make(tmp_path / "a.db")
    writer = apsw.Connection(str(path))
    writer.execute("PRAGMA journal_mode = WAL").fetchall()
    copies: list[Path] = []
    passing_copy = migrations.passing_copy

    @contextmanager
    def outdated(db: ReactiveDatabase) -> Iterator[Path]:
        with passing_copy(db) as copy:
            assert len(copies) < 5, "it would go on for ever"
            copies.append(copy)
            writer.execute(
                "INSERT INTO state (key, value) VALUES (?, ?)", (str(copy), "'written since'")
            )
            yield copy

    monkeypatch.setattr(migrations, "passing_copy", outdated)
    with create_smithers_db(path) as db:
        assert str(copies[-1]) in db.state.get_all(execution_id="executions-2")
    (backup,) = tmp_path.glob("*.backup")
    assert str(copies[-1]) in content(backup)["state"]
    writer.close()
    assert list(tmp_path.glob("*.part*")) == []


def test_opening_says_that_it_converted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = original.make(tmp_path / "a.db")
    create_smithers_db(path).close()
    assert "was a file of the original" in caplog.text
    caplog.clear()
    create_smithers_db(path).close()
    assert caplog.text == ""


def test_conversions_that_are_killed_leave_no_backup_each(tmp_path: Path) -> None:
    path = original.make(tmp_path / "a.db")
    killed = (
        "import os, sys; from smithers_db import create_smithers_db;"
        "from smithers_db.migrations import conversion;"
        "import apsw;"
        "c = apsw.Connection(sys.argv[1]); c.execute('PRAGMA journal_mode = WAL').fetchall();"
        "c.close();"  # else the first conversion is one of a copy
        "conversion.Conversion.check = lambda self: os._exit(9);"
        "create_smithers_db(sys.argv[1])"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", killed, str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 9
        assert list(tmp_path.glob("*.backup")) == []
    create_smithers_db(path).close()
    (backup,) = tmp_path.glob("*.backup")
    assert content(backup)["executions"]
    assert list(tmp_path.glob("*.part*")) == []


def test_a_commit_that_fails_leaves_no_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = original.make(tmp_path / "a.db")
    with ReactiveDatabase(path) as db:
        before = content(path)
        transaction = ReactiveDatabase.transaction

        @contextmanager
        def failing(self: ReactiveDatabase) -> Iterator[None]:
            outermost = self.transaction_thread is None
            with transaction(self):
                yield
                if outermost:
                    assert list(tmp_path.glob("*.backup"))
                    raise apsw.FullError("for the test")

        monkeypatch.setattr(ReactiveDatabase, "transaction", failing)
        with pytest.raises(apsw.FullError):
            migrations.migrate(db)
    assert content(path) == before
    assert {file.name for file in tmp_path.iterdir()} <= {"a.db", "a.db-wal", "a.db-shm"}
