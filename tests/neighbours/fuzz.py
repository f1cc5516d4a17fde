"""Many processes on one file: participants and strangers write, everybody who watches is checked.

    python -m tests.neighbours.fuzz --seconds 60 --seed 1

Rounds of writing and of rest. While writing, no live value may be older than the one before it
(each query's value holds a counter that only grows). At rest, every live value must equal a fresh
run. Processes are killed in the middle and replaced, transactions stay open for long, the schema
changes, the log is emptied, the file is vacuumed. In the end it is replaced by another one, and
everybody who watches must say so. Prints what was done and every fault.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apsw

from reactive_sqlite import ReactiveDatabase

SCHEMA = """
    CREATE TABLE IF NOT EXISTS clock(n INTEGER);
    CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, kind INTEGER, x, n INTEGER);
    CREATE TABLE IF NOT EXISTS log(kind INTEGER, n INTEGER, PRIMARY KEY(kind, n)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS items_kind ON items(kind);
"""
KINDS = 6
QUERIES = [
    *[f"SELECT count(*), coalesce(sum(x), 0), coalesce(max(n), 0) FROM items WHERE kind = {k}"
      for k in range(KINDS)],
    *[f"SELECT id, x, n FROM items WHERE id = {i}" for i in range(1, 9)],
    "SELECT kind, max(n) FROM log GROUP BY kind ORDER BY kind",
    "SELECT n FROM clock",
    "SELECT items.id, items.x, clock.n FROM items, clock ORDER BY items.n DESC LIMIT 5",
]  # fmt: skip


#: What changes no rows, and yet what can be known of the file.
UPHEAVALS = [
    "CREATE INDEX IF NOT EXISTS items_n ON items(n)",
    "DROP INDEX IF EXISTS items_n",
    "CREATE TABLE IF NOT EXISTS side(a)",
    "DROP TABLE IF EXISTS side",
    "CREATE VIEW IF NOT EXISTS newest AS SELECT max(n) FROM items",
    "DROP VIEW IF EXISTS newest",
    "ANALYZE",
    "REINDEX",
    "VACUUM",
    "PRAGMA user_version = 7",
    "PRAGMA wal_checkpoint(PASSIVE)",
    "PRAGMA wal_checkpoint(RESTART)",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA wal_autocheckpoint = 30",
]


def statements(rng: random.Random) -> list[str]:
    """The statements of one transaction; the clock goes forward with each."""
    found = ["UPDATE clock SET n = n + 1"] if rng.random() < 0.7 else []
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        kind, row = rng.randrange(KINDS), rng.randrange(1, 40)
        found.append(
            rng.choice(
                (
                    f"INSERT OR REPLACE INTO items SELECT {row}, {kind}, {rng.randrange(100)}, n "
                    "FROM clock",
                    f"UPDATE items SET x = x + 1 WHERE kind = {kind}",
                    f"UPDATE items SET id = id + 1000 WHERE id = {row} AND NOT EXISTS "
                    f"(SELECT 1 FROM items WHERE id = {row + 1000})",
                    f"DELETE FROM items WHERE id = {row}",
                    f"INSERT OR IGNORE INTO log SELECT {kind}, n FROM clock",
                    f"UPDATE items SET x = x WHERE id = {row}",
                    "DELETE FROM items WHERE id IN (SELECT id FROM items WHERE id > 1020)",
                )
            )
        )
    return found


class Participant:
    """A process that writes and watches through the package."""

    def __init__(self, path: str, rng: random.Random) -> None:
        journal = rng.choice((None, None, None, True, False))
        maintain = rng.choice(("auto", "always"))
        self.db = ReactiveDatabase(path, journal=journal, maintain=maintain)
        self.rng = rng
        self.faults: list[str] = []
        self.errors: list[Exception] = []
        self.values: dict[str, list[tuple[object, ...]]] = {}
        self.clock = -1
        self.seen = 0
        self.subscriptions = [
            self.db.query(sql).subscribe(
                lambda rows, sql=sql: self.receive(sql, rows), self.errors.append
            )
            for sql in rng.sample(QUERIES, rng.randrange(0, len(QUERIES) + 1))
        ]

    def noticed(self) -> dict[str, object]:
        """Whether each subscriber was told that the path names another file now."""
        deadline = time.monotonic() + 5
        told = len(self.subscriptions)
        while len(self.errors) < told and time.monotonic() < deadline:
            time.sleep(0.02)
        if len(self.errors) < told:
            return {"faults": [f"replaced: {len(self.errors)} of {told} were told"]}
        return {}

    def receive(self, sql: str, rows: tuple[tuple[object, ...], ...]) -> None:
        self.seen += 1
        self.values[sql] = [tuple(row) for row in rows]
        if sql == "SELECT n FROM clock":
            (now,) = rows[0]
            if now < self.clock:  # type: ignore[operator]
                self.faults.append(f"out of order: clock {self.clock} then {now}")
            self.clock = now  # type: ignore[assignment]

    def write(self) -> None:
        act = self.rng.random()
        if act < 0.02:
            self.db.execute(self.rng.choice(UPHEAVALS))
        elif act < 0.04:
            with self.db.transaction():  # others wait, and have nothing to see
                self.db.execute(statements(self.rng)[0])
                time.sleep(self.rng.uniform(0, 0.15))
                self.db.execute(statements(self.rng)[-1])
        elif act < 0.1:
            self.db.execute("SAVEPOINT s")
            for sql in statements(self.rng):
                self.db.execute(sql)
            self.db.execute("RELEASE s")
        elif act < 0.5:
            self.db.execute(statements(self.rng)[0])
        else:
            with contextlib.suppress(Undo), self.db.transaction():
                for sql in statements(self.rng):
                    self.db.execute(sql)
                if self.rng.random() < 0.1:
                    raise Undo

    def stale(self) -> list[str]:
        # Not the standard library's sqlite3: two copies of SQLite in one process drop each
        # other's locks. https://sqlite.org/howtocorrupt.html 2.2.1
        oracle = apsw.Connection(self.db._engine.filename, flags=apsw.SQLITE_OPEN_READONLY)
        oracle.set_busy_timeout(30_000)
        fresh = {sql: oracle.execute(sql).fetchall() for sql in self.values}
        oracle.close()
        return [sql for sql, rows in fresh.items() if rows != self.values[sql]]

    def rest(self) -> dict[str, object]:
        deadline = time.monotonic() + 5
        while (stale := self.stale()) and time.monotonic() < deadline:
            time.sleep(0.02)
        faults, self.faults = self.faults, []
        unexplained = self.db._engine.foreign.unexplained if self.db._engine.foreign else 0
        return {
            "stale": stale,
            "faults": faults,
            "seen": self.seen,
            "unexplained": unexplained,
            "checks": len(self.values),
        }


class Undo(Exception):
    """Rolls a transaction back."""


class Stranger:
    """A process that writes with another driver."""

    def __init__(self, path: str, rng: random.Random) -> None:
        self.db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.rng = rng
        if rng.random() < 0.3:
            self.db.execute("PRAGMA wal_autocheckpoint=20")

    def write(self) -> None:
        act = self.rng.random()
        if act < 0.04:
            self.db.execute(self.rng.choice(UPHEAVALS)).fetchall()
            return
        if act < 0.045:  # refused while others have the file open
            with contextlib.suppress(sqlite3.OperationalError):
                self.db.execute("PRAGMA busy_timeout = 0")
                self.db.execute("PRAGMA journal_mode = DELETE").fetchall()
            self.db.execute("PRAGMA busy_timeout = 30000")
            return
        self.db.execute("BEGIN IMMEDIATE")
        for sql in statements(self.rng):
            self.db.execute(sql)
        self.db.execute("ROLLBACK" if self.rng.random() < 0.1 else "COMMIT")

    def rest(self) -> dict[str, object]:
        return {}

    def noticed(self) -> dict[str, object]:
        """Nobody tells a stranger."""
        return {}


def work(path: str, role: str, seed: int) -> None:
    """A worker: each line on stdin is the seconds to write for; then it rests and reports."""
    rng = random.Random(seed)
    worker = (Stranger if role == "stranger" else Participant)(path, rng)
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "replaced\n":
            print(json.dumps(worker.noticed()), flush=True)
            continue
        seconds, pause = json.loads(line)
        end, writes = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            worker.write()
            writes += 1
            time.sleep(rng.expovariate(1 / pause))
        print(json.dumps({"writes": writes}), flush=True)
        if not sys.stdin.readline():  # everybody has stopped writing
            return
        print(json.dumps(worker.rest()), flush=True)


class Crew:
    """The workers and what they report."""

    def __init__(self, path: Path, rng: random.Random, roles: list[str]) -> None:
        self.path = path
        self.rng = rng
        self.workers = [self.start(role) for role in roles]
        self.totals = dict.fromkeys(("writes", "seen", "checks", "unexplained", "kills"), 0)
        self.faults: list[str] = []

    def start(self, role: str) -> tuple[str, subprocess.Popen[str]]:
        seed = self.rng.randrange(1 << 30)
        command = [sys.executable, "-m", "tests.neighbours.fuzz"]
        command += ["--work", str(self.path), role, "--seed", str(seed)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", f"a {role} did not start (seed {seed})"
        return role, process

    def round(self, seconds: float) -> None:
        for _, process in self.workers:
            self.tell(process, json.dumps((seconds, self.rng.choice((0.0005, 0.003, 0.02)))))
        if self.rng.random() < 0.4:
            time.sleep(self.rng.uniform(0, seconds))
            at = self.rng.randrange(len(self.workers))
            role, process = self.workers.pop(at)
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.totals["kills"] += 1
            self.workers.append(self.start(role))
            self.tell(self.workers[-1][1], "[0.01, 0.01]")
        for _, process in self.workers:
            self.collect(process)
        for _, process in self.workers:
            self.tell(process, "rest")
        for _, process in self.workers:
            self.collect(process)
        check = sqlite3.connect(self.path, timeout=30)
        if check.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            self.faults.append("integrity_check failed")
        check.close()

    def replace(self) -> None:
        """Put another file in its place."""
        other = self.path.with_name("other.db")
        sqlite3.connect(other).close()
        os.replace(other, self.path)
        for _, process in self.workers:
            self.tell(process, "replaced")
        for _, process in self.workers:
            self.collect(process)

    def tell(self, process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            self.faults.append(f"a worker has died: {process.args}")
            return
        report = json.loads(line)
        for key in self.totals:
            self.totals[key] += report.get(key, 0)
        self.faults += [f"stale at rest: {sql}" for sql in report.get("stale", ())]
        self.faults += report.get("faults", ())

    def dismiss(self) -> None:
        for _, process in self.workers:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()


def run(seconds: float, seed: int) -> tuple[dict[str, int], list[str]]:
    """Play rounds until the time is up; the totals and the faults."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.db"
        with ReactiveDatabase(path) as db:
            db.executescript(SCHEMA)
            db.execute("INSERT INTO clock VALUES (0)")
        crew = Crew(path, rng, ["participant"] * 3 + ["stranger"] * rng.choice((0, 1, 1, 2)))
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end and not crew.faults:
                crew.round(rng.choice((0.05, 0.3, 1.0)))
            if not crew.faults:
                crew.replace()
        finally:
            crew.dismiss()
        return crew.totals, crew.faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--work", nargs=2, metavar=("PATH", "ROLE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 30) if arguments.seed is None else arguments.seed
    if arguments.work:
        work(*arguments.work, seed)
        return 0
    end = time.monotonic() + arguments.seconds
    while (left := end - time.monotonic()) > 0:
        totals, faults = run(min(left, 20), seed)
        told = ", ".join(f"{number} {name}" for name, number in totals.items())
        print(f"seed {seed}: {told}, {len(faults)} faults", flush=True)
        if faults:
            print(*faults, sep="\n")
            return 1
        seed += 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        sys.exit(main())
    os._exit(1)
