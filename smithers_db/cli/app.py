"""The commands of ``smithers-db``, together.

Exit statuses: 0 all is well, 1 something is wrong with what was asked about, 2 it could not be
asked: no such file or run, not a Smithers database, wrong usage; 130 when it was interrupted.
"""

from __future__ import annotations

import typer

from smithers_db.cli import looking, upkeep

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Look into a Smithers database, and keep it small and sound.",
)
for command in (
    looking.demo,
    looking.runs,
    looking.show,
    looking.tail,
    looking.export,
    upkeep.stats,
    upkeep.doctor,
    upkeep.prune,
    upkeep.migrate,
):
    app.command()(command)
