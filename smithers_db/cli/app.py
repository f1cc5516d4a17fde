"""The commands of ``smithers-db``, together.

Exit statuses: 0 all is well, 1 something is wrong with what was asked about, 2 it could not be
asked: no such file or run, not a Smithers database, wrong usage; 130 when it was interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from smithers_db.cli import looking, upkeep
from smithers_db.cli.display import refuse

P = ParamSpec("P")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Look into a Smithers database, and keep it small and sound.",
    epilog="Exit status 0: all is well; 1: something is wrong with what was asked about; 2: it "
    "could not be asked, as without such a file or run; 130: it was interrupted.",
)


def written_out(command: Callable[P, None]) -> Callable[P, None]:
    """The command, which ends well when nobody reads its output any more, and not on a full disk.

    Typer must not hear of it: it would end with the status of something wrong.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            try:
                command(*args, **kwargs)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:  # whoever read has read enough
            _write_no_more()
            raise typer.Exit(0) from None
        except OSError as error:
            _write_no_more()
            ended = error.__context__
            if isinstance(ended, typer.Exit) and ended.exit_code == 2:  # it has been said
                raise ended from None
            refuse(f"the output cannot be written: {error}")

    return run


def _write_no_more() -> None:
    """Else the interpreter fails at its end, when it writes what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    app.command()(written_out(command))
