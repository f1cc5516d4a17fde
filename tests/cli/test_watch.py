"""`reactive-sqlite watch` as a process of its own, beside another program that writes."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from reactive_sqlite.cli import main; main()"]


@pytest.fixture(params=["wal", "delete"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "some.db"
    with sqlite3.connect(path) as stranger:
        stranger.execute(f"PRAGMA journal_mode={request.param}")
        stranger.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES(1, 'a')"
        )
    stranger.close()
    return path


@contextmanager
def watching(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, "watch", *map(str, arguments), "--seconds", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        try:
            yield p
        finally:
            p.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def write(path: Path, sql: str) -> None:
    stranger = sqlite3.connect(path, timeout=20)
    with stranger:
        stranger.execute(sql)
    stranger.close()


def journal_mode(path: Path) -> str:
    stranger = sqlite3.connect(path)
    (mode,) = stranger.execute("PRAGMA journal_mode").fetchone()
    stranger.close()
    return str(mode)


def test_follows_what_another_program_writes(file: Path) -> None:
    mode = journal_mode(file)
    with watching(file, "SELECT id, x FROM t", "--json", "--count", 3) as process:
        assert json.loads(line(process))["rows"] == [[1, "a"]]
        write(file, "UPDATE t SET x = x'00ff'")
        assert json.loads(line(process))["rows"] == [[1, {"blob": "00ff"}]]
        write(file, "DELETE FROM t")
        last = json.loads(line(process))
        assert (last["columns"], last["rows"]) == (["id", "x"], [])
        assert process.wait(20) == 0
    assert journal_mode(file) == mode


def test_plain_lines_cannot_move_the_cursor(file: Path) -> None:
    write(file, "INSERT INTO t VALUES (2, char(27) || '[2J' || char(10)), (3, NULL)")
    with watching(file, "SELECT id, x FROM t", "--count", 1) as process:
        shown, _ = process.communicate(timeout=20)
        assert process.returncode == 0
    head, *rows = shown.splitlines()
    assert head.endswith(" 3 rows")
    assert rows == ["id\tx", "1\ta", "2\t\\x1b[2J\\n", "3\tNULL"]


def test_a_failure_is_shown_and_so_is_the_recovery(file: Path) -> None:
    with watching(file, "SELECT x FROM t", "--json", "--count", 3) as process:
        line(process)
        write(file, "ALTER TABLE t RENAME TO u")
        assert json.loads(line(process))["error"] == "no such table: t"
        write(file, "ALTER TABLE u RENAME TO t")
        assert json.loads(line(process))["rows"] == [["a"]]


def test_the_first_value_is_shown_however_short_the_time(file: Path) -> None:
    command = [*COMMAND, "watch", str(file), "SELECT x FROM t", "--json", "--seconds", "0"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    assert json.loads(ran.stdout)["rows"] == [["a"]]


def test_interrupting_it_is_no_failure(file: Path) -> None:
    with watching(file, "SELECT x FROM t") as process:
        line(process)
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=20)
        assert (process.returncode, complaints) == (0, "")


def test_on_a_terminal_the_result_stays_in_place(file: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "watch", str(file), "SELECT id, x FROM t", "--count", "2"]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, text=True) as process:
        os.close(theirs)
        seen = b""
        while b"Ctrl-C ends" not in seen:
            seen += os.read(ours, 4096)
        assert b"1 row" in seen
        write(file, "INSERT INTO t VALUES (2, 'b')")
        while b"2 rows" not in seen:
            seen += os.read(ours, 4096)
        assert process.wait(20) == 0
    os.close(ours)


def test_it_ends_when_nobody_reads_any_more(file: Path) -> None:
    """Even if nothing is ever written to the file again."""
    command = [*COMMAND, "watch", str(file), "SELECT x FROM t"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        try:
            line(p)
            assert p.stdout is not None
            p.stdout.close()
            assert p.wait(20) == 0
            assert p.stderr is not None
            assert p.stderr.read() == ""
        finally:
            p.kill()


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_letters_that_the_output_does_not_know(file: Path, options: list[str]) -> None:
    write(file, "UPDATE t SET x = 'é長'")
    command = [*COMMAND, "watch", str(file), "SELECT x FROM t", "--count", "1", *options]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    if options:
        assert json.loads(done.stdout)["rows"] == [["é長"]]
    else:
        assert done.stdout.endswith("\n\\xe9\\u9577\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
@pytest.mark.parametrize("output", ["/dev/full", "&-"])
@pytest.mark.parametrize("verb", ["watch", "doctor"])
def test_an_output_that_takes_nothing(file: Path, verb: str, output: str) -> None:
    arguments = [*COMMAND, verb, str(file), *(["SELECT 1", "--count", "1"] * (verb == "watch"))]
    command = f"{shlex.join(arguments)} >{output}"
    done = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("reactive-sqlite: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "sql", "says"),
    [
        ("nothing.db", "SELECT 1", "there is no file"),
        ("", "SELECT 1", "is a directory"),
        ("text.db", "SELECT 1", "file is not a database"),
        ("pipe", "SELECT 1", "is no regular file"),
        (os.fsdecode(b"\xff.db"), "SELECT 1", "not UTF-8"),
        ("some.db", "SELEC 1", "syntax error"),
        ("some.db", "SELECT * FROM nope", "no such table: nope"),
        ("some.db", "DELETE FROM t", "DELETE is not a query; watch only reads: 'DEL"),
        ("some.db", "SELECT abs(-9223372036854775808)", "integer overflow"),
        ("some.db", "SELECT 1; SELECT 2", "one statement at a time: 'SEL"),
    ],
)
@pytest.mark.parametrize("file", ["delete"], indirect=True)
def test_misuse_is_one_line_and_status_2(file: Path, name: str, sql: str, says: str) -> None:
    (file.parent / "text.db").write_text("hello " * 1000)
    (file.parent / os.fsdecode(b"\xff.db")).touch()
    os.mkfifo(file.parent / "pipe")
    with watching(file.parent / name, sql) as process:
        shown, complaint = process.communicate(timeout=20)
    assert process.returncode == 2
    assert says in complaint
    assert (shown, complaint.count("\n")) == ("", 1)


def test_the_package_itself_needs_no_command_line_libraries() -> None:
    program = "import sys, reactive_sqlite; print({'typer', 'rich'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout == "set()\n"
