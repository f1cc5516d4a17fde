"""What every command begins with: the file and the run that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from reactive_sqlite import ReactiveDatabase, ReactiveSqliteError
from smithers_db import migrations
from smithers_db.cli.display import refuse
from smithers_db.cli.wording import plain
from smithers_db.errors import MigrationError, SmithersError
from smithers_db.facade import SmithersDB, create_smithers_db
from smithers_db.rows import Execution

File = Annotated[Path, typer.Argument(help="the database file", show_default=False)]
Run = Annotated[str, typer.Argument(help="the run's id, or enough of its end", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]


@contextmanager
def asked(file: Path) -> Iterator[None]:
    """Turns what is wrong with a file into a line and an exit status."""
    if not file.is_file():
        refuse(f"{file} is a folder" if file.is_dir() else f"no such file: {file}")
    try:
        str(file).encode()
    except UnicodeEncodeError:
        refuse(f"the name {file} is no Unicode text, which SQLite asks for")
    try:
        yield
    except BrokenPipeError:
        raise
    except UnicodeDecodeError as error:
        refuse(f"{file}: {error}; smithers-db doctor {file} says in which row")
    except MigrationError as error:
        refuse(f"{file}: {error}")
    except (SmithersError, ReactiveSqliteError, OSError) as error:
        refuse(str(error))
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "apsw":  # SQLite's own, by their names
            raise
        refuse(f"{file}: {error}{_why(error)}")


def _why(error: Exception) -> str:
    """What the note of a file that could not be opened says of the reason."""
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("while opening")]
    reason = notes[0].partition("': ")[2] if notes else ""
    return f": {reason}" if reason else ""


@contextmanager
def opened(file: Path) -> Iterator[SmithersDB]:
    """The database in a file that exists, and that needs no migration."""
    with asked(file):
        with ReactiveDatabase(file, readonly=True) as db:
            waiting = migrations.pending(db)
        if waiting:
            refuse(f"{file} needs a migration: smithers-db migrate {file}")
        with create_smithers_db(file) as opened:
            yield opened


def run_named(db: SmithersDB, run: str) -> Execution:
    """The run with this id, or the one whose id ends so."""
    found = db.execution.get(run)
    if found is None and run:
        ends = [row for row in db.execution.list(limit=-1) if row.id.endswith(run)]
        if len(ends) > 1:
            refuse(f"{len(ends)} runs end in {plain(run)}; give more of the id")
        found = ends[0] if ends else None
    if found is None:
        refuse(f"no such run: {plain(run)}")
    return found
