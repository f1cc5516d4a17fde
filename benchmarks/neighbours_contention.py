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

PROCESSES, TRANSACTIONS, ROUNDS = 8, 300, 5
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
    """In a process of its own: say when ready, wait for the word, say how many failed, wait."""
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
    sys.stdin.readline()  # an interpreter that ends takes a core away from those still at work
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
            for process in crew:
                _start(process)
            failures = sum(int(_line(process)) for process in crew)
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


def _start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


RECORD = b"8 bytes " + bytes(60)
SCHEMA = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c)"
UPDATE = "UPDATE t SET a = ? WHERE id = ?"


def committer(kind: str, path: Path, rows: int) -> tuple[Callable[[int], None], Callable[[], None]]:
    """One transaction that updates so many of 1,000 rows, numbered; and the end."""
    values = [(row, 1, "two", 3.0) for row in range(1000)]
    if kind.startswith("raw"):
        raw = apsw.Connection(str(path))
        for sql in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", SCHEMA):
            raw.execute(sql).fetchall()
        raw.execute("CREATE TABLE journal(seq INTEGER PRIMARY KEY, change)").fetchall()
        raw.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", values).fetchall()
        by_hand = kind == "raw, journalled"

        def commit_raw(n: int) -> None:
            if rows > 1 or by_hand:
                raw.execute("BEGIN IMMEDIATE")
            for row in range(rows):
                raw.execute(UPDATE, (n + 2, (n * rows + row) % 1000))
            if by_hand:
                record = RECORD * rows + n.to_bytes(8, "big")
                raw.execute("INSERT INTO journal(change) VALUES (?)", (record,))
            if rows > 1 or by_hand:
                raw.execute("COMMIT")

        return commit_raw, raw.close
    db = ReactiveDatabase(path, journal=kind == "ours, journalled")
    db.execute(SCHEMA)
    db.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", values)

    def commit(n: int) -> None:
        if rows == 1:
            db.execute(UPDATE, (n + 2, n % 1000))
            return
        with db.transaction():
            for row in range(rows):
                db.execute(UPDATE, (n + 2, (n * rows + row) % 1000))

    return commit, db.close


KINDS = ("raw", "raw, journalled", "ours", "ours, journalled")


def commit_cost(commits: int, rows: int = 1) -> dict[str, tuple[float, float, float]]:
    """Microseconds of a commit on disk, synchronous=NORMAL, in turns of 100.

    The median and the mean, by the clock (the mean has the checkpoints in it), and the median in
    processor time.
    """
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    used: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        doers = {kind: committer(kind, Path(folder) / f"{kind}.db", rows) for kind in KINDS}
        for start in range(0, commits, 100):
            for kind, (commit, _) in doers.items():
                processor = time.process_time_ns()
                for n in range(start, start + 100):
                    begun = time.perf_counter_ns()
                    commit(n)
                    times[kind].append((time.perf_counter_ns() - begun) / 1000)
                used[kind].append((time.process_time_ns() - processor) / 100_000)
        for _, close in doers.values():
            close()
    middle, mean = statistics.median, statistics.mean
    return {kind: (middle(times[kind]), mean(times[kind]), middle(used[kind])) for kind in KINDS}


def journal(commits: int) -> list[dict[str, object]]:
    """What the journal costs: of one row, and of ten; by hand, and here."""
    found: list[dict[str, object]] = []
    for rows in (1, 10):
        cost = commit_cost(commits // rows, rows)
        for who in ("raw", "ours"):
            plain, journalled = cost[who], cost[f"{who}, journalled"]
            ratios = [
                round(with_it / without, 2)
                for with_it, without in zip(journalled, plain, strict=True)
            ]
            found.append(
                {
                    "question": f"journal, {rows} rows a commit, {who}",
                    "plain_us": [round(us, 1) for us in plain],
                    "journalled_us": [round(us, 1) for us in journalled],
                    "ratios (median, mean, processor)": ratios,
                    "bar": JOURNAL_BAR,
                }
            )
    return found


def measure(
    processes: int = PROCESSES, transactions: int = TRANSACTIONS, commits: int = 5000
) -> list[dict[str, object]]:
    """All questions, with their bars."""
    found = journal(commits)
    rates: dict[str, list[int]] = {}
    for _ in range(ROUNDS):
        for kind in ("raw", "ours", "ours, journalled"):
            outcome = contend(kind, processes, transactions)
            rates.setdefault(kind, []).append(int(str(outcome["per_second"])))
            found.append({"question": "read-modify-write", **outcome})
    raw = statistics.median(rates["raw"])
    for kind in ("ours", "ours, journalled"):
        ratio = round(statistics.median(rates[kind]) / raw, 2)
        found.append({"question": f"{kind}: rate to raw", "ratio": ratio, "bar": CONTENTION_BAR})
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
