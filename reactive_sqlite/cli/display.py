"""How a live result looks: in place on a terminal, as lines of text, as JSON."""

from __future__ import annotations

import json
import math
import sys
from abc import ABC, abstractmethod
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reactive_sqlite.liveness.observable import State

Rows = tuple[Any, ...]


class View(ABC):
    """Where the values of a query are shown. A context manager."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns

    @abstractmethod
    def show(self, state: State[Rows]) -> None:
        """Show one state: the rows, or why there are none."""

    def columns_of(self, rows: Rows) -> tuple[str, ...]:
        """The column names: those of the rows themselves, for the schema may have changed."""
        if rows:
            self.columns = rows[0].keys()
        return self.columns

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: B027  most views have nothing to put back
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""


class PlainLines(View):
    """For pipes: a line that says how many rows, the names, then a line for each row."""

    def show(self, state: State[Rows]) -> None:
        """Print one value, tabs between the columns."""
        if state.error is not None:
            print(f"# {_now()} fails: {_printable(str(state.error))}", flush=True)
            return
        rows = state.value or ()
        lines = [f"# {_now()} {_rows(len(rows))}", _line(self.columns_of(rows)), *map(_line, rows)]
        print("\n".join(lines), flush=True)


class JsonLines(View):
    """For programs: one JSON object a line, ``version`` with ``columns`` and ``rows`` or ``error``.

    A BLOB is ``{"blob": "<hex digits>"}``; an infinite number is a string, JSON having none.
    """

    def show(self, state: State[Rows]) -> None:
        """Print one value."""
        found: dict[str, Any] = {"version": state.version}
        if state.error is not None:
            found["error"] = str(state.error)
        else:
            rows = state.value or ()
            found["columns"] = self.columns_of(rows)
            found["rows"] = [[_jsonable(value) for value in row] for row in rows]
        print(json_line(found), flush=True)


class Screen(View):
    """For people: a table that stays in place and shows as many rows as fit."""

    def __init__(self, columns: tuple[str, ...], sql: str) -> None:
        super().__init__(columns)
        self._sql = _printable(sql)
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, screen=False)
        self._values = 0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, state: State[Rows]) -> None:
        """Draw one value over the one before."""
        self._values += 1
        rows = state.value or ()
        fits = max(1, self._console.height - 7)
        table = Table(title=self._sql, title_justify="left", title_style="bold")
        for name in self.columns_of(rows):
            table.add_column(Text(_printable(name)), no_wrap=True)
        for row in rows[:fits]:
            table.add_row(*(_cell(value) for value in row))
        told = [_rows(len(rows))]
        if len(rows) > fits:
            told.append(f"{fits} shown")
        told += [f"value {self._values}", _now(), "Ctrl-C ends"]
        line = Text(" · ".join(told), style="dim")
        if state.error is not None:
            line = Text(f"fails: {_printable(str(state.error))}", style="bold red")
        self._live.update(Group(table, line), refresh=True)


def json_line(found: dict[str, Any]) -> str:
    """One JSON object, with escapes of its own for letters that the output may not know."""
    return json.dumps(found, ensure_ascii=sys.stdout.encoding.lower() != "utf-8")


def _now() -> str:
    return datetime.now().strftime("%H:%M:%S.%f")[:-3]


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _line(values: tuple[Any, ...]) -> str:
    return "\t".join(map(_text, values))


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"x'{value.hex()}'" if isinstance(value, bytes) else _printable(str(value))


def _cell(value: Any) -> Text:
    return Text(_text(value), style="dim" if value is None or isinstance(value, bytes) else "")


def _printable(text: str) -> str:
    """The text without what would move the cursor or start a new line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"blob": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
