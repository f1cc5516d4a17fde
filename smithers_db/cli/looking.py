"""The commands that look: ``demo``, ``runs``, ``show``, ``tail`` and ``export``."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from smithers_db import demo as demonstration
from smithers_db.cli.display import (
    SHOWN,
    Column,
    err,
    facts,
    listing,
    out,
    progress,
    say,
    short,
    status,
    write_json,
)
from smithers_db.cli.opening import File, Json, Run, opened, run_named
from smithers_db.cli.wording import age, counted, duration, number, plain
from smithers_db.export import count_of, lines_of
from smithers_db.facade import SmithersDB
from smithers_db.follow import changes, label, moment_of
from smithers_db.rows import Execution

#: The columns below which a line of `tail` tells neither when nor how long: else not even what.
_ROOMY = 60


def demo(json: Json = False) -> None:
    """Watch a live view follow a run: agents, an approval, a crash, and a resume."""
    raise typer.Exit(demonstration.main(json=json))


def runs(
    file: File,
    limit: Annotated[int, typer.Option(help="how many, -1 for all", min=-1)] = 20,
    json: Json = False,
) -> None:
    """List the newest runs, and which of them are dead."""
    with opened(file) as db:
        dead = {row.id for row in db.execution.find_incomplete() if row.abandoned}
        found = db.execution.list(limit)
        total = int(db.query("SELECT count(*) FROM executions").get()[0][0])
    if json:
        write_json([{**msgspec.structs.asdict(row), "dead": row.id in dead} for row in found])
        return
    if out.is_terminal and not total:
        say("no runs yet")
        return
    columns: list[Column[Execution]] = [
        Column("run", lambda run: run.id, short),
        Column("name", lambda run: run.name, flexible=True),
        Column("status", lambda run: "dead" if run.id in dead else run.status),
        Column("started", lambda run: run.started_at, age, right=True),
        Column("took", lambda run: run.duration_ms, duration, right=True, spared=2),
        Column(
            "iter", lambda run: run.total_iterations, number, right=True, wide_only=True, spared=5
        ),
        Column("agents", lambda run: run.total_agents, number, right=True, spared=3),
        Column("calls", lambda run: run.total_tool_calls, number, right=True, spared=4),
        Column("tokens", lambda run: run.total_tokens_used, number, right=True, spared=1),
    ]
    listing(plain(str(file)), columns, found)
    if out.is_terminal:
        rest = total - len(found)
        more = f"; the newest {len(found):,} are shown, --limit gives more" if rest else ""
        say(f"{counted(total, 'run')}, {len(dead):,} dead{more}", "dim")


def show(
    file: File,
    run: Run,
    limit: Annotated[
        int, typer.Option(help="how many of each kind, the newest, in a terminal", min=1)
    ] = SHOWN,
    json: Json = False,
) -> None:
    """Show one run: its phases, steps, agents, tool calls, tasks, state and open questions."""
    with opened(file) as db:
        found, families, state, dead = db.observe(_all_of, db, run_named(db, run)).get()
    if json:
        write_json({"execution": found, "dead": dead, **families, "state": state})
        return
    facts(
        "execution",
        {
            **msgspec.structs.asdict(found),
            "status": "dead" if dead else found.status,
            "duration_ms": found.duration_ms
            if not out.is_terminal
            else duration(found.duration_ms),
        }.items(),
    )
    columns: list[Column[Any]] = [
        Column("id", lambda row: row.id, short),
        Column("what", label, flexible=True),
        Column("status", lambda row: row.status),
        Column(
            "took", lambda row: getattr(row, "duration_ms", None), duration, right=True, spared=1
        ),
        Column("error", lambda row: row.error, flexible=True),
    ]
    for family, rows in families.items():
        _family(family, columns, rows, limit)
    keys: list[Column[tuple[str, Any]]] = [
        Column("key", lambda entry: entry[0], flexible=True),
        Column("value", lambda entry: entry[1], flexible=True),
    ]
    _family("state", keys, list(state.items()), limit)


def _all_of(
    db: SmithersDB, named: Execution
) -> tuple[Execution, dict[str, Sequence[Any]], dict[str, Any], bool]:
    """A run with what is in it, all of one snapshot; whether it is dead."""
    id = named.id
    families: dict[str, Sequence[Any]] = {
        "phases": db.phases.list(id),
        "steps": db.steps.list_for_execution(id),
        "tasks": db.tasks.list(id),
        "agents": db.agents.list(id),
        "tool_calls": db.tools.list_for_execution(id),
        "questions": db.human.list_pending(id),
    }
    dead = any(row.id == id and row.abandoned for row in db.execution.find_incomplete())
    return db.execution.get(id) or named, families, db.state.get_all(execution_id=id), dead


def _family(family: str, columns: list[Column[Any]], rows: Any, limit: int) -> None:
    if not out.is_terminal:  # a line of a pipe says itself what it is of
        listing(family, [Column("family", lambda _: family), *columns], rows)
        return
    shown = rows[-limit:]
    title = family.replace("_", " ")
    if len(shown) < len(rows):
        title = f"{title}: the last {len(shown):,} of {len(rows):,}"
    if rows:
        listing(title, columns, shown)


def tail(
    file: File,
    run: Run,
    follow: Annotated[bool, typer.Option(help="go on until the run ends")] = True,
    json: Json = False,
) -> None:
    """Follow a run: a line for each phase, step, agent, tool call and question that changes.

    That its worker has died is said once on the error stream; somebody may yet resume it.
    """
    with opened(file) as db:
        try:
            for kind, row in changes(db, run_named(db, run).id, follow, _is_read):
                if kind == "dead":  # no row has changed, so it is no line
                    gone = "this run is dead, for its worker is gone: resume it, or end it with"
                    err.print(
                        f"smithers-db: {gone} smithers-db doctor --end-dead {plain(str(file))}"
                    )
                elif json:
                    write_json({"kind": kind, "row": row})
                else:
                    _line(kind, row)
                sys.stdout.flush()
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def _is_read() -> bool:
    """Whether the output is no pipe or terminal that the other side has left."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # only what is told unasked: an error, the other's end
    return not poll.poll(0)


