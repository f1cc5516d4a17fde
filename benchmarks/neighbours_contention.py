"""8 processes × 300 read-modify-write transactions on one counter, and what the journal costs.

    python -m benchmarks.neighbours_contention

Prints JSON lines: transactions a second of this package and of raw APSW with BEGIN IMMEDIATE, lost
updates and failures (both must be 0), and the cost of a journalled commit over a plain one.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from reactive_sqlite import ReactiveDatabase

PROCESSES, TRANSACTIONS = 8, 300
CONTENTION_BAR, JOURNAL_BAR = 0.7, 1.5


def open_counter(kind: str, path: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """One read-modify-write transaction, and the end."""
    if kind == "raw":
        raw = apsw.Connection(path)
        raw.set_busy_timeout(30_000)
        raw.execute("PRAGMA synchronous=NORMAL").fetchall()

        def add() -> None:
            raw.execute("BEGIN IMMEDIATE").fetchall()
            ((n,),) = raw.execute("SELECT n FROM counter").fetchall()
            raw.execute("UPDATE counter SET n = ?", (n + 1,)).fetchall()
            raw.execute("COMMIT").fetchall()

        return add, raw.close
    db = ReactiveDatabase(path, journal={"ours": None, "ours, journalled": True}[kind])
    counter = db.query_value("SELECT n FROM counter")

    def add_one() -> None:
        with db.transaction():
            db.execute("UPDATE counter SET n = ?", (counter.get() + 1,))

    return add_one, db.close


def increment(kind: str, path: str, transactions: int) -> None:
    """In a process of its own: say when ready, wait for the word, say how many failed."""
    add, close = open_counter(kind, path)
    print("ready", flush=True)
    sys.stdin.readline()
    failures = 0
    for _ in range(transactions):
        try:
            add()
        except apsw.Error:
            failures += 1
    print(failures, flush=True)
    close()


def contend(kind: str, processes: int, transactions: int) -> dict[str, object]:
    """All processes at once, from the moment when all are ready."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "counter.db")
        with ReactiveDatabase(path) as db:
            db.executescript("CREATE TABLE counter(n); INSERT INTO counter VALUES (0)")
            command = [sys.executable, "-m", "benchmarks.neighbours_contention", kind, path]
            crew = [
                subprocess.Popen(
                    [*command, str(transactions)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for _ in range(processes)
            ]
            for process in crew:
                _line(process)
            start = time.perf_counter()
            failures = sum(int(_line(process)) for process in _told(crew))
            seconds = time.perf_counter() - start
            for process in crew:
                process.communicate()
            counted = db.query_value("SELECT n FROM counter").get()
    expected = processes * transactions - failures
    return {
        "who": kind,
        "per_second": round(expected / seconds),
        "failures": failures,
        "lost": expected - counted,
    }


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _told(crew: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    for process in crew:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return crew


def commit_cost(commits: int) -> dict[str, float]:
    """Median microseconds of one committed UPDATE on disk, synchronous=NORMAL, in turns."""
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        databases = {}
        for name, journal in (("plain", False), ("journalled", True)):
            db = databases[name] = ReactiveDatabase(Path(folder) / f"{name}.db", journal=journal)
            db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c)")
            db.executemany("INSERT INTO t VALUES (?, 1, 'two', 3.0)", [(i,) for i in range(1000)])
        for start in range(0, commits, 100):
            for name, db in databases.items():
                for n in range(start, start + 100):
                    begun = time.perf_counter_ns()
                    db.execute("UPDATE t SET a = ? WHERE id = ?", (n + 2, n % 1000))
                    times.setdefault(name, []).append((time.perf_counter_ns() - begun) / 1000)
        for db in databases.values():
            db.close()
    return {name: statistics.median(taken) for name, taken in times.items()}


def measure(
    processes: int = PROCESSES, transactions: int = TRANSACTIONS, commits: int = 5000
) -> list[dict[str, object]]:
    """All questions, with their bars."""
    found: list[dict[str, object]] = []
    rates: dict[str, list[int]] = {}
    for _ in range(2):
        for kind in ("raw", "ours", "ours, journalled"):
            outcome = contend(kind, processes, transactions)
            rates.setdefault(kind, []).append(int(str(outcome["per_second"])))
            found.append({"question": "read-modify-write", **outcome})
    raw = statistics.median(rates["raw"])
    for kind in ("ours", "ours, journalled"):
        ratio = round(statistics.median(rates[kind]) / raw, 2)
        found.append({"question": f"{kind}: rate to raw", "ratio": ratio, "bar": CONTENTION_BAR})
    cost = commit_cost(commits)
    ratio = round(cost["journalled"] / cost["plain"], 2)
    found.append({"question": "journal: µs a commit", **cost, "ratio": ratio, "bar": JOURNAL_BAR})
    return found


def main() -> None:
    if len(sys.argv) == 4:
        kind, path, transactions = sys.argv[1:]
        increment(kind, path, int(transactions))
        return
    for line in measure():
        print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
