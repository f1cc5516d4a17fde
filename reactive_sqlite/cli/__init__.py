"""The ``reactive-sqlite`` command. Needs the extra ``cli``; nothing else of the package does."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Run the command line."""
    try:
        from reactive_sqlite.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(
            "reactive-sqlite: install the command line with: pip install 'reactive-sqlite[cli]'"
        )
    if sys.stdout is None:
        sys.exit(_refused("standard output is closed"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for letters that it does not know
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read has read enough
        _write_no_more()
        sys.exit(0)
    except OSError as error:  # a full disk
        _write_no_more()
        sys.exit(_refused(str(error)))


def _write_no_more() -> None:
    """Else the interpreter fails at its end, when it writes what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(why: str) -> int:
    print(f"reactive-sqlite: {why}", file=sys.stderr)
    return 2
