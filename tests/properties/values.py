"""Random values: few, odd, and chosen to collide under SQLite's comparison rules."""

from __future__ import annotations

import re
from random import Random
from typing import Any

INTEGERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -1, -2, 100, 1 << 40, (1 << 53) + 1)
REALS = (0.0, -0.0, 1.0, 1.5, 2.0, 2.5, -1.0, 3.25, 0.1, 1e15, 9007199254740992.0)
TEXTS = (
    "a", "A", "b", "B", "ab", "AB", "a ", "b  ", "", "1", "01", "1.0", " 1", "2", "1e0", "abc",
    "é", "É", "a_b", "a%", "x y", "it's", "-1", "zz", "running", "done",
)  # fmt: skip
BLOBS = (b"", b"1", b"a", b"\x00z")


def value(random: Random) -> Any:
    """Any storage class, small domains."""
    kind = random.random()
    if kind < 0.45:
        return random.choice(INTEGERS)
    if kind < 0.75:
        return random.choice(TEXTS)
    if kind < 0.87:
        return random.choice(REALS)
    if kind < 0.96:
        return None
    return random.choice(BLOBS)


def value_for(random: Random, affinity: str) -> Any:
    """Mostly a value that suits a column of this declared type, sometimes any."""
    if random.random() < 0.15:
        return value(random)
    declared = affinity.upper()
    if "INT" in declared:
        return random.choice(INTEGERS[:12])
    if "TEXT" in declared or "CHAR" in declared:
        return random.choice(TEXTS)
    if "REAL" in declared:
        return random.choice(REALS)
    return value(random)


def literal(value: Any) -> str:
    """`value` as SQL text."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value)
        case float():
            return repr(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bytes():
            return f"x'{value.hex()}'"
    raise TypeError(f"no SQL literal for {value!r}")


class Parameters:
    """The values of one statement; each becomes a literal or a placeholder when it is rendered.

    A statement keeps to one style, as `sqlite3` callers do: literals only, `?`, `?1`, or named.
    Pieces of SQL hold a mark until `render`, since not every piece that is drawn is used.
    """

    def __init__(self, random: Random, *, style: str | None = None) -> None:
        self.random = random
        self.style = random.choice(("", "", "?", "?1", ":", "@", "$")) if style is None else style
        self._values: list[Any] = []

    def __call__(self, value: Any) -> str:
        if self.style == "" or (self.style != "?" and self.random.random() < 0.3):
            return literal(value)
        self._values.append(value)
        return f"\x01{len(self._values) - 1}\x02"

    def render(self, text: str) -> tuple[str, tuple[Any, ...] | dict[str, Any]]:
        """The SQL text and what to bind to it."""
        positional: list[Any] = []
        named: dict[str, Any] = {}

        def place(match: re.Match[str]) -> str:
            value = self._values[int(match[1])]
            if self.style == "?":
                positional.append(value)
                return "?"
            known = positional if self.style == "?1" else list(named.values())
            same = [n for n, other in enumerate(known, 1) if repr(other) == repr(value)]
            number = same[0] if same else len(known) + 1
            if not same and self.style == "?1":
                positional.append(value)
            elif not same:
                named[f"p{number}"] = value
            return f"?{number}" if self.style == "?1" else f"{self.style}p{number}"

        sql = re.sub("\x01(\\d+)\x02", place, text)
        return sql, named or tuple(positional)


def quoted(name: str) -> str:
    """`name` as an SQL identifier; plain when it may stand plain."""
    if name.isascii() and name.isidentifier() and name.lower() not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


_KEYWORDS = frozenset({"order", "group", "select", "table", "index", "from", "where", "key"})
