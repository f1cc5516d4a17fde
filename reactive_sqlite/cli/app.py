"""The commands of ``reactive-sqlite`` and their exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

from reactive_sqlite.cli.display import JsonLines, PlainLines, Screen, View, json_line
from reactive_sqlite.cli.watch import Watch
from reactive_sqlite.database import ReactiveDatabase
from reactive_sqlite.driver.errors import DatabaseError
from reactive_sqlite.errors import ReactiveSqliteError
from reactive_sqlite.neighbours.doctor import examine

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Live queries on SQLite files.",
)

#: The exit status for whatever the caller has to put right: the file, the SQL, the arguments.
MISUSE = 2
#: What the package advises its callers, and what that is in a shell.
_ADVICE = {
    "use execute() or mutation()": "watch only reads",
    "; use executescript() for several": "",
}


@app.callback()
def _commands() -> None:
    """Live queries on SQLite files."""


def fail(message: str) -> NoReturn:
    """One line on stderr, and the end."""
    print(f"reactive-sqlite: {' '.join(message.split())}", file=sys.stderr)
    raise typer.Exit(MISUSE)


@contextmanager
def misuse_is_one_line() -> Iterator[None]:
    """What SQLite or this package has against the arguments becomes one line and status 2."""
    try:
        yield
    except (DatabaseError, ReactiveSqliteError) as error:
        message = "; ".join([str(error), *getattr(error, "__notes__", ())])
        for advice, here in _ADVICE.items():
            message = message.replace(advice, here)
        fail(message)


def check_file(file: str) -> None:
    """Fail unless there is such a file and it may be read."""
    if not os.path.exists(file):
        fail(f"there is no file {file!r}")
    if os.path.isdir(file):
        fail(f"{file!r} is a directory, not a database file")
    if not os.path.isfile(file):
        fail(f"{file!r} is no regular file, and so no database file")
    if not _is_utf8(os.path.abspath(file)):
        fail(f"the name {os.path.abspath(file)!r} is not UTF-8, which is all that SQLite knows")
    if not os.access(file, os.R_OK):
        fail(f"no permission to read {file!r}")


def _is_utf8(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:  # it stands for bytes that are none
        return False


def open_to_read(file: str) -> ReactiveDatabase:
    """The file, which must exist, without the right to write to it."""
    check_file(file)
    with misuse_is_one_line():
        return ReactiveDatabase(os.path.abspath(file), readonly=True)


@app.command()
def doctor(
    file: Annotated[str, typer.Argument(help="a SQLite database file")],
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Say how a database file is, and who uses it. Does not change it.

    Exit status 0 when all is well, 1 when something is wrong, 2 when it cannot be examined.
    """
    check_file(file)
    with misuse_is_one_line():
        findings = examine(os.path.abspath(file))
    for finding in findings:
        if json:
            print(json_line(finding._asdict()))
        else:
            mark = {"ok": " ", "note": "!", "wrong": "✗"}[finding.verdict]
            print(f"{mark} {finding.topic:16} {finding.text}")
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)


@app.command()
def watch(
    file: Annotated[str, typer.Argument(help="a SQLite database file")],
    sql: Annotated[str, typer.Argument(help="a query")],
    json: Annotated[bool, typer.Option("--json", help="one JSON object for each value")] = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="end after that many values, the first included")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="end after that long")] = None,
) -> None:
    """Show the result of a query, now and after each commit that changes it.

    Whoever writes to the file, it is seen. The file is opened read-only and not changed. On a
    terminal the result is shown in place, otherwise as lines of text. Ctrl-C ends it.
    """
    with open_to_read(file) as database, misuse_is_one_line():
        query = database.query(sql)
        columns = database.analyze(sql).access.columns
        view: View
        if json:
            view = JsonLines(columns)
        elif sys.stdout.isatty():
            view = Screen(columns, sql)
        else:
            view = PlainLines(columns)
        Watch(query, view).run(count=count, seconds=seconds)
