"""The ``smithers-db`` command. Needs the extra ``cli``; nothing else of the package does."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Runs the command."""
    try:
        from smithers_db.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit("smithers-db: install the command with: pip install 'reactive-sqlite[cli]'")
    if sys.stdout is None:
        print("smithers-db: standard output is closed", file=sys.stderr)
        sys.exit(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for letters that it does not know
    app()
