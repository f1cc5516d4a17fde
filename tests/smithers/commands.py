"""The command as a process of its own, forked from one that has imported the libraries.

The start of Python and these imports would be most of the time of most tests, and are the same.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
_FORKING = """
import json, os, sys
import rich.console, rich.table, rich.text, smithers_db, typer
from smithers_db.cli import main

for order in sys.stdin:
    words, environment, encoding, *streams = json.loads(order)
    child = os.fork()
    if child == 0:
        sys.argv = ["smithers-db", *words]
        os.environ.update(environment)
        for number, path in enumerate(streams):
            os.dup2(os.open(path, os.O_RDWR), number)
        sys.stdin = open(0)
        sys.stdout = open(1, "w", encoding=encoding)
        sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace")
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class _Forking:
    """The process that forks. It ends with this one."""

    def __init__(self) -> None:
        leave = ("COLUMNS", "NO_COLOR")
        env = {name: value for name, value in os.environ.items() if name not in leave}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKING],
            env={**env, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders: IO[str] = self._process.stdin
        self.statuses: IO[str] = self._process.stdout

    def begin(self, args: list[str], env: dict[str, str], encoding: str, *streams: str) -> None:
        self._orders.write(json.dumps([args, env, encoding, *streams]) + "\n")
        self._orders.flush()

    def status(self) -> int:
        """How the command has ended; waits for that."""
        return int(self.statuses.readline())


@cache
def _forking() -> _Forking:
    return _Forking()


def command(*args: Any, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    """Run `smithers-db` with these words, its outputs no terminals."""
    words = [str(arg) for arg in args]
    with (
        tempfile.NamedTemporaryFile("r", encoding=encoding) as out,
        tempfile.NamedTemporaryFile("r", encoding=encoding) as err,
    ):
        streams = (os.devnull, out.name, err.name)
        _forking().begin(words, {"COLUMNS": "200"}, encoding, *streams)
        return subprocess.CompletedProcess(words, _forking().status(), out.read(), err.read())


def in_terminal(*args: Any, columns: int = 80, colour: bool = True) -> list[str]:
    """The lines of the screen, as the command leaves it in a terminal of this width."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {"TERM": "xterm-256color"} | ({} if colour else {"NO_COLOR": "1"})
    screen, forking = os.ttyname(terminal), _forking()
    forking.begin([str(arg) for arg in args], env, "utf-8", screen, screen, os.devnull)
    written, ended = b"", False
    while not ended:
        ready, _, _ = select.select([controller, forking.statuses], [], [])
        if controller in ready:
            written += os.read(controller, 65536)
        else:
            assert forking.status() in (0, 1)
            ended = True
    os.close(terminal)
    os.close(controller)
    return written.decode().replace("\r\n", "\n").splitlines()
