"""Writers killed by SIGKILL in mid-write: the file is whole and nothing that was told is lost."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase

from .writer import ACCOUNTS, SCHEMA, TOTAL

ROOT = Path(__file__).parent.parent.parent
WRITERS = 3


@contextlib.contextmanager
def writers(kind: str, path: Path, first: int, count: int = WRITERS) -> Iterator[list[Any]]:
    """Processes that write; whatever happens, they are dead at the end."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.crash.writer", kind, str(path), str(first + number)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(count)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate(timeout=20)


def told(process: Any, enough: int) -> int:
    """Read until the process has told of `enough` commits; kill it; the last commit it told of."""
    last = -1
    for line in process.stdout:
        last = int(line)
        if last >= enough:
            break
    process.kill()
    rest = process.stdout.read().split(b"\n")
    if process.wait(20) != -9:
        raise AssertionError(process.stderr.read().decode())
    whole = [int(line) for line in rest[:-1] if line]  # the last line may be cut
    return max([last, *whole])


def intact(path: Path) -> apsw.Connection:
    """A plain connection to a file that SQLite finds in order."""
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    return connection


@pytest.mark.parametrize("seed", range(2))
def test_money_is_neither_lost_nor_made(seed: int, tmp_path: Path) -> None:
    random, path = Random(seed), tmp_path / "t.db"
    with ReactiveDatabase(path) as db:
        db.executescript(SCHEMA)
        share = TOTAL // ACCOUNTS
        db.executemany("INSERT INTO account VALUES (?, ?)", [(n, share) for n in range(ACCOUNTS)])
        sums: list[int] = []
        counts: list[int] = []
        db.query_value("SELECT sum(balance) FROM account").subscribe(sums.append)
        db.query_value("SELECT count(*) FROM ledger").subscribe(counts.append)
        heard: dict[int, int] = {}
        for first in (0, 10):  # the second crew finds what the first one left behind
            with writers("money", path, first) as started:
                for number, process in enumerate(started, first):
                    heard[number] = told(process, random.randint(3, 60))
                    db.look()
        db.look()
        db.flush()
        connection = intact(path)
        for number, last in heard.items():
            rows = connection.execute(
                "SELECT count(*), max(number) FROM ledger WHERE writer = ?", (number,)
            ).fetchall()
            count, highest = rows[0]
            assert highest >= last, "a commit that was told of is lost"
            assert count == highest + 1, "a commit in the middle is lost"
        ledger = connection.execute("SELECT count(*) FROM ledger").fetchall()[0][0]
        notes = connection.execute("SELECT count(*) FROM note").fetchall()[0][0]
        assert connection.execute("SELECT sum(balance) FROM account").fetchall() == [(TOTAL,)]
        assert notes == ledger, "half a transaction was committed"
        assert sums == [TOTAL], "a live value showed half a transfer"
        assert counts[-1] == ledger
        assert counts == sorted(set(counts))
        connection.close()
    assert not path.with_name("t.db-wal").exists()


def test_agents_killed_at_work(tmp_path: Path) -> None:
    from smithers_db import create_smithers_db

    random, path = Random(5), tmp_path / "smithers.db"
    create_smithers_db(str(path)).close()
    with writers("agents", path, 0) as started:
        heard = [told(process, random.randint(2, 25)) for process in started]
    connection = intact(path)
    for number, last in enumerate(heard):
        done = connection.execute(
            "SELECT count(*) FROM agents WHERE prompt LIKE ? AND status = 'completed'",
            (f"prompt {number} %",),
        ).fetchall()[0][0]
        assert done >= last + 1, "an agent that was told to be complete is lost"
    connection.close()
    with create_smithers_db(str(path)) as db:
        assert len(db.execution.list()) == WRITERS


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1])
def test_killed_while_the_file_is_made(delay: float, tmp_path: Path) -> None:
    """A process that dies in the middle of the migrations leaves a file that the next one opens."""
    from smithers_db import create_smithers_db

    path = tmp_path / "smithers.db"
    with writers("agents", path, 0, count=2) as started:
        while not path.exists() and all(process.poll() is None for process in started):
            pass
        with contextlib.suppress(subprocess.TimeoutExpired):
            started[0].wait(delay or 0.001)
        for process in started:
            process.kill()
            process.wait(20)
    with create_smithers_db(str(path)) as db:
        execution = db.execution.start("after", "main.tsx")
        assert db.execution.get(execution) is not None
    intact(path).close()