def _line(kind: str, row: Any) -> None:
    took = duration(getattr(row, "duration_ms", None))
    what, error = plain(label(row)), plain(row.error)
    moment, state = plain(moment_of(row)), plain(row.status)
    if not out.is_terminal:
        line = f"{moment}  {kind:<8}  {state:<9}  {what}  {took}  {error}"
        sys.stdout.write(line.rstrip() + "\n")
        return
    roomy = out.width >= _ROOMY
    shown = Text(f"{moment[11:19]}  {kind:<8}  " if roomy else f"{kind:<8}  ")
    shown.append_text(status(state, 9))
    shown.append(f"  {took:>6}  {what}" if roomy else f"  {what}")
    shown.append(f"  {error}", "red")
    shown.rstrip()
    shown.truncate(out.width, overflow="ellipsis")
    out.print(shown)


def export(
    file: File,
    run: Run,
    json: Annotated[bool, typer.Option("--json", help="as it always does")] = True,
) -> None:
    """Write a run as JSON lines: one for each row of each table, output files included."""
    with opened(file) as db:
        found = run_named(db, run)
        # Lines and a bar in one terminal would disturb each other.
        if out.is_terminal or not err.is_terminal:
            _write_lines(lines_of(db, found.id))
            return
        with progress("exporting") as told:
            total = count_of(db, found.id)
            _write_lines(_counting(lines_of(db, found.id), total, told))


def _counting(lines: Iterator[bytes], total: int, told: Any) -> Iterator[bytes]:
    for done, line in enumerate(lines):
        if done % 100 == 0:
            told(done, total, "")
        yield line


def _write_lines(lines: Iterator[bytes]) -> None:
    for line in lines:
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.flush()
