"""Values as a person reads them: on one line, in few characters, without control characters."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_JOINER = "\u200d"  # what emoji of several parts are joined by


def plain(value: Any) -> str:
    r"""A value as one line of text: white space runs become one space, the rest is shown escaped.

    A name or an error is whatever an agent wrote: a terminal must not take its control characters
    for orders, and a tab or a line break must not break the line it stands in.

    >>> plain("two\nlines \x1b[31m")
    'two lines \\x1b[31m'
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        value = compact(value) if isinstance(value, dict | list) else str(value)
    text = " ".join(value.split())
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == _JOINER else ascii(c)[1:-1] for c in text)


def compact(value: Any) -> str:
    """A value as JSON on one line."""
    return msgspec.json.encode(value, enc_hook=str).decode()


def _is_number(value: Any) -> bool:
    """Whether this is a number to reckon with: another program may have left something else."""
    return isinstance(value, int | float) and math.isfinite(value)


def duration(milliseconds: int | None) -> str:
    """A duration in at most six characters.

    >>> duration(7), duration(1234), duration(65_000), duration(7_500_000), duration(200_000_000)
    ('7 ms', '1.2 s', '1m05s', '2h05m', '2d07h')
    """
    if milliseconds is None:
        return ""
    if not _is_number(milliseconds):
        return plain(milliseconds)
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{second:02}s"
    hours, minute = divmod(minutes, 60)
    return f"{hours}h{minute:02}m" if hours < 24 else f"{hours // 24}d{hours % 24:02}h"


def age(moment: str | None) -> str:
    """How long ago a moment was, in at most seven characters; what is no time, as it is.

    >>> age("2001-01-01T00:00:00.000Z")
    '2001-01'
    """
    if not moment:
        return ""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return plain(moment)[:7]
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    seconds = (datetime.now(UTC) - then).total_seconds()
    if seconds < 60:
        return "now" if seconds < 5 else f"{seconds:.0f}s ago"
    for unit, size, most in (("m", 60, 60), ("h", 3600, 24), ("d", 86400, 100)):
        if seconds < size * most:
            return f"{seconds // size:.0f}{unit} ago"
    return f"{then:%Y-%m}"


def size(count: int) -> str:
    """A number of bytes.

    >>> size(0), size(1023), size(1536), size(10_000_000)
    ('0 B', '1023 B', '1.5 KiB', '9.5 MiB')
    """
    amount = float(count)
    for unit in _UNITS:
        if abs(amount) < 1024 or unit == _UNITS[-1]:
            break
        amount /= 1024
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"


def number(count: int) -> str:
    """A count in at most six characters.

    >>> number(999), number(12_345), number(1_234_567)
    ('999', '12,345', '1.2M')
    """
    if not _is_number(count):
        return plain(count)
    for unit, least in (("G", 10**9), ("M", 10**6), ("k", 10**5)):
        if abs(count) >= least:
            return f"{count / (1000 if unit == 'k' else least):.{0 if unit == 'k' else 1}f}{unit}"
    return f"{count:,}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its word.

    >>> counted(1, "run"), counted(2, "run"), counted(3, "query", "queries")
    ('1 run', '2 runs', '3 queries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
