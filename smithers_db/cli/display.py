"""How the command shows what it found: aligned lines in a terminal, tab-separated lines in a pipe.

What a terminal gets is shortened to its width; what a pipe gets is whole. Neither gets control
characters, nor markup, that somebody's text may hold.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

import typer
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from smithers_db.cli.wording import compact, plain

T = TypeVar("T")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Lets the error through: `app` knows what status that is."""
        raise


out = _Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

#: How many of a kind are shown in a terminal, if nothing else is asked for.
SHOWN = 20
#: The columns below which a listing leaves out what can be missed.
NARROW = 100
#: The fewest columns that a flexible column is given.
_LEAST = 8

_STYLES = {
    "completed": "green",
    "approved": "green",
    "running": "cyan",
    "pending": "yellow",
    "failed": "red",
    "rejected": "red",
    "dead": "bold red",
    "cancelled": "dim",
    "skipped": "dim",
}


class Column(NamedTuple, Generic[T]):
    """A column of a listing: its value for a pipe, and how a terminal shows that.

    Where there is no room for all, the column with the highest ``spared`` is left out first; one
    with 0 never is.
    """

    heading: str
    value: Callable[[T], Any]
    shown: Callable[[Any], str] = plain
    right: bool = False
    flexible: bool = False
    wide_only: bool = False
    spared: int = 0


def refuse(message: str) -> NoReturn:
    """Says why something could not be asked, and ends with status 2."""
    err.print(f"smithers-db: {plain(message)}")
    raise typer.Exit(2)


def write_json(value: Any) -> None:
    """Writes a value as a line of JSON."""
    line = compact(value)
    if sys.stdout.encoding.lower() != "utf-8":  # with escapes of its own for what is not known
        line = json.dumps(json.loads(line))
    sys.stdout.write(line + "\n")


def say(text: str, style: str = "") -> None:
    """Writes a line."""
    out.print(Text(text, style))


def status(word: str, padded: int = 0) -> Text:
    """A status in its colour."""
    return Text(word.ljust(padded), _STYLES.get(word, ""))


def short(id: str) -> str:
    """The end of an id, which tells ids of one moment apart."""
    return plain(id)[-8:]


def listing(title: str, columns: Sequence[Column[T]], items: Iterable[T]) -> None:
    """Writes a table of things, one a line."""
    if not out.is_terminal:
        for item in items:
            cells = (plain(column.value(item)) for column in columns)
            sys.stdout.write("\t".join(cells) + "\n")
        return
    items = list(items)
    if not items:
        return
    if out.width < NARROW:
        columns = [column for column in columns if not column.wide_only]
    # No cell is wider than the terminal: what is beyond need not be measured.
    width = out.width + 1
    rows = [[column.shown(column.value(item))[:width] for column in columns] for item in items]
    kept = _kept(columns, rows)
    columns = [columns[at] for at in kept]
    rows = [[row[at] for at in kept] for row in rows]
    table = Table(
        title=Text(title, "bold"),
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
    for column, room in zip(columns, _room(columns, rows), strict=True):
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=room,
        )
    for row in rows:
        table.add_row(
            *(
                status(cell) if column.heading == "status" else Text(cell)
                for column, cell in zip(columns, row, strict=True)
            )
        )
    out.print(table, soft_wrap=False)


#: Between two columns of a listing.
_GAP = 2


def _needed(column: Column[T], rows: list[list[str]], at: int) -> int:
    return max([cell_len(column.heading), *(cell_len(row[at]) for row in rows)])


def _kept(columns: Sequence[Column[T]], rows: list[list[str]]) -> list[int]:
    """The places of the columns that are shown: not empty, and no more than there is room for."""
    kept = [at for at, _ in enumerate(columns) if not at or any(row[at] for row in rows)]
    while _least(columns, rows, kept) > out.width:
        first = max(kept, key=lambda at: columns[at].spared)
        if not columns[first].spared:
            break
        kept.remove(first)
    return kept


def _least(columns: Sequence[Column[T]], rows: list[list[str]], kept: list[int]) -> int:
    """The width that these columns need when the flexible ones have given what they can."""
    needed = [(columns[at].flexible, _needed(columns[at], rows, at)) for at in kept]
    cells = sum(min(width, _LEAST) if flexible else width for flexible, width in needed)
    return cells + _GAP * (len(kept) - 1)


def _room(columns: Sequence[Column[T]], rows: list[list[str]]) -> list[int]:
    """The width of each column: what it needs, and the flexible ones what is left."""
    needed = [_needed(column, rows, at) for at, column in enumerate(columns)]
    flexible = [at for at, column in enumerate(columns) if column.flexible]
    over = sum(needed) + _GAP * (len(columns) - 1) - out.width
    while flexible and over > 0:
        widest = max(flexible, key=lambda at: needed[at])
        if needed[widest] <= _LEAST:
            break
        needed[widest] -= 1
        over -= 1
    return needed


def facts(kind: str, pairs: Iterable[tuple[str, Any]]) -> None:
    """Writes names and values of one thing, a pair a line; long values go on below themselves."""
    kept = [(name, plain(value)) for name, value in pairs if value not in (None, "", {}, [])]
    if not out.is_terminal:
        for name, value in kept:
            sys.stdout.write(f"{kind}\t{name}\t{value}\n")
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in kept:
        grid.add_row(name, status(value) if name == "status" else Text(value))
    out.print(grid, soft_wrap=False)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on the error stream while the block works, if that is a terminal.

    The block calls what it is given with what is done, how much there is, and what is being done.
    """
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not err.is_terminal,
        transient=True,
    ) as bars:
        task = bars.add_task(what, total=None)

        def update(done: int, total: int, doing: str = "") -> None:
            bars.update(
                task, completed=done, total=total, description=f"{what} {plain(doing)}".strip()
            )

        yield update
