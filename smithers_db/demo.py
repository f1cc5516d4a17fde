"""``smithers-db demo``: a whole run, and a live view that is told of each change.

An orchestrator, a process of its own, runs agents in parallel; one waits for a person's approval;
in the middle it is killed. The run is found abandoned, resumed here, and no finished step runs
again. The view is subscribed all the time: it asks the database nothing.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table

from smithers_db.deliveries import PATIENCE, Deliveries, in_words
from smithers_db.facade import SmithersDB, create_smithers_db

RUN = "demo"
AGENTS = 12
PHASES = ("plan", "build", "review")
TOOL_CALLS = 4
OUTPUT = 20_000
CRASH_AFTER = 5  # steps of the second phase


def _plainly(write: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return write(*args, **kwargs)


def _approved(db: SmithersDB, timed: Callable[..., Any]) -> None:
    """Asks a person, once for the whole run, and waits for the answer by being told of it."""
    question = db.state.get("question")
    if question is None:
        question = timed(db.human.request, "confirmation", "Deploy the build?", ["yes", "no"])
        timed(db.state.set, "question", question)
    answered = threading.Event()

    def look(row: Any) -> None:
        if row.status != "pending":
            answered.set()

    subscription = db.observe(db.human.get, question).subscribe(look)
    if not answered.wait(PATIENCE):
        raise TimeoutError("nobody answered")
    subscription.dispose()


def _agent(db: SmithersDB, timed: Callable[..., Any], phase: str, number: int) -> None:
    pace = random.Random(f"{phase}{number}")
    with db.steps.running(f"{phase}/{number:02}"):
        agent = timed(db.agents.start, f"{phase}: part {number}")
        if (phase, number) == ("build", 0):
            _approved(db, timed)
        for turn in range(TOOL_CALLS):
            call = timed(db.tools.start, "Bash", {"command": f"make part-{number}"})
            time.sleep(pace.uniform(0.02, 0.12))
            line = f"part {number}, turn {turn}: ok\n"
            timed(db.tools.complete, call, line if turn else line * (OUTPUT // len(line) + 1))
            timed(db.state.set, "sent", time.time())
        timed(db.agents.complete, agent, "done", {"turns": TOOL_CALLS}, 400, 20)


def orchestrate(db: SmithersDB, timed: Callable[..., Any] = _plainly) -> None:
    """The workflow, from wherever it is: what has finished is not run again."""
    finished = {s.name for s in db.steps.list_for_execution() if s.status == "completed"}
    with ThreadPoolExecutor(AGENTS) as pool:
        for phase in PHASES:
            left = [n for n in range(AGENTS) if f"{phase}/{n:02}" not in finished]
            if not left:
                continue
            with db.phases.running(phase):
                timed(db.execution.advance_iteration)
                work = [pool.submit(db.bind(_agent), db, timed, phase, n) for n in left]
                for done in work:
                    done.result()
    timed(db.execution.complete, RUN, {"ok": True})


def _table(values: dict[str, Any]) -> Table:
    run = values["execution"]
    table = Table(
        title=f"{run.name}: {run.status} · iteration {run.total_iterations} · "
        f"{run.total_agents} agents · {run.total_tool_calls} tool calls · "
        f"{run.total_tokens_used} tokens · {len(values['questions'])} questions open"
    )
    for heading in ("phase", "agent", "status", "tool calls", "ms"):
        table.add_column(heading)
    names = {phase.id: f"{phase.name} ({phase.status})" for phase in values["phases"]}
    for agent in values["agents"][-AGENTS:]:
        table.add_row(
            names.get(agent.phase_id, ""),
            agent.prompt,
            agent.status,
            "●" * agent.tool_calls_count,
            "" if agent.duration_ms is None else str(agent.duration_ms),
        )
    return table


def _line(values: dict[str, Any]) -> str:
    run = values["execution"]
    counts = ", ".join(f"{count} {status}" for status, count in values["steps"])
    return f"{run.status:<9} {run.total_tool_calls:>3} tool calls; steps: {counts or 'none'}"


def _show(console: Console, deliveries: Deliveries, ended: threading.Event) -> None:
    """Shows what is delivered, as it is delivered."""
    shown = said = 0
    live = Live(_table(deliveries.values), console=console, auto_refresh=False)
    if console.is_terminal:
        live.start()
    while not ended.is_set():
        with deliveries.arrived:
            while True:
                if deliveries.count != shown or ended.is_set():
                    break
                deliveries.arrived.wait()
            shown, values = deliveries.count, dict(deliveries.values)
        if live.is_started:
            live.update(_table(values), refresh=True)
        elif values["execution"].total_tool_calls >= said + AGENTS:
            said = values["execution"].total_tool_calls
            console.print(_line(values), highlight=False)
    if live.is_started:
        live.stop()


def _watched(db: SmithersDB) -> dict[str, Any]:
    return {
        "execution": db.observe(db.execution.get, RUN),
        "phases": db.observe(db.phases.list, RUN),
        "agents": db.observe(db.agents.list, RUN),
        "questions": db.observe(db.human.list_pending, RUN),
        "state": db.observe(db.state.get_all, execution_id=RUN),
        "sent": db.observe(db.state.get, "sent", execution_id=RUN),
        "steps": db.query(
            "SELECT status, count(*) FROM steps WHERE execution_id = ? GROUP BY status", (RUN,)
        ),
        "built": db.db.query_value(
            "SELECT count(*) FROM steps WHERE execution_id = ? AND status = 'completed' "
            "AND name LIKE 'build/%'",
            (RUN,),
        ),
    }


class Proof(msgspec.Struct, frozen=True):
    """What a demo proved, in numbers; the times are in milliseconds."""

    completed: int
    each_once: bool
    interrupted: int
    run_again: int
    outputs: int
    outputs_whole: int
    commits: int
    delivered: int
    queries: int
    here_ms: list[float]
    across_ms: list[float]
    watched: int
    stale: int
    drifted: int

    @property
    def holds(self) -> bool:
        """Whether all is as it must be."""
        wrong = self.run_again or self.stale or self.drifted
        return self.each_once and not wrong and self.outputs_whole == self.outputs


def run(console: Console, file: Path) -> Proof:
    """Runs the demo on a new file."""

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    deliveries = Deliveries()
    with create_smithers_db(file) as db:
        db.execution.start("a workflow of agents", "demo.py", id=RUN)
    with create_smithers_db(file) as db:  # closed, it gave the run up: the child takes it
        watched = _watched(db)
        subscriptions = [
            query.subscribe(deliveries.receiver(name)) for name, query in watched.items()
        ]
        with _shown(console, deliveries):
            finished = _killed(db, deliveries, file)
            (dead,) = db.execution.find_incomplete()
            what = "abandoned" if dead.abandoned else "running"
            say(f"kill -9 of the orchestrator with {len(finished)} steps finished: {what}")
            db.execution.resume(RUN)
            say("resumed")
            orchestrate(db, deliveries.timed)
            db.db.flush()
        proof = _proof(db, deliveries, watched, finished)
        for subscription in subscriptions:
            subscription.dispose()
    say(_line(deliveries.values))
    return proof


@contextmanager
def _shown(console: Console, deliveries: Deliveries) -> Iterator[None]:
    """A thread shows what is delivered meanwhile."""
    ended = threading.Event()
    view = threading.Thread(target=_show, args=(console, deliveries, ended))
    view.start()
    try:
        yield
    finally:
        with deliveries.arrived:
            ended.set()
            deliveries.arrived.notify_all()
        view.join()


def _killed(db: SmithersDB, deliveries: Deliveries, file: Path) -> dict[str, str | None]:
    """Another process runs the workflow, and is killed: the finished steps, by their ids."""
    child = subprocess.Popen([sys.executable, "-m", "smithers_db.demo", str(file)])
    deliveries.wait(lambda values: bool(values["questions"]))
    question = deliveries.values["questions"][0]
    time.sleep(0.3)  # a person reads
    db.human.resolve(question.id, "approved", "yes")
    deliveries.wait(lambda values: values["built"] >= CRASH_AFTER)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    return {s.id: s.name for s in db.steps.list_for_execution(RUN) if s.status == "completed"}


def _proof(
    db: SmithersDB, deliveries: Deliveries, watched: dict[str, Any], finished: dict[str, str | None]
) -> Proof:
    stats = db.db.stats  # before the queries that prove
    stale = [name for name, query in watched.items() if query.get() != deliveries.values[name]]
    steps = db.steps.list_for_execution(RUN)
    completed = sorted(str(s.name) for s in steps if s.status == "completed")
    again = [s.name for s in steps if s.name in finished.values() and s.id not in finished]
    outputs = [call for call in db.tools.list_for_execution(RUN) if call.output_path]
    return Proof(
        completed=len(completed),
        each_once=completed == sorted(f"{p}/{n:02}" for p in PHASES for n in range(AGENTS)),
        interrupted=sum(s.status == "failed" for s in steps),
        run_again=len(again),
        outputs=len(outputs),
        outputs_whole=sum(len(db.tools.get_output(c.id) or "") >= OUTPUT for c in outputs),
        commits=stats.commits,
        delivered=deliveries.count,
        queries=stats.queries,
        here_ms=deliveries.here,
        across_ms=deliveries.across,
        watched=len(watched),
        stale=len(stale),
        drifted=len(db.verify_rollups()),
    )


def _proven(proof: Proof) -> str:
    return (
        f"steps: {proof.completed} completed, each once: {proof.each_once}; "
        f"{proof.interrupted} interrupted by the crash; finished ones run again: "
        f"{proof.run_again}\n"
        f"tool outputs of 20 KB: {proof.outputs_whole} of {proof.outputs} read back whole\n"
        f"{proof.commits} commits, {proof.delivered} values delivered, "
        f"{proof.queries} queries run\n"
        f"from the writing call to the delivered value: {in_words(proof.here_ms)}; "
        f"from another process: {in_words(proof.across_ms)}\n"
        f"{proof.watched} live values against a fresh run: {proof.stale} stale; "
        f"counters against a recount: {proof.drifted} drifted"
    )


def main(*, json: bool = False) -> int:
    """Runs the demo with a new database file in a temporary folder.

    Returns the exit status, 1 if anything proved wrong. With ``json`` only the proof is written.
    """
    with tempfile.TemporaryDirectory(prefix="smithers-demo-") as folder:
        proof = run(Console(quiet=json), Path(folder) / "demo.db")
    if json:
        sys.stdout.write(msgspec.json.encode(proof).decode() + "\n")
    else:
        Console().print(_proven(proof), highlight=False, markup=False, soft_wrap=True)
    return 0 if proof.holds else 1


if __name__ == "__main__":  # the orchestrator that is to be killed
    with create_smithers_db(sys.argv[1]) as _db:
        _db.execution.resume(RUN)
        orchestrate(_db)
