"""The queue between processes: no item twice, and what a killed worker had comes back."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from smithers_db import create_smithers_db
from tests.smithers.processes import child, line

ITEMS = 60

WORKER = """
import sys, time
from smithers_db import create_smithers_db
with create_smithers_db(sys.argv[1]) as db:
    print("ready", flush=True)
    sys.stdin.readline()
    while (item := db.vcs_queue.dequeue(lease=60)) is not None:
        print(item.id, item.payload, item.attempts, flush=True)
        db.vcs_queue.complete(item.id, "conflict" if item.payload % 7 == 0 else None)
"""

DOOMED = """
import sys, time
from smithers_db import create_smithers_db
db = create_smithers_db(sys.argv[1])
item = db.vcs_queue.dequeue(lease=float(sys.argv[2]))
print(item.id, flush=True)
time.sleep(60)
"""


def test_processes_that_start_together_never_get_one_item(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        for number in range(ITEMS):
            db.vcs_queue.enqueue("commit", number)
    workers = [child(WORKER, path) for _ in range(4)]
    assert [line(worker) for worker in workers] == ["ready"] * 4
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    taken = [worker.communicate()[0].splitlines() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4
    every = Counter(text for lines in taken for text in lines)
    assert every == Counter(f"{number + 1} {number} 1" for number in range(ITEMS))
    for lines in taken:  # each worker's own items in the order of the queue
        ids = [int(text.split()[0]) for text in lines]
        assert ids == sorted(ids)
    with create_smithers_db(path) as db:
        failed = [db.vcs_queue.get(number + 1) for number in range(0, ITEMS, 7)]
        assert [item and (item.status, item.error) for item in failed] == [
            ("failed", "conflict")
        ] * len(failed)


def test_a_killed_workers_item_comes_back_after_its_lease_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        first, second = db.vcs_queue.enqueue("a", 1), db.vcs_queue.enqueue("b", 2)
        long, short = child(DOOMED, path, 600), child(DOOMED, path, 2)
        held = sorted([int(line(long)), int(line(short))])
        assert held == [first, second]
        for worker in (long, short):
            worker.kill()
            worker.communicate()
        assert db.vcs_queue.get_pending() == []
        assert db.vcs_queue.dequeue() is None
        deadline = time.monotonic() + 30
        while (item := db.vcs_queue.dequeue()) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert item.attempts == 2
        assert db.vcs_queue.dequeue() is None  # the other lease has not run out
        db.vcs_queue.complete(item.id)
