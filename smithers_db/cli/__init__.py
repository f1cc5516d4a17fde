"""The ``smithers-db`` command. Needs the extra ``cli``; nothing else of the package does."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Runs the command."""
    try:
        from smithers_db.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit("smithers-db: install the command with: pip install 'reactive-sqlite[cli]'")
    try:
        app()
    except BrokenPipeError:  # whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
