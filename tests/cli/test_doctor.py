"""`reactive-sqlite doctor`: what it says of healthy, busy and broken files, and its exit status."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.neighbours.doctor import examine
from tests.cli.test_watch import COMMAND
from tests.neighbours.processes import participant, stranger


def doctor(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "doctor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def findings(path: Path, status: int) -> dict[str, tuple[str, str]]:
    done = doctor(path, "--json")
    assert done.returncode == status, done
    found = map(json.loads, done.stdout.splitlines())
    return {finding["topic"]: (finding["verdict"], finding["text"]) for finding in found}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with ReactiveDatabase(tmp_path / "some.db") as db:
        db.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
            "CREATE TABLE child(t REFERENCES t); INSERT INTO t VALUES (1, 'x');"
        )
    return tmp_path / "some.db"


def test_a_healthy_file(path: Path) -> None:
    before = path.read_bytes()
    found = findings(path, 0)
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert found["journal mode"][1] == "wal"
    assert found["integrity"][1] == "ok"
    assert path.read_bytes() == before
    assert doctor(path).stdout.count("\n") == len(found)


def test_who_has_it_open(path: Path) -> None:
    with participant(path, "{'journal': True}") as friend, stranger(path) as other:
        friend.runs("UPDATE t SET x = 1")
        friend.runs("UPDATE t SET x = 2")
        other.runs("BEGIN IMMEDIATE")
        found = findings(path, 0)
        users = found["open in"][1]
        assert str(friend.process.pid) in users
        assert str(other.process.pid) in users
        verdict, text = found["write lock"]
        assert verdict == "note"
        assert f"held by process {other.process.pid} " in text
        assert found["journal"][1] == "2 commits, numbers 1 to 2"
        assert "pages in use" in found["write-ahead log"][1]


def test_a_rollback_journal_is_worth_a_note(path: Path) -> None:
    with stranger(path) as other:
        other.runs("PRAGMA journal_mode=DELETE")
    verdict, text = findings(path, 0)["journal mode"]
    assert verdict == "note"
    assert text.startswith("delete")


def test_rows_that_refer_to_nothing(path: Path) -> None:
    with stranger(path) as other:
        other.runs("INSERT INTO child VALUES (5), (6)")
    assert findings(path, 1)["foreign keys"] == ("wrong", "2 rows refer to no row, in child")


def test_a_journal_with_a_gap(path: Path) -> None:
    with participant(path, "{'journal': True}") as friend:
        for _ in range(3):
            friend.runs("UPDATE t SET x = x || 'x'")
    with stranger(path) as other:
        other.runs("DELETE FROM _reactive_journal WHERE seq = 2")
    verdict, text = findings(path, 1)["journal"]
    assert verdict == "wrong"
    assert "starts over" in text


def test_a_table_that_only_has_the_name_of_the_journal(path: Path) -> None:
    with ReactiveDatabase(path) as db:
        db.execute("DROP TABLE IF EXISTS _reactive_journal")
        db.execute("CREATE TABLE _reactive_journal(a, b)")
    finding = next(found for found in examine(str(path)) if found.topic == "journal")
    assert finding.verdict == "note"
    assert "is no journal" in finding.text


def test_a_damaged_file(path: Path) -> None:
    with stranger(path) as other:
        other.runs("CREATE INDEX i ON t(x)")
        other.does("for n in range(2000): run('INSERT INTO t(x) VALUES (randomblob(20))')")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(content)
    assert findings(path, 1)["integrity"][0] == "wrong"


@pytest.mark.parametrize(
    ("name", "says"), [("", "is a directory"), ("none.db", "no file"), ("a.txt", "not a database")]
)
def test_what_cannot_be_examined(path: Path, name: str, says: str) -> None:
    (path.parent / "a.txt").write_text("hello " * 1000)
    done = doctor(path.parent / name)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_does_not_stand_in_anybodys_way(path: Path) -> None:
    assert sys.platform != "linux" or os.path.exists("/proc/locks")
    with sqlite3.connect(path) as other:
        other.execute("UPDATE t SET x = 9")
        assert findings(path, 0)["open in"][0] == "ok"
    other.close()
