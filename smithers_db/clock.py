"""The two things that every new row needs: a time and an id."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from uuid_utils import uuid7

from smithers_db.errors import InvalidValue


@lru_cache(maxsize=8)
def _second(epoch: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch))


def now() -> str:
    """The time as the database writes it: ISO-8601 UTC with milliseconds and ``Z``.

    >>> len(now()), now()[-1]
    (24, 'Z')
    """
    return at_millisecond(time.time_ns() // 1_000_000)


def at_millisecond(epoch_ms: int) -> str:
    """The text of a moment given in milliseconds since 1970.

    >>> at_millisecond(0)
    '1970-01-01T00:00:00.000Z'
    """
    second, millisecond = divmod(epoch_ms, 1000)
    return f"{_second(second)}.{millisecond:03d}Z"


def later(milliseconds: int) -> str:
    """The time so many milliseconds from now (negative: ago), and never one before 1970.

    Of a year before 1000 the text would not sort.
    """
    return at_millisecond(max(0, time.time_ns() // 1_000_000 + milliseconds))


def moment(when: str | datetime | timedelta) -> str:
    """A moment in the database's own text: of an ISO text, a datetime, or an age before now.

    A datetime without a zone, and a text without one, are taken as UTC.

    Raises:
        InvalidValue: the text is not a time, or the moment is of no year from 1 to 9999.

    >>> moment("2026-01-18 10:00:01")
    '2026-01-18T10:00:01.000Z'
    """
    try:
        return _moment(when)
    except OverflowError as error:
        raise InvalidValue(f"{when!r} is of no year from 1 to 9999") from error


def _moment(when: str | datetime | timedelta) -> str:
    if isinstance(when, timedelta):
        when = datetime.now(UTC) - when
    elif isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError as error:
            raise InvalidValue(f"{when!r} is not an ISO-8601 time") from error
    elif not isinstance(when, datetime):
        raise InvalidValue(f"a time is a str, datetime or timedelta, not {type(when).__name__}")
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    # Not strftime: its years before 1000 have fewer than four digits, and would not sort as text.
    return when.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def new_id() -> str:
    """A UUIDv7 as text: ids made later sort later, so that inserts stay at the end of an index."""
    return str(uuid7())
