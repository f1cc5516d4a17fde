"""The ``smithers-db`` command."""

from __future__ import annotations

import typer

from smithers_db import demo as demonstration

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look into a Smithers database.")


@app.callback()
def _main() -> None:
    """Look into a Smithers database."""


@app.command()
def demo() -> None:
    """Watch a live view follow a database that 12 parallel agents write to."""
    raise typer.Exit(demonstration.main())


def main() -> None:
    """Runs the command."""
    app()
