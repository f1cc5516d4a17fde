"""A statement with its parameters as the source of a live result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from time import thread_time
from typing import Any, Final, Literal

from reactive_sqlite.driver.connection import Params
from reactive_sqlite.driver.errors import SQLError
from reactive_sqlite.engine.engine import Engine
from reactive_sqlite.liveness.incremental import (
    Deferred,
    Following,
    Maintenance,
    Patch,
    Places,
    Step,
    patch_of,
)
from reactive_sqlite.liveness.live import Outcome
from reactive_sqlite.understanding.statement import Statement, Window
from reactive_sqlite.values.change import ChangeSet, Value, same_image, same_images
from reactive_sqlite.values.region import Region
from reactive_sqlite.values.row import Row

#: The first runs of a query are timed, and then one in so many.
_SAMPLED: Final = 8


def frozen_params(params: Params) -> Params:
    """A copy that the caller cannot change any more."""
    if type(params) is tuple:
        return params
    if isinstance(params, Mapping):
        return dict(params)
    if isinstance(params, str | bytes) or not isinstance(params, Iterable):
        raise TypeError(
            f"params must be a sequence or a mapping of values, not {type(params).__name__}; "
            "for one value write (value,)"
        )
    if isinstance(params, set | frozenset):
        raise TypeError("params must be a sequence: a set has no first and no second value")
    return tuple(params)


class StatementSource:
    """A SELECT with its parameters. The value is all its rows."""

    __slots__ = (
        "_bounded",
        "_cost",
        "_engine",
        "_following",
        "_generation",
        "_lost",
        "_places",
        "_runs",
        "_sql",
        "_statement",
        "params",
        "region",
    )

    def __init__(self, engine: Engine, statement: Statement, params: Params, region: Region):
        self._engine = engine
        self._sql = statement.sql
        self._statement = statement
        self.region = region
        self.params = params
        self._lost = False
        """the region is not that of the statement, which could not even be prepared"""
        self._cost = 0.0
        self._following: Following | None = None
        self._generation = 0
        """that of the maintenance under which the value was got"""
        self._runs = 0
        self._places: Places | None = None
        """where the rows are, once one was patched"""
        self._bounded: tuple[Region, Value, Region] | None = None
        """how the region was narrowed the last time: it, by which value, to what"""

    def __str__(self) -> str:
        return f"{self._sql} {self.params!r}" if self.params else self._sql

    def evaluate(self) -> Outcome:
        """Run the query; after a change of the schema, also find out again what it reads."""
        try:
            statement = self._engine.schema.statement(self._sql)
        except Exception as error:  # noqa: BLE001  it is not swallowed: subscribers get it
            # A statement that is wrong comes right only by a change of the schema.
            self.region = Region() if isinstance(error, SQLError) else Region.whole()
            self._lost = True
            return Outcome(None, self.region, error)
        try:
            if statement is not self._statement or self._lost:
                self._lost = False
                self.region = statement.region(self.params)
                self._statement = statement
            self._places = None  # of the value that is replaced
            self._runs += 1
            # To ask for the time costs as much as ten function calls.
            sampled = self._runs <= _SAMPLED or not self._runs % _SAMPLED
            # Of this thread, as others keep the processor busy too.
            started = thread_time() if sampled else 0.0
            rows = self._engine.reads.read(statement, self.params, only_first=self.narrow)
            outcome = Outcome(self.made_of(rows), self._reached(statement, rows), None)
            if sampled:
                cost, before = thread_time() - started, self._cost
                # The first run also prepares the statement.
                self._cost = cost if cost < before or not before else (before + cost) / 2
            return outcome
        except Exception as error:  # noqa: BLE001  it is not swallowed: subscribers get it
            return Outcome(None, self.region, error)

    def _reached(self, statement: Statement, rows: tuple[Row, ...]) -> Region:
        """The region without what lies behind a full window; one object as long as it is one."""
        window, region = statement.window, self.region
        if window is None or not rows:
            return region
        if not self.narrow and statement.window_size(self.params) != len(rows):
            return region
        if len(rows[-1]) != len(statement.access.columns):
            return region  # another process has changed the schema
        return self._narrowed(window, tuple.__getitem__(rows[-1], window.output))

    def _followed(self, following: Following) -> Region:
        """The region without what lies behind the rows that are kept of a window."""
        window = self._statement.window
        edge = following.edge() if window is not None else None
        if window is None or edge is None:
            return self.region
        return self._narrowed(window, tuple.__getitem__(edge, window.output))

    def _narrowed(self, window: Window, last: Value) -> Region:
        region, bounded = self.region, self._bounded
        if bounded is None or bounded[0] is not region or not same_image(bounded[1:2], (last,)):
            self._bounded = bounded = region, last, window.narrowed(region, last)
        return bounded[2]

    def follows(self, maintenance: Maintenance) -> bool:
        """Whether bringing it up to date may take several queries."""
        if self._cost < maintenance.worth_asking:
            return False
        patch: Patch | Literal[False] | None = self._statement.patch
        return self._cost >= maintenance.dear or patch is None or bool(patch and patch.asks)

    def refresh(self, change: ChangeSet, maintenance: Maintenance) -> Outcome:
        """Follow the changes if the query is dear and can be followed, else run it."""
        self._generation = maintenance.generation
        if self._cost < maintenance.dear:
            if self._following is not None:
                self._following.stop()  # it is not told of this change
            return self.evaluate()
        engine, following = self._engine, self._following
        if following is None:
            following = self._following = Following()
            if not maintenance.is_sure(self._cost):
                return self.evaluate()
        if change.schema:
            maintenance.schema_changed()
            following.stop()
            return self.evaluate()
        read = engine.reads.raw
        step = following.apply(change, read, maintenance)
        if step is not None:
            return Outcome(self._of(step.rows), self._followed(following), None, step)
        rows = following.start(
            self._statement,
            self.params,
            engine.schema.catalog(),
            read,
            maintenance,
            narrow=self.narrow,
            cost=self._cost,
        )
        if rows is None:
            return self.evaluate()
        return Outcome(self._of(rows), self._followed(following), None)

    def patch(self, value: Any, change: ChangeSet, maintenance: Maintenance) -> Step | None:
        """Write the changed rows into a tuple of rows that is not followed; None if in doubt."""
        if type(value) is not tuple or not maintenance.patches:
            return None
        if self._generation != maintenance.generation:
            return None  # a change may have been missed
        if self._following is not None and self._following.active:
            return None
        statement, schema = self._statement, self._engine.schema
        if self._lost or statement.epoch != schema.epoch:
            return None
        read, params = self._engine.reads.raw, self.params
        patch: Patch | Literal[False] | None = statement.patch
        if patch is None:
            patch = patch_of(statement, schema.catalog(), read, params) or False
            statement.patch = patch
        if not patch or (patch.asks and not maintenance.asks(self._cost, len(value))):
            return None
        if self._places is None and len(value) > 1:
            self._places = Places()
        return patch.apply(value, change, self._places, read, params)

    def can_follow(self, change: ChangeSet) -> bool:
        """Whether `refresh` would not have to run the query for this change."""
        return self._following is not None and self._following.can_apply(change)

    @property
    def volatile(self) -> bool:
        """Whether two runs over the same tables may differ."""
        return self._statement.volatile

    narrow = False
    """whether only the first row counts, so that only results of one row are worth following"""

    @staticmethod
    def made_of(rows: tuple[Row, ...]) -> Any:
        """The value that these rows make."""
        return rows

    @classmethod
    def _of(cls, rows: Deferred | tuple[Row, ...]) -> Any:
        """The value that followed rows make, perhaps deferred."""
        if cls.narrow:
            return cls.made_of(rows.get() if isinstance(rows, Deferred) else rows)
        return rows

    @staticmethod
    def each(value: Any, convert: Callable[[Any], Any]) -> Any:
        """The value with every row converted."""
        return tuple(map(convert, value))

    @staticmethod
    def rows(value: Any) -> Sequence[Any]:
        """The value as rows, to take differences of; None is no rows."""
        return value or ()

    @staticmethod
    def same(old: tuple[Row, ...], new: tuple[Row, ...]) -> bool:
        """Equal rows in the same order, types and column names included."""
        return same_images(old, new) and (not new or type(old[0]) is type(new[0]))


class OneRowSource(StatementSource):
    """A SELECT of which the first row counts, None when there is none."""

    __slots__ = ()

    narrow = True

    @staticmethod
    def made_of(rows: tuple[Row, ...]) -> Any:
        return rows[0] if rows else None

    @staticmethod
    def each(value: Any, convert: Callable[[Any], Any]) -> Any:
        """The row converted, if there is one."""
        return None if value is None else convert(value)

    @staticmethod
    def rows(value: Any) -> Sequence[Any]:
        """One row or none."""
        return () if value is None else (value,)

    @staticmethod
    def same(old: Any, new: Any) -> bool:
        """The same row, types included, or none both times."""
        if old is None or new is None:
            return old is new
        return type(old) is type(new) and same_image(old, new)


class OneValueSource(OneRowSource):
    """A SELECT of which the first column of the first row counts, None when there is none."""

    __slots__ = ()

    @staticmethod
    def made_of(rows: tuple[Row, ...]) -> Any:
        return tuple.__getitem__(rows[0], 0) if rows else None

    @staticmethod
    def same(old: Any, new: Any) -> bool:
        """The same value of the same type, and a zero of the same sign."""
        return same_image((old,), (new,))
