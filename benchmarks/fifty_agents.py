"""Fifty agents for a minute: are the views that an orchestrator shows right, and how soon?

python -m benchmarks.fifty_agents [--seconds 60] [--agents 50]     # prints JSON

The agents work in threads of one process on a file; the live queries are those that the views of
such an orchestrator use. Each delivered value is timed from the call that wrote; at the end each
live value is compared with a fresh run, and the file's size is given for each run.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import quantile
from smithers_db import SmithersDB, create_smithers_db


class Delays:
    """Milliseconds from the writing call to the delivered value, by view."""

    def __init__(self) -> None:
        self.of: dict[str, list[float]] = {}
        self._thread = threading.local()

    def timed(self, write: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._thread.began = time.perf_counter()
        try:
            return write(*args, **kwargs)
        finally:
            self._thread.began = None

    def receiver(self, view: str, latest: dict[str, Any]) -> Callable[[Any], None]:
        delays = self.of.setdefault(view, [])

        def receive(value: Any) -> None:
            latest[view] = value
            began = getattr(self._thread, "began", None)
            if began is not None:
                delays.append((time.perf_counter() - began) * 1000)

        return receive


def views(db: SmithersDB, run: str, question: str) -> dict[str, Any]:
    """What an orchestrator's views ask: one live query each."""
    return {
        "one state value": db.observe(db.state.get, "key 0", execution_id=run),
        "running tasks": db.observe(db.tasks.running_count, 0, execution_id=run),
        "one question": db.observe(db.human.get, question),
        "phases": db.observe(db.phases.list, run),
        "agents": db.observe(db.agents.list, run),
        "newest tool calls": db.query(
            "SELECT id, tool_name, status FROM tool_calls WHERE execution_id = ? "
            "ORDER BY rowid DESC LIMIT 50",
            (run,),
        ),
        "pending questions": db.observe(db.human.list_pending, run),
        "latest frame": db.observe(db.render_frames.latest, run),
    }


def agent(db: SmithersDB, delays: Delays, number: int, until: float, writes: list[int]) -> None:
    pace = random.Random(number)
    timed = delays.timed
    done = 0
    while time.monotonic() < until:
        task = timed(db.tasks.start, "Claude", f"agent {number}")
        with db.context():
            current = timed(db.agents.start, f"part of agent {number}")
            for turn in range(4):
                call = timed(db.tools.start, "Bash", {"command": "make"})
                timed(db.agents.record_stream_event, current, {"type": "text", "content": "…" * 50})
                time.sleep(pace.uniform(0.05, 0.4))
                timed(db.tools.complete, call, "ok\n" * (8_000 if turn == 0 else 20))
                timed(db.state.set, f"key {number % 5}", {"turn": turn})
                done += 4
            timed(db.agents.complete, current, "done", None, 1000, 100)
            if number % 10 == 0:
                timed(db.render_frames.store, f"<Root agent='{number}'/>")
            done += 7
        timed(db.tasks.complete, task)
    writes[number] = done


def measure(file: Path, agents: int, seconds: float) -> dict[str, Any]:
    """Runs it; returns the figures."""
    with create_smithers_db(file) as db:
        run = db.execution.start("fifty agents", "benchmark")
        question = db.human.request("confirmation", "go on?")
        db.phases.start("build")
        delays, latest = Delays(), {}
        watched = views(db, run, question)
        subscriptions = [
            query.subscribe(delays.receiver(view, latest)) for view, query in watched.items()
        ]
        writes = [0] * agents
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=db.bind(agent), args=(db, delays, number, until, writes))
            for number in range(agents)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        delays.timed(db.human.resolve, question, "approved")
        db.db.flush()
        stale = [view for view, query in watched.items() if query.get() != latest[view]]
        drifts = len(db.verify_rollups())
        db.execution.complete(run)
        for subscription in subscriptions:
            subscription.dispose()
        taken = db.stats()
        counters = db.db.stats
    everything = [delay for view in delays.of.values() for delay in view]
    return {
        "agents": agents,
        "seconds": seconds,
        "writes": sum(writes),
        "commits": counters.commits,
        "delivered": counters.emitted,
        "stale": stale,
        "drifts": drifts,
        "delivery_ms": {
            "median": round(quantile(everything, 0.5), 2),
            "p99": round(quantile(everything, 0.99), 2),
            **{
                view: {"values": len(times), "median": round(quantile(times, 0.5), 2)}
                for view, times in delays.of.items()
                if times
            },
        },
        "file_bytes_per_run": taken.file_bytes,
        "output_bytes_per_run": taken.output_bytes,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--agents", type=int, default=50)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "fifty.db", asked.agents, asked.seconds)
    print(json.dumps(found, indent=1))
    return 1 if found["stale"] or found["drifts"] else 0


if __name__ == "__main__":
    sys.exit(main())
