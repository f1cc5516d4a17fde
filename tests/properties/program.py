"""A program: the operations that one run of the property machine performs, and its text form.

The text form is what `tests/regressions/*.sql` holds: blocks, each begun by a `-- ` line that says
what to do with the SQL below it.

    -- about: an update through a cascade
    -- database: file
    -- execute
    CREATE TABLE t(id INTEGER PRIMARY KEY, a)
    -- watch {'id': 1}
    SELECT a FROM t WHERE id = :id
    -- many [(1, 'x'), (2, None)]
    INSERT INTO t VALUES (?, ?)
    -- begin
    -- execute
    DELETE FROM t
    -- raise
"""

from __future__ import annotations

import ast
import dataclasses
import re
from typing import Any

Params = tuple[Any, ...] | dict[str, Any]

#: How an operation is carried out; the first five carry SQL, the last ones do not.
WITH_SQL = ("execute", "many", "script", "watch", "one", "value", "observe", "foreign")
BARE = ("begin", "end", "raise", "unwatch", "get")


@dataclasses.dataclass(frozen=True)
class Op:
    """One step.

    `execute`, `many`, `script`: the method of the database of that name. `watch`, `one`, `value`,
    `observe`: open a live query. `foreign`: a statement on another connection to the file.
    `begin`, `end`, `raise`: enter a `transaction()`, leave it well, leave it by an exception.
    `unwatch`: drop the n-th live query (`params` is `(n,)`).
    """

    kind: str
    sql: str = ""
    params: Params | list[Any] = ()

    def __str__(self) -> str:
        head = f"-- {self.kind}"
        if self.params:
            head += f" {self.params!r}"
        return f"{head}\n{self.sql}" if self.sql else head


@dataclasses.dataclass(frozen=True)
class Program:
    """Operations in order; whether they run on a file; which results follow the changes; whether
    somebody listens to whole commits (then every row is recorded, else only what is watched).
    """

    ops: tuple[Op, ...]
    on_file: bool = True
    about: str = ""
    maintain: str = "auto"
    listens: bool = True

    def __str__(self) -> str:
        lines = [f"-- about: {line}" for line in self.about.splitlines()]
        lines.append(f"-- database: {'file' if self.on_file else 'memory'}")
        if self.maintain != "auto":
            lines.append(f"-- maintain: {self.maintain}")
        if not self.listens:
            lines.append("-- listens: no")
        lines += [str(op) for op in self.ops]
        return "\n".join(lines) + "\n"


_HEAD = re.compile(rf"-- ({'|'.join(WITH_SQL + BARE)})\b ?(.*)$")


def parse(text: str) -> Program:
    """The program that `text` describes; ValueError when it is not in the format above."""
    about: list[str] = []
    on_file, maintain, listens = True, "auto", True
    blocks: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("-- about: "):
            about.append(line.removeprefix("-- about: "))
        elif line.startswith("-- database: "):
            on_file = line.removeprefix("-- database: ").strip() == "file"
        elif line.startswith("-- maintain: "):
            maintain = line.removeprefix("-- maintain: ").strip()
        elif line.startswith("-- listens: "):
            listens = line.removeprefix("-- listens: ").strip() != "no"
        elif match := _HEAD.match(line):
            blocks.append((match[1], match[2], []))
        elif blocks:
            blocks[-1][2].append(line)
        elif line.strip():
            raise ValueError(f"SQL before the first block: {line!r}")
    ops = [
        Op(kind, "\n".join(lines).strip(), ast.literal_eval(params) if params.strip() else ())
        for kind, params, lines in blocks
    ]
    return Program(tuple(ops), on_file, "\n".join(about), maintain, listens)
