"""The ``reactive-sqlite`` command. Needs the extra ``cli``; nothing else of the package does."""

from __future__ import annotations

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
    app()
