"""Values as JSON text, so that what comes back equals what went in, or nothing goes in.

Plain JSON stays plain. What JSON has no word for becomes an object that names it:
``{"$type": "datetime", "value": "2026-01-18T10:00:00+00:00"}``; a dict that itself has a key
``$type`` is wrapped, so that the two are never confused.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime
from datetime import time as time_of_day
from enum import Enum
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

import msgspec

from smithers_db.errors import InvalidValue

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
#: How deep a value may be nested: what is stored can be read with an empty stack.
DEEPEST = 100
#: How deep its text may be then: a tag puts what it is about one level deeper.
_DEEPEST_TEXT = 2 * DEEPEST
_LARGEST, _SMALLEST = 2**64 - 1, -(2**63)


class Unresolved(msgspec.Struct, frozen=True):
    """An Enum member or a dataclass whose class is not imported in this process.

    Reading never imports a module named by a file. Import it, and the value comes back as itself.
    """

    type: str
    class_name: str
    value: Any


def encode(value: Any) -> str:
    """The JSON text of a value.

    Besides JSON's own shapes: datetime, date, time, UUID, set, frozenset, tuple, bytes, Path, Enum,
    dataclasses and integers of any size.

    Raises:
        InvalidValue: NaN and infinity, a dict key that is not a str, a type not named above, text
            that is not Unicode, or a value that contains itself.

    >>> encode({"a": [1, None]})
    '{"a":[1,null]}'
    >>> decode(encode({1, 2})) == {1, 2}
    True
    """
    try:
        return _encoder.encode(value if _plain(value) else _tagged(value)).decode()
    except RecursionError:
        raise InvalidValue(
            f"this value contains itself, or is nested more than {DEEPEST} deep"
        ) from None
    except UnicodeEncodeError as error:
        raise InvalidValue(f"text that is not Unicode cannot be stored: {error}") from error


def encode_optional(value: Any) -> str | None:
    """The JSON text of a value; None stays None, the column's own way to say that there is none."""
    return None if value is None else encode(value)


def decode(text: str | bytes) -> Any:
    """The value of a JSON text that `encode` made.

    Text that is not JSON comes back as itself: files of the original hold such text in columns
    that were meant for JSON, and none of it may be lost.
    """
    if type(text) is not str:
        return text
    try:
        return _decoded(text)
    except RecursionError:  # the caller's stack is nearly full; a thread has one of its own
        found = [text]
        thread = threading.Thread(target=lambda: found.append(_decoded_if_shallow(text)))
        thread.start()
        thread.join()
        return found[-1]


def _decoded_if_shallow(text: str) -> Any:
    try:
        return _decoded(text)
    except RecursionError:  # deeper than anything that encode makes
        return text


def _decoded(text: str) -> Any:
    try:
        value = _decoder.decode(text)
    except msgspec.DecodeError:
        return text
    if text.count("[") + text.count("{") > _DEEPEST_TEXT and _deeper(value, _DEEPEST_TEXT):
        return text
    if '"$type"' not in text:
        return value
    try:
        return _untagged(value)
    except (KeyError, TypeError, ValueError):  # it only looks tagged: encode did not make it
        return value


def _deeper(value: Any, most: int) -> bool:
    """Whether lists and dicts are nested more than so deep; whatever the stack has room for."""
    level = [value]
    for _ in range(most + 1):
        level = [
            item
            for held in level
            if isinstance(held, list | dict)
            for item in (held if isinstance(held, list) else held.values())
        ]
    return bool(level)


def _plain(value: Any, room: int = DEEPEST) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(_SMALLEST <= value <= _LARGEST)
    if kind is float:
        return math.isfinite(value)
    if kind is dict:
        room = _less(room)
        for key, item in value.items():
            if type(key) is not str or key == "$type" or not _plain(item, room):
                return False
        return True
    if kind is list:
        room = _less(room)
        for item in value:  # noqa: SIM110  a generator costs more, and this is done at each write
            if not _plain(item, room):
                return False
        return True
    return False


def _less(room: int) -> int:
    if not room:
        raise RecursionError
    return room - 1


