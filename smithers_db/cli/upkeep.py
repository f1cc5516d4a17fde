"""The commands that keep a file small and sound: ``prune``, ``stats``, ``doctor``, ``migrate``."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from typing import Annotated

import typer

from smithers_db import doctor as examination
from smithers_db import migrations
from smithers_db.cli.display import (
    SHOWN,
    Column,
    listing,
    out,
    progress,
    refuse,
    say,
    short,
    status,
    write_json,
)
from smithers_db.cli.opening import File, Json, asked, opened
from smithers_db.cli.wording import counted, plain, size
from smithers_db.clock import moment
from smithers_db.errors import InvalidValue
from smithers_db.growth import RunStats, TableStats

_AGE = re.compile(r"(\d+)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def prune(
    file: File,
    keep: Annotated[
        int | None, typer.Option(help="spare this many of the newest finished runs", min=0)
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="spare younger runs: 30d, 12h, or a date")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
    json: Json = False,
) -> None:
    """Remove finished runs with their output files, and give the room back."""
    if keep is None and older_than is None:
        refuse("say what to prune: --keep NUMBER, --older-than AGE, or both")
    before = None if older_than is None else _before(older_than)
    with opened(file) as db, progress("pruning") as told:
        report = db.prune(keep=keep, older_than=before, dry_run=dry_run, progress=told)
    if json:
        write_json(report)
        return
    say(
        f"{'would remove' if dry_run else 'removed'} {counted(len(report.executions), 'run')}, "
        f"{counted(sum(report.rows.values()), 'row')}, {size(report.output_bytes)} of outputs"
        + ("" if dry_run else f"; the file shrank by {size(report.freed_bytes)}")
    )


def _before(given: str) -> str:
    """The time that an age or a date names."""
    match = _AGE.fullmatch(given.strip())
    try:
        return moment(timedelta(seconds=int(match[1]) * _SECONDS[match[2]]) if match else given)
    except (OverflowError, InvalidValue):
        refuse(f"{plain(given)!r} is no age, such as 30d or 12h (of s, m, h, d, w), and no date")


def stats(
    file: File,
    limit: Annotated[
        int, typer.Option(help="how many runs, the largest, in a terminal", min=1)
    ] = SHOWN,
    json: Json = False,
) -> None:
    """Say what takes the room: by table, by run, and in output files."""
    with opened(file) as db, progress("measuring") as told:
        found = db.stats(progress=told)
    if json:
        write_json(found)
        return
    tables: list[Column[TableStats]] = [
        Column("table", lambda table: table.name, flexible=True),
        Column("rows", lambda table: table.rows, lambda rows: f"{rows:,}", right=True),
        Column("size", lambda table: table.bytes, size, right=True),
        Column(
            "share",
            lambda table: f"{table.bytes / max(found.file_bytes, 1):.3f}",
            lambda share: f"{float(share):.0%}",
            right=True,
        ),
    ]
    listing("tables", tables, [table for table in found.tables if table.rows])
    columns: list[Column[RunStats]] = [
        Column("run", lambda run: run.id, short),
        Column("name", lambda run: run.name, flexible=True),
        Column("status", lambda run: run.status, spared=2),
        Column("rows", lambda run: run.rows, lambda rows: f"{rows:,}", right=True, spared=1),
        Column("in rows", lambda run: run.bytes, size, right=True),
        Column("in files", lambda run: run.output_bytes, size, right=True),
    ]
    largest = found.runs
    if out.is_terminal:
        largest = sorted(found.runs, key=lambda run: -run.bytes - run.output_bytes)[:limit]
    more = f": the {len(largest):,} largest of {len(found.runs):,}"
    listing("runs" + (more if len(largest) < len(found.runs) else ""), columns, largest)
    say(
        f"file {size(found.file_bytes)}, {size(found.free_bytes)} of it free; "
        f"{counted(found.output_files, 'output file')}, {size(found.output_bytes)}"
    )


def doctor(
    file: File,
    repair: Annotated[bool, typer.Option("--repair", help="mend what can be mended")] = False,
    end_dead: Annotated[bool, typer.Option("--end-dead", help="end dead runs as failed")] = False,
    json: Json = False,
) -> None:
    """Check integrity, references, counters, output files, dead runs; status 1 if one is wrong."""
    with opened(file) as db, progress("examining") as told:
        findings = examination.examine(db, repair=repair, end_dead=end_dead, progress=told)
    if json:
        write_json(findings)
    elif not out.is_terminal:
        for found in findings:
            mended = "mended" if found.repaired else ""
            sys.stdout.write(f"{found.kind}\t{plain(found.detail)}\t{mended}".rstrip() + "\n")
        if not findings:
            say("all is well")
    else:
        _examined(findings, repair or end_dead)
    if not all(finding.repaired for finding in findings):
        raise typer.Exit(1)


def _examined(findings: list[examination.Finding], mending: bool) -> None:
    """Each check with a mark, and below it what it found."""
    for kind, (what, remedy) in examination.CHECKS.items():
        found = [finding for finding in findings if finding.kind == kind]
        if not found:
            say(f"✔ {what}: none", "green")
            continue
        open_ones = [finding for finding in found if not finding.repaired]
        mended = f", {len(found) - len(open_ones):,} mended" if mending else ""
        advice = f"  ({remedy})" if remedy and open_ones else ""
        say(f"✖ {what}: {len(found):,}{mended}{advice}", "red" if open_ones else "yellow")
        for finding in found[:SHOWN]:
            line = status(f"    {plain(finding.detail)}")
            line.truncate(out.width, overflow="ellipsis")
            out.print(line)
        if len(found) > SHOWN:
            say(f"    … and {len(found) - SHOWN:,} more; --json gives all", "dim")
    if not findings:
        say("all is well", "bold green")


def migrate(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    json: Json = False,
) -> None:
    """Bring a file to this version's schema; a file of the original is backed up and converted."""
    with asked(file), progress("migrating") as told:
        work = migrations.rehearse if dry_run else migrations.migrate_file
        report = work(file, progress=told)
    if json:
        write_json(report)
        return
    if not report.applied:
        say("nothing to do")
        return
    say(f"{'would apply' if dry_run else 'applied'} {', '.join(report.applied)}")
    if report.backup is not None:
        kept = "a copy would be kept" if dry_run else f"kept as {report.backup}"
        say(f"a file of the original: {kept}; {counted(report.notes, 'conversion note')}")
    if report.dangling:
        say(f"{counted(report.dangling, 'reference')} to no row: smithers-db doctor says which")
