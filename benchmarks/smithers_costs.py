"""What smithers_db's hot verbs cost beside the same statements written by hand on raw APSW.

python -m benchmarks.smithers_costs [--quick] [--where memory]   # prints JSON

Both take turns in blocks, so that a slow moment of the machine hits both; in memory processor
time counts, on disk the time that passes. By hand means: the same schema with its triggers, the
same statements, ids and times made the same way, JSON encoded, one transaction each, files
written and synced.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec
from uuid_utils import uuid7

from smithers_db import SmithersDB, create_smithers_db
from smithers_db.clock import now
from smithers_db.migrations import known
from smithers_db.tables import agents, state, tools

Verb = Callable[[], object]
LIMIT, LIMIT_WATCHED = 3.0, 1.5
PRAGMAS = ("auto_vacuum=2", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON")


def raw_database(path: str) -> apsw.Connection:
    connection = apsw.Connection(path)
    connection.set_busy_timeout(30_000)
    for pragma in (*PRAGMAS, "recursive_triggers=ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    with connection:
        for migration in known():
            connection.execute(migration.sql).fetchall()
    return connection


class ByHand:
    """The hot verbs, written by hand."""

    def __init__(self, path: str, folder: Path) -> None:
        self.db = raw_database(path)
        self.folder = folder
        self.encode = msgspec.json.Encoder().encode
        run, phase = str(uuid7()), str(uuid7())
        self.run, self.phase = run, phase
        moment = now()
        self.db.execute(
            "INSERT INTO executions (id, file_path, created_at) VALUES (?, 'f', ?)",
            (run, moment),
        )
        self.db.execute(
            "INSERT INTO phases (id, execution_id, name, created_at) VALUES (?, ?, 'p', ?)",
            (phase, run, moment),
        )
        self.of_phase = (run, phase, phase)
        self.agent = self.agents_start()

    def agents_start(self) -> str:
        agent, moment = str(uuid7()), now()
        self.db.execute(
            agents._START,
            (
                agent,
                self.phase,
                "sonnet",
                None,
                "fix it",
                None,
                None,
                moment,
                moment,
                *self.of_phase,
            ),
        )
        return agent

    def tools_start(self) -> str:
        call, moment = str(uuid7()), now()
        text = self.encode({"command": "ls"}).decode()
        self.db.execute(tools._START, (call, "Bash", text, moment, moment, self.agent))
        return call

    def tools_complete(self, call: str, output: str) -> None:
        data, moment = output.encode(), now()
        digest = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        if len(data) < 1024:
            values = (output, None, "utf-8", digest, None, len(data))
            self.db.execute(tools._COMPLETE, (moment, moment, *values, call))
            return
        path = self.folder / f"{call}.txt"
        staged = self.folder / f".{call}.tmp"
        with open(staged, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
        directory = os.open(self.folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        values = (None, str(path), "utf-8", digest, output[:200], len(data))
        self.db.execute(tools._COMPLETE, (moment, moment, *values, call))

    def state_set(self) -> None:
        text = self.encode({"a": [1, 2], "at": time.time()}).decode()
        self.db.execute(
            state._SET, (str(uuid7()), "key", "key", text, None, self.agent, now(), self.run)
        )

    def record_stream_event(self) -> None:
        event = (str(uuid7()), "text", None, None, "hello", time.time_ns() // 1_000_000, now())
        self.db.execute(agents._EVENT, (*event, self.agent))


class Ours:
    """The same verbs of smithers_db."""

    def __init__(self, db: SmithersDB) -> None:
        self.db = db
        db.execution.start("r", "f")
        db.phases.start("p")
        self.agent = db.agents.start("a")

    def agents_start(self) -> str:
        return self.db.agents.start("fix it")

    def tools_start(self) -> str:
        return self.db.tools.start("Bash", {"command": "ls"})

    def tools_complete(self, call: str, output: str) -> None:
        self.db.tools.complete(call, output)

    def state_set(self) -> None:
        self.db.state.set("key", {"a": [1, 2], "at": time.time()})

    def record_stream_event(self) -> None:
        self.db.agents.record_stream_event(self.agent, {"type": "text", "content": "hello"})


OUTPUTS = {"15 B": "x" * 15, "4 KB": "x" * 4096, "1 MB": "x" * 2**20}


def verbs(of: Ours | ByHand) -> dict[str, Callable[[int], list[Verb]]]:
    """For each measured verb, a maker of so many calls of it; preparing them is not measured."""

    def completions(output: str) -> Callable[[int], list[Verb]]:
        def make(count: int) -> list[Verb]:
            calls = [of.tools_start() for _ in range(count)]
            return [lambda call=call: of.tools_complete(call, output) for call in calls]

        return make

    plain: dict[str, Verb] = {
        "agents.start": of.agents_start,
        "tools.start": of.tools_start,
        "state.set": of.state_set,
        "record_stream_event": of.record_stream_event,
    }
    made: dict[str, Callable[[int], list[Verb]]] = {
        name: lambda count, verb=verb: [verb] * count for name, verb in plain.items()
    }
    for size, output in OUTPUTS.items():
        made[f"tools.complete {size}"] = completions(output)
    return made


def timed(clock: Callable[[], int], calls: list[Verb]) -> float:
    """Microseconds for each of the calls."""
    began = clock()
    for call in calls:
        call()
    return (clock() - began) / 1000 / len(calls)


def alternate(
    where: str,
    first: Callable[[int], list[Verb]],
    second: Callable[[int], list[Verb]],
    count: int,
    blocks: int,
) -> tuple[float, float]:
    """The lower quartiles of both, taking turns: the quiet moments of a shared machine."""
    clock = time.process_time_ns if where == "memory" else time.perf_counter_ns
    times: tuple[list[float], list[float]] = ([], [])
    first(count), second(count)
    for block in range(blocks):
        for which in (0, 1) if block % 2 else (1, 0):
            calls = (first, second)[which](count)
            gc.collect()
            times[which].append(timed(clock, calls))
    return statistics.quantiles(times[0], n=4)[0], statistics.quantiles(times[1], n=4)[0]


@contextmanager
def live(db: SmithersDB, count: int) -> Iterator[None]:
    """So many live queries of other runs, of the kinds that an orchestrator's views use."""
    subscriptions = []
    with db.context():
        kinds: list[Callable[[str], Any]] = [
            lambda run: db.observe(db.state.get, "key", execution_id=run),
            lambda run: db.observe(db.tasks.running_count, 0, execution_id=run),
            lambda run: db.observe(db.human.list_pending, run),
            lambda run: db.observe(db.phases.list, run),
            lambda run: db.observe(db.agents.list, run),
            lambda run: db.observe(db.tools.list_for_execution, run),
            lambda run: db.observe(db.render_frames.latest, run),
        ]
        run = ""
        for number in range(count):
            if number % len(kinds) == 0:
                run = db.execution.start("other", "f")
            subscriptions.append(kinds[number % len(kinds)](run).subscribe(lambda _: None))
    yield
    for subscription in subscriptions:
        subscription.dispose()