def _tagged(value: Any, room: int = DEEPEST) -> Any:
    if _plain(value, room):
        return value
    room = _less(room)
    if isinstance(value, Enum) and value.name in type(value).__members__:
        return {**_class_tag("enum", value), "value": value.name}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = {f.name: _tagged(getattr(value, f.name), room) for f in dataclasses.fields(value)}
        return {**_class_tag("dataclass", value), "value": held}
    if isinstance(value, Unresolved):
        held = value.value
        if isinstance(held, dict):
            held = {key: _tagged(item, room) for key, item in held.items()}
        return {"$type": value.type, "class": value.class_name, "value": held}
    if isinstance(value, PurePath) and Path(value) == value:
        return {"$type": "path", "value": str(value)}
    for kind, (name, to_json, _) in _TAGS.items():
        if type(value) is kind:
            return {
                "$type": name,
                "value": to_json(value, room) if name in _HOLD else to_json(value),
            }
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise InvalidValue("a dict to be stored as JSON has keys that are all str")
        # Not str(key): that of a member of a `str` Enum is its name, not the text that it is.
        plain = {str.__str__(key): _tagged(item, room) for key, item in value.items()}
        return {"$type": "dict", "value": plain} if "$type" in plain else plain
    if isinstance(value, list):
        return [_tagged(item, room) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidValue(f"JSON has no {value}; store None or a text instead")
    raise InvalidValue(
        f"a {type(value).__name__} cannot be stored: it would not come back as it was"
    )


def _items(values: Any, room: int) -> list[Any]:
    return [_tagged(item, room) for item in values]


def _values(items: Any) -> list[Any]:
    return [_untagged(item) for item in items]


_HOLD = frozenset({"set", "frozenset", "tuple"})
_TAGS: dict[type, tuple[str, Callable[..., Any], Callable[[Any], Any]]] = {
    datetime: ("datetime", datetime.isoformat, datetime.fromisoformat),
    date: ("date", date.isoformat, date.fromisoformat),
    time_of_day: ("time", time_of_day.isoformat, time_of_day.fromisoformat),
    UUID: ("uuid", str, UUID),
    set: ("set", _items, lambda items: set(_values(items))),
    frozenset: ("frozenset", _items, lambda items: frozenset(_values(items))),
    tuple: ("tuple", _items, lambda items: tuple(_values(items))),
    bytes: ("bytes", lambda data: b64encode(data).decode(), b64decode),
    int: ("int", str, int),
}
_UNTAGS: dict[str, Callable[[Any], Any]] = {
    **{name: from_json for name, _, from_json in _TAGS.values()},
    "path": Path,
    "dict": lambda held: {key: _untagged(item) for key, item in held.items()},
}


def _class_tag(kind: str, value: Any) -> dict[str, Any]:
    cls = type(value)
    name = f"{cls.__module__}:{cls.__qualname__}"
    if _class_named(name) is not cls:
        raise InvalidValue(
            f"{cls.__qualname__} cannot be found again by its name; define it in a module"
        )
    return {"$type": kind, "class": name}


def _class_named(name: str) -> type | None:
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return _values(value)
    if not isinstance(value, dict):
        return value
    tag = value.get("$type")
    if tag is None:
        return {key: _untagged(item) for key, item in value.items()}
    if tag in ("enum", "dataclass"):
        return _of_class(tag, value["class"], value["value"])
    from_json = _UNTAGS.get(tag)
    return value if from_json is None else from_json(value["value"])


def _of_class(tag: str, name: str, held: Any) -> Any:
    cls = _class_named(name)
    if tag == "enum":
        if cls is not None and issubclass(cls, Enum) and held in cls.__members__:
            return cls[held]
        return Unresolved(tag, name, held)
    held = {key: _untagged(item) for key, item in held.items()}
    if cls is None or not dataclasses.is_dataclass(cls):
        return Unresolved(tag, name, held)
    made = cls.__new__(cls)  # not __init__: the fields are the value, whatever __init__ takes
    for key, item in held.items():
        object.__setattr__(made, key, item)
    return made
