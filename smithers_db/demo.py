"""``smithers-db demo``: parallel agents at work, and a view that is told of each change."""

from __future__ import annotations

import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from smithers_db.facade import SmithersDB, create_smithers_db
from smithers_db.rows import Agent, Execution, Phase

AGENTS = 12
PHASES = ("plan", "build", "review")
TOOL_CALLS = 4


class Deliveries:
    """What the subscriptions have delivered: the values, and how long each was on its way."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.milliseconds: list[float] = []
        self.arrived = threading.Event()
        self._thread = threading.local()

    def timed(self, write: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a writing method; values delivered meanwhile count from here."""
        self._thread.began = time.perf_counter()
        try:
            return write(*args, **kwargs)
        finally:
            self._thread.began = None

    def receiver(self, name: str) -> Callable[[Any], None]:
        """What to subscribe with, to keep the values under this name."""

        def receive(value: Any) -> None:
            self.values[name] = value
            began = getattr(self._thread, "began", None)
            if began is not None:
                self.milliseconds.append((time.perf_counter() - began) * 1000)
            self.arrived.set()

        return receive


def _agent(db: SmithersDB, deliveries: Deliveries, phase: str, number: int) -> None:
    pace = random.Random(f"{phase}{number}")
    agent = deliveries.timed(db.agents.start, f"{phase}: part {number}", "sonnet")
    for turn in range(TOOL_CALLS):
        call = deliveries.timed(db.tools.start, "Bash", {"command": f"make part-{number}"})
        time.sleep(pace.uniform(0.02, 0.12))
        output = f"part {number}, turn {turn}: ok\n" * (1 if turn else 800)
        deliveries.timed(db.tools.complete, call, output)
        deliveries.timed(db.state.set, f"{phase}/{number:02}", turn + 1, "turn")
    deliveries.timed(
        db.agents.complete, agent, "done", {"turns": TOOL_CALLS}, 400 + number, 20 * number
    )


def _workflow(db: SmithersDB, deliveries: Deliveries) -> None:
    with ThreadPoolExecutor(AGENTS) as pool:
        for name in PHASES:
            with db.phases.running(name):
                deliveries.timed(db.execution.advance_iteration)
                done = [
                    pool.submit(db.bind(_agent), db, deliveries, name, number)
                    for number in range(AGENTS)
                ]
                for future in done:
                    future.result()


def _table(values: dict[str, Any]) -> Table:
    run: Execution = values["execution"]
    phases: Sequence[Phase] = values["phases"]
    agents: Sequence[Agent] = values["agents"]
    table = Table(
        title=f"{run.name}: {run.status} · iteration {run.total_iterations} · "
        f"{run.total_agents} agents · {run.total_tool_calls} tool calls · "
        f"{run.total_tokens_used} tokens"
    )
    for heading in ("phase", "agent", "status", "tool calls", "ms"):
        table.add_column(heading)
    names = {phase.id: f"{phase.name} ({phase.status})" for phase in phases}
    for agent in agents[-AGENTS:]:
        table.add_row(
            names.get(agent.phase_id or "", ""),
            agent.prompt,
            agent.status,
            "●" * agent.tool_calls_count,
            "" if agent.duration_ms is None else str(agent.duration_ms),
        )
    return table


def _line(values: dict[str, Any]) -> str:
    run: Execution = values["execution"]
    tally = ", ".join(f"{count} {status}" for status, count in values["tools"])
    return f"{run.status} {run.total_agents:>3} agents  tool calls: {tally or 'none'}"


def _show(console: Console, deliveries: Deliveries, finished: threading.Event) -> None:
    """Renders whenever something has arrived; nothing is asked of the database here."""
    values = deliveries.values
    if console.is_terminal:
        with Live(_table(values), console=console, auto_refresh=False) as live:
            while not finished.is_set():
                deliveries.arrived.wait()
                deliveries.arrived.clear()
                live.update(_table(values), refresh=True)
        return
    shown = ""
    while not finished.is_set():
        deliveries.arrived.wait()
        deliveries.arrived.clear()
        line = _line(values)
        if line[:14] != shown[:14]:
            console.print(line, highlight=False)
        shown = line


def run(console: Console, folder: Path) -> int:
    """Runs the demo in a folder; returns the exit status, 1 if a live value was stale."""
    deliveries = Deliveries()
    with create_smithers_db(folder / "demo.db") as db:
        execution = db.execution.start("demo", "demo.py")
        watched: dict[str, Any] = {
            "execution": db.observe(db.execution.get, execution),
            "phases": db.observe(db.phases.list, execution),
            "agents": db.observe(db.agents.list, execution),
            "state": db.observe(db.state.get_all, execution_id=execution),
            "tools": db.query(
                "SELECT status, count(*) FROM tool_calls WHERE execution_id = ? GROUP BY status",
                (execution,),
            ),
        }
        subscriptions = [
            query.subscribe(deliveries.receiver(name)) for name, query in watched.items()
        ]
        finished = threading.Event()
        view = threading.Thread(target=_show, args=(console, deliveries, finished))
        view.start()
        try:
            _workflow(db, deliveries)
            deliveries.timed(db.execution.complete, execution, {"ok": True})
            db.db.flush()
        finally:
            finished.set()
            deliveries.arrived.set()
            view.join()
        stale = [name for name, query in watched.items() if query.get() != deliveries.values[name]]
        drifts = db.verify_rollups()
        stats = db.db.stats
        for subscription in subscriptions:
            subscription.dispose()
    times = sorted(deliveries.milliseconds)
    p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
    console.print(_line(deliveries.values), highlight=False)
    console.print(
        f"{stats.commits} commits, {stats.emitted} values delivered, {stats.queries} queries run\n"
        f"from the writing call to the delivered value: median {statistics.median(times):.2f} ms, "
        f"p99 {p99:.2f} ms\n"
        f"{len(watched)} live values against a fresh run: {len(stale)} stale; "
        f"rollups: {len(drifts)} drifted",
        highlight=False,
    )
    return 1 if stale or drifts else 0


def main() -> int:
    """Runs the demo with a new database file in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="smithers-demo-") as folder:
        return run(Console(), Path(folder))
