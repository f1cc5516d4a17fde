"""Values checked on the way in: each check gives the value back, or raises `InvalidValue`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from smithers_db.clock import moment
from smithers_db.errors import InvalidValue

#: 2**53 - 1: https://datatracker.ietf.org/doc/html/rfc8259#section-6. Sums of such stay integers.
LARGEST_COUNT = 2**53 - 1


def text(name: str, value: Any) -> Any:
    """The value, if it is text that SQLite keeps whole.

    Raises:
        InvalidValue: it is no str, holds a NUL, at which SQLite's own functions would cut it, or
            half of a surrogate pair, which UTF-8 cannot write.
    """
    if not isinstance(value, str):
        raise InvalidValue(f"{name} must be a str, not {type(value).__name__}")
    if "\0" in value:
        raise InvalidValue(f"{name} holds a NUL character, which SQLite's text functions stop at")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidValue(f"{name} holds text that is not Unicode: {error}") from error
    return value


def identifier(name: str, value: Any) -> Any:
    """The value, if it is text that something can be called. Raises `InvalidValue` as `text`."""
    if text(name, value) == "":
        raise InvalidValue(f"{name} is empty, and nothing can be found by that")
    return value


def optional_text(name: str, value: Any) -> Any:
    """The same, or None."""
    return None if value is None else text(name, value)


def listed(name: str, value: Any) -> list[Any]:
    """The items of a list, a tuple, or whatever else has items that are meant one by one.

    Raises:
        InvalidValue: it has none, or is one text, or a mapping.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise InvalidValue(f"{name} is a list of them, not one {type(value).__name__}")
    return list(value)


def whole(name: str, value: Any) -> Any:
    """The value, if it is an integer that SQLite can hold.

    Raises:
        InvalidValue: it is not.
    """
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise InvalidValue(f"{name} must be an int of at most 64 bits, not {value!r:.60}")
    return value


def natural(name: str, value: Any) -> Any:
    """The value, if it is a count, a size, a duration or a place in an order: 0 or more.

    Raises:
        InvalidValue: it is not, or is larger than what every reader of JSON keeps exact.
    """
    if type(value) is not int or not 0 <= value <= LARGEST_COUNT:
        raise InvalidValue(f"{name} must be an int from 0 to {LARGEST_COUNT}, not {value!r:.60}")
    return value


def number_of_rows(name: str, value: Any, *, or_all: bool = False) -> Any:
    """The value, if it says how many rows a list may have; with ``or_all`` -1 means all.

    Raises:
        InvalidValue: it does not.
    """
    if type(value) is not int or not (-1 if or_all else 0) <= value < 2**63:
        all_rows = ", or -1 for all" if or_all else ""
        raise InvalidValue(
            f"{name} is a number of rows, an int of 0 or more{all_rows}, not {value!r:.60}"
        )
    return value


def time(name: str, value: Any) -> str:
    """A time given as ISO-8601 text or as a datetime, in the form in which times sort as text.

    Raises:
        InvalidValue: it is no time.
    """
    if not isinstance(value, str | datetime):
        raise InvalidValue(f"{name} must be an ISO-8601 time or a datetime, not {value!r:.60}")
    try:
        return moment(value)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from error


def flag(name: str, value: Any) -> Any:
    """A bool as the database writes it. Raises `InvalidValue` for anything else."""
    if type(value) is not bool:
        raise InvalidValue(f"{name} must be a bool, not {type(value).__name__}")
    return int(value)


def finite(name: str, value: Any) -> Any:
    """The value, if it is a number that is neither infinite nor NaN. Raises `InvalidValue`."""
    if type(value) is int:
        return whole(name, value)
    if type(value) is not float or not math.isfinite(value):
        raise InvalidValue(f"{name} must be a finite number, not {value!r:.60}")
    return value