def measure(where: str, *, quick: bool) -> Iterator[dict[str, Any]]:
    """One result a verb: microseconds of both, their ratio, and the one with live queries."""
    blocks = 5 if quick else 15
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "by hand").mkdir()
        paths = (
            [":memory:"] * 2 if where == "memory" else [str(folder / p) for p in ("a.db", "b.db")]
        )
        with create_smithers_db(paths[0], outputs=folder / "outputs") as db:
            ours, hand = Ours(db), ByHand(paths[1], folder / "by hand")
            mine, raw = verbs(ours), verbs(hand)
            for verb in mine:
                count = 5 if "1 MB" in verb else 20 if "4 KB" in verb else 50 if quick else 200
                by_us, by_hand = alternate(where, mine[verb], raw[verb], count, blocks)
                yield result(where, verb, by_us, by_hand, LIMIT)
            for verb in mine:
                if "KB" in verb or "MB" in verb:
                    continue
                count = 50 if quick else 200
                with create_smithers_db(
                    paths[0] if where == "memory" else str(folder / "c.db"), outputs=folder / "o"
                ) as watched:
                    same = verbs(Ours(watched))
                    with live(watched, 100):
                        current = watched.execution.start("r", "f")
                        watched.phases.start("p", execution_id=current)
                        watched.agents.start("a")
                        with_live, without = alternate(where, same[verb], mine[verb], count, blocks)
                yield result(where, f"{verb}, 100 live", with_live, without, LIMIT_WATCHED)
            yield opening(where, folder, blocks)


def opening(where: str, folder: Path, blocks: int) -> dict[str, Any]:
    """A new database, closed again."""
    numbers = iter(range(10_000))

    def path() -> str:
        return ":memory:" if where == "memory" else str(folder / f"new{next(numbers)}.db")

    def ours(count: int) -> list[Verb]:
        return [lambda: create_smithers_db(path()).close()] * count

    def hand(count: int) -> list[Verb]:
        return [lambda: raw_database(path()).close()] * count

    return result(where, "create_smithers_db", *alternate(where, ours, hand, 1, blocks), LIMIT)


def result(where: str, verb: str, ours: float, other: float, limit: float) -> dict[str, Any]:
    return {
        "where": where,
        "verb": verb,
        "us": round(ours, 1),
        "beside_us": round(other, 1),
        "ratio": round(ours / other, 2),
        "limit": limit,
        "reached": ours / other <= limit,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter blocks")
    parser.add_argument("--where", choices=("memory", "disk"), help="only there")
    asked = parser.parse_args()
    results = []
    for where in (asked.where,) if asked.where else ("memory", "disk"):
        for found in measure(where, quick=asked.quick):
            results.append(found)
            mark = "reached" if found["reached"] else f"limit {found['limit']}"
            print(
                f"{where:<7} {found['verb']:<32} {found['us']:>10} µs {found['ratio']:>6}x  {mark}",
                file=sys.stderr,
                flush=True,
            )
    print(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
