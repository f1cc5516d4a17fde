"""From another process's commit to the subscriber, with 200 live queries open; what idling costs.

    python -m benchmarks.neighbours_latency

One writing process, one watching one, in turns: a participant, a stranger (APSW without this
package), and the ways of others beside them: `PRAGMA data_version` polled each millisecond, a
query polled each 500 ms, inotify on the -wal file alone. JSON lines: milliseconds p50 and p99, the
share of a core while idle, SELECTs run for a thousand unrelated commits.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from benchmarks.measure import quantile
from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.neighbours.inotify import Inotify

COMMITS, QUERIES = 300, 200
SENT = "SELECT sent FROM t WHERE id = 1"
WRITER = """
import random, sys, time
path, kind, commits, sql, pause = sys.argv[1:]
if kind == "participant":
    from reactive_sqlite import ReactiveDatabase
    db = ReactiveDatabase(path)
    run, close = db.execute, db.close
else:
    import apsw
    db = apsw.Connection(path)
    db.set_busy_timeout(30_000)
    db.execute("PRAGMA synchronous=NORMAL").fetchall()
    run, close = lambda sql, params: db.execute(sql, params).fetchall(), db.close
for _ in range(int(commits)):
    time.sleep(random.uniform(0, 2 * float(pause)))
    run(sql, (time.time(),))
close()
"""


def write(path: Path, kind: str, commits: int, sql: str, pause: float) -> None:
    """Have another process commit that often, at random moments."""
    arguments = [str(path), kind, str(commits), sql, str(pause)]
    subprocess.run([sys.executable, "-c", WRITER, *arguments], check=True)


class Observed:
    """Milliseconds from the moment that a value carries to the one at which it arrives."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._last = 0.0

    def __call__(self, sent: float) -> None:
        if sent > self._last:
            self._last = sent
            self.times.append((time.time() - sent) * 1000)

    def report(self, question: str, **more: object) -> dict[str, object]:
        return {
            "question": question,
            "values": len(self.times),
            "p50_ms": round(quantile(self.times, 0.5), 3),
            "p99_ms": round(quantile(self.times, 0.99), 3),
            **more,
        }


def polled(path: Path, wait: Callable[[], object], *, look_first: bool) -> Observed:
    """Somebody else's way: wait, look, and ask the query again if there was something."""
    connection = apsw.Connection(str(path))
    seen, stop = Observed(), threading.Event()

    def watch() -> None:
        version = None
        while not stop.is_set():
            wait()
            now = connection.execute("PRAGMA data_version").fetchall()
            if look_first and now == version:
                continue
            version = now
            ((sent,),) = connection.execute(SENT).fetchall()
            seen(sent)

    thread = threading.Thread(target=watch)
    thread.start()
    write(path, "stranger", COMMITS, "UPDATE t SET sent = ? WHERE id = 1", 0.01)
    time.sleep(0.6)
    stop.set()
    thread.join()
    connection.close()
    return seen


def core_share(seconds: float) -> float:
    """Percent of a core that this process uses while it does nothing."""
    begun, used = time.perf_counter(), time.process_time()
    time.sleep(seconds)
    return round((time.process_time() - used) / (time.perf_counter() - begun) * 100, 2)


def ours(path: Path, commits: int, idle: float = 5.0) -> list[dict[str, object]]:
    """The questions that are put to this package."""
    found = []
    with ReactiveDatabase(path) as db:
        for key in range(QUERIES):
            db.query("SELECT * FROM u WHERE id = ?", (key,)).subscribe(lambda rows: None)
        for kind, bar in (("participant", "p50 2, p99 25"), ("stranger", "p50 20")):
            seen = Observed()
            with db.query_value(SENT).subscribe(seen):
                write(path, kind, commits, "UPDATE t SET sent = ? WHERE id = 1", 0.01)
                time.sleep(0.3)
            found.append(seen.report(f"ours: {kind}", bar_ms=bar))
        db.look()
        before = db.stats
        write(path, "participant", 1000, "UPDATE v SET sent = ? WHERE id = 1", 0)
        time.sleep(0.5)
        after = db.stats
        found.append(
            {
                "question": "ours: unrelated commits of a participant",
                "commits": after.commits - before.commits,
                "selects": after.queries + after.maintained - before.queries - before.maintained,
                "bar": 0,
            }
        )
        found.append({"question": "ours: idle, % of a core", "share": core_share(idle), "bar": 1})
    return found


def measure(commits: int = COMMITS) -> list[dict[str, object]]:
    """All questions, with their bars."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latency.db"
        with ReactiveDatabase(path) as db:
            for table in "tuv":
                db.execute(f"CREATE TABLE {table}(id INTEGER PRIMARY KEY, sent)")
                db.execute(f"INSERT INTO {table} VALUES (1, 0)")
            found = ours(path, commits)
            way = "data_version each 1 ms"
            seen = polled(path, lambda: time.sleep(0.001), look_first=True)
            found.append(seen.report(way))
            seen = polled(path, lambda: time.sleep(0.5), look_first=False)
            found.append(seen.report("the query each 500 ms"))
            hint = Inotify(f"{path}-wal")
            wait = lambda: (select.select([hint], [], [], 0.25), hint.drain())  # noqa: E731
            seen = polled(path, wait, look_first=True)
            hint.close()
            found.append(seen.report("inotify alone"))
    return found


def main() -> None:
    for line in measure():
        print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
