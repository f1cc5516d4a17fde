"""A function that reads as the source of a live result."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from dataclasses import fields, is_dataclass
from inspect import iscoroutine
from math import copysign
from typing import Any

import msgspec

from reactive_sqlite.engine.engine import Engine
from reactive_sqlite.liveness.incremental import Maintenance, Step
from reactive_sqlite.liveness.live import Outcome
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.region import Region

#: What has these reads when somebody asks it for its values, and nobody notes that.
_LATE = ("__next__", "__await__", "__anext__")


class FunctionSource:
    """Whatever a function returns; the reads that it makes are what it depends on.

    The function runs in a copy of its subscriber's context, on whichever thread refreshes.
    """

    __slots__ = ("_args", "_context", "_engine", "_function", "_kwargs", "region")

    def __init__(
        self,
        engine: Engine,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: Context,
    ) -> None:
        self._engine = engine
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._context = context
        self.region = Region.whole()  # what it reads is known after its first run

    def __str__(self) -> str:
        return f"observe({getattr(self._function, '__qualname__', self._function)!s})"

    def evaluate(self) -> Outcome:
        """Call the function in one snapshot and note what it reads."""
        return self._context.copy().run(self._evaluate)

    def follows(self, maintenance: Maintenance) -> bool:
        """Never: what a function makes of its reads is its own affair."""
        return False

    volatile = True
    """what a function returns may depend on anything"""

    def patch(self, value: Any, change: ChangeSet, maintenance: Maintenance) -> Step | None:
        """Never: what it has read is not known by rows."""
        return None

    def can_follow(self, change: ChangeSet) -> bool:
        """Never."""
        return False

    def refresh(self, change: ChangeSet, maintenance: Maintenance) -> Outcome:
        """Call the function again."""
        return self.evaluate()

    def _evaluate(self) -> Outcome:
        with self._engine.reads.snapshot(), self._engine.reads.noting() as regions:
            try:
                value = self._function(*self._args, **self._kwargs)
            except Exception as error:  # noqa: BLE001  subscribers get it
                # What it had read when it raised decides when it is worth another try.
                self.region = Region.union_of(regions)
                return Outcome(None, self.region, error)
            self.region = Region.union_of(regions)
            late = _read_too_late(value)
            return Outcome(None if late else value, self.region, late)

    @staticmethod
    def same(old: Any, new: Any) -> bool:
        """Equal by their own ``==``, and of the same types, also in what they are made of."""
        if type(old) is not type(new):
            return False
        if isinstance(old, tuple | list):
            return len(old) == len(new) and all(map(FunctionSource.same, old, new))
        if not bool(old == new):
            return False
        # Equal, and yet it may hold 1 where it held True.
        if isinstance(old, dict):
            return all(FunctionSource.same(value, new[key]) for key, value in old.items())
        if isinstance(old, msgspec.Struct):
            return FunctionSource.same(msgspec.structs.astuple(old), msgspec.structs.astuple(new))
        if is_dataclass(old):
            names = [field.name for field in fields(old) if field.compare]
            return all(FunctionSource.same(getattr(old, n), getattr(new, n)) for n in names)
        return not isinstance(old, float) or copysign(1.0, old) == copysign(1.0, new)


def _read_too_late(value: Any) -> TypeError | None:
    kind = type(value)
    if not any(hasattr(kind, name) for name in _LATE):
        return None
    if iscoroutine(value):
        value.close()  # else it complains that nobody has awaited it
    return TypeError(
        f"a function given to observe() returned {value!r:.100}, which reads when nobody notes it: "
        "return what is in it, as a tuple, or what get() gives"
    )
