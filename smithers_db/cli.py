"""The ``smithers-db`` command.

Exit statuses: 0 all is well, 1 something is wrong with what was asked about, 2 it could not be
asked: no such file or run, not a Smithers database, wrong usage.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from reactive_sqlite import ReactiveDatabase
from smithers_db import demo as demonstration
from smithers_db import doctor as examination
from smithers_db import migrations
from smithers_db.errors import SmithersError
from smithers_db.export import lines_of
from smithers_db.facade import SmithersDB, create_smithers_db
from smithers_db.follow import brief, changes, moment_of
from smithers_db.rows import Execution

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Look into a Smithers database, and keep it small and sound.",
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

File = Annotated[Path, typer.Argument(help="the database file", show_default=False)]
Run = Annotated[str, typer.Argument(help="the run's id, or enough of its end", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]

_AGE = re.compile(r"(\d+)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _refuse(message: str) -> NoReturn:
    err.print(f"smithers-db: {message}", markup=False)
    raise typer.Exit(2)


@contextmanager
def _opened(file: Path, *, migrate: bool = False) -> Iterator[SmithersDB]:
    """The database in a file that exists, and that needs no migration unless that is asked for."""
    if not file.is_file():
        _refuse(f"no such file: {file}")
    try:
        if not migrate:
            with ReactiveDatabase(file, readonly=True) as db:
                waiting = migrations.pending(db)
            if waiting:
                _refuse(f"{file} needs a migration: smithers-db migrate {file}")
        with create_smithers_db(file) as opened:
            yield opened
    except BrokenPipeError:
        raise
    except (SmithersError, OSError) as error:
        _refuse(str(error))
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "apsw":  # SQLite's own, by their names
            raise
        _refuse(f"{file}: {error}")


def _json(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")


def _found(db: SmithersDB, run: str) -> Execution:
    found = db.execution.get(run)
    if found is None and run:
        ends = [row for row in db.execution.list(limit=-1) if row.id.endswith(run)]
        if len(ends) > 1:
            _refuse(f"{len(ends)} runs end in {run}; give more of the id")
        found = ends[0] if ends else None
    if found is None:
        _refuse(f"no such run: {run}")
    return found


def _rows(title: str, headings: str, rows: list[tuple[Any, ...]]) -> None:
    """A table in a terminal; tab-separated lines where the output is piped."""
    if not out.is_terminal:
        for row in rows:
            sys.stdout.write("\t".join("" if cell is None else str(cell) for cell in row) + "\n")
        return
    table = Table(title=title)
    for heading in headings.split():
        table.add_column(heading)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(table)


@app.command()
def demo() -> None:
    """Watch a live view follow a run: agents, an approval, a crash, and a resume."""
    raise typer.Exit(demonstration.main())


@app.command()
def runs(
    file: File, limit: Annotated[int, typer.Option(help="how many")] = 20, json: Json = False
) -> None:
    """List the newest runs, and which of them are dead."""
    with _opened(file) as db:
        dead = {row.id for row in db.execution.find_incomplete() if row.abandoned}
        found = db.execution.list(limit)
        if json:
            _json([{**msgspec.structs.asdict(row), "dead": row.id in dead} for row in found])
            return
        _rows(
            str(file),
            "id name status started ms iterations agents calls tokens",
            [
                (
                    row.id,
                    row.name,
                    "dead" if row.id in dead else row.status,
                    row.started_at,
                    row.duration_ms,
                    row.total_iterations,
                    row.total_agents,
                    row.total_tool_calls,
                    row.total_tokens_used,
                )
                for row in found
            ],
        )


@app.command()
def show(file: File, run: Run, json: Json = False) -> None:
    """Show one run: its phases, agents, tool calls, state and open questions."""
    with _opened(file) as db:
        found = _found(db, run)
        families = {
            "phases": db.phases.list(found.id),
            "steps": db.steps.list_for_execution(found.id),
            "agents": db.agents.list(found.id),
            "tool_calls": db.tools.list_for_execution(found.id),
            "questions": db.human.list_pending(found.id),
        }
        state = db.state.get_all(execution_id=found.id)
        if json:
            _json({"execution": found, **families, "state": state})
            return
        _rows(
            f"run {found.id}",
            "column value",
            [(key, value) for key, value in msgspec.structs.asdict(found).items() if value != ""],
        )
        for family, rows in families.items():
            _rows(family, "id what status ms error", [brief(row) for row in rows])
        _rows("state", "key value", list(state.items()))


@app.command()
def tail(
    file: File,
    run: Run,
    follow: Annotated[bool, typer.Option(help="go on until the run ends")] = True,
    json: Json = False,
) -> None:
    """Follow a run: a line for each phase, step, agent, tool call and question that changes."""
    with _opened(file) as db:
        try:
            for kind, row in changes(db, _found(db, run).id, follow=follow):
                if json:
                    _json({"kind": kind, "row": row})
                else:
                    _, what, status, ms, error = brief(row)
                    took = "" if ms is None else f"  {ms} ms"
                    line = f"{moment_of(row)}  {kind:<8}  {status:<9}  {what}{took}  {error or ''}"
                    sys.stdout.write(line.rstrip() + "\n")
                sys.stdout.flush()
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


@app.command()
def prune(
    file: File,
    keep: Annotated[int | None, typer.Option(help="spare this many of the newest runs")] = None,
    older_than: Annotated[
        str | None, typer.Option(help="spare younger runs: 30d, 12h, or a date")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
    json: Json = False,
) -> None:
    """Remove finished runs with their output files, and give the room back."""
    age: str | timedelta | None = older_than
    if older_than is not None and (match := _AGE.fullmatch(older_than.strip())):
        age = timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    with _opened(file) as db, Progress(console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("pruning", total=None)
        report = db.prune(
            keep=keep,
            older_than=age,
            dry_run=dry_run,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if json:
        _json(report)
        return
    verb = "would remove" if dry_run else "removed"
    out.print(
        f"{verb} {len(report.executions)} runs, {sum(report.rows.values())} rows, "
        f"{report.output_bytes} bytes of outputs; the file shrank by {report.freed_bytes} bytes"
    )


@app.command()
def stats(file: File, json: Json = False) -> None:
    """Say what takes the room: by table, by run, and in output files."""
    with _opened(file) as db, err.status("measuring"):
        found = db.stats()
    if json:
        _json(found)
        return
    _rows("tables", "table rows bytes", [(t.name, t.rows, t.bytes) for t in found.tables if t.rows])
    _rows(
        "runs",
        "run name status rows bytes outputs",
        [(r.id, r.name, r.status, r.rows, r.bytes, r.output_bytes) for r in found.runs],
    )
    out.print(
        f"file {found.file_bytes} bytes, {found.free_bytes} of them free; "
        f"{found.output_files} output files, {found.output_bytes} bytes"
    )


@app.command()
def doctor(
    file: File,
    repair: Annotated[bool, typer.Option("--repair", help="mend what can be mended")] = False,
    end_dead: Annotated[bool, typer.Option("--end-dead", help="end dead runs as failed")] = False,
    json: Json = False,
) -> None:
    """Check integrity, references, counters, output files, dead runs; status 1 if one is wrong."""
    with _opened(file) as db, err.status("examining"):
        findings = examination.examine(db, repair=repair, end_dead=end_dead)
    if json:
        _json(findings)
    else:
        _rows(
            str(file),
            "kind what",
            [(f.kind, f.detail + (" (mended)" if f.repaired else "")) for f in findings],
        )
        if not findings:
            out.print("all is well")
    if not all(finding.repaired for finding in findings):
        raise typer.Exit(1)


@app.command()
def migrate(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    json: Json = False,
) -> None:
    """Bring a file to this version's schema; a file of the original is backed up and converted."""
    if not file.is_file():
        _refuse(f"no such file: {file}")
    try:
        with err.status("migrating"):
            report = migrations.rehearse(file) if dry_run else migrations.migrate_file(file)
    except (SmithersError, OSError) as error:
        _refuse(str(error))
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "apsw":
            raise
        _refuse(f"{file}: {error}")
    if json:
        _json(report)
        return
    if not report.applied:
        out.print("nothing to do")
        return
    out.print(f"{'would apply' if dry_run else 'applied'} {', '.join(report.applied)}")
    if report.backup is not None:
        verb = "would be kept" if dry_run else "kept"
        out.print(f"a file of the original: {verb} as {report.backup}; {report.notes} notes")


@app.command()
def export(file: File, run: Run) -> None:
    """Write a run as JSON lines: one for each row of each table, output files included."""
    with _opened(file) as db:
        found = _found(db, run)
        for line in lines_of(db, found.id):
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.flush()


def main() -> None:
    """Runs the command."""
    try:
        app()
    except BrokenPipeError:  # whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
