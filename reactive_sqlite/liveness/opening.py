"""How a live query is opened: what `ReactiveDatabase.query` and its siblings put together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import copy_context
from typing import Any, Protocol

from reactive_sqlite.driver.connection import Params
from reactive_sqlite.driver.errors import SQLError
from reactive_sqlite.engine.engine import Engine
from reactive_sqlite.liveness.functions import FunctionSource
from reactive_sqlite.liveness.live import Emission, LiveResult, Receiver
from reactive_sqlite.liveness.publisher import Publisher
from reactive_sqlite.liveness.sources import StatementSource, frozen_params
from reactive_sqlite.understanding.analysis.shape import shape_of
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.delta import Delta

Convert = Callable[[Any], Any]


class Opening(Protocol):
    """A live query before anybody subscribes: enough to open, join or just evaluate it."""

    publisher: Publisher

    @property
    def converts(self) -> bool:
        """Whether subscribers see something else than the value itself."""

    def join(self, receiver: Receiver, failing: bool) -> LiveResult:
        """Add a receiver to the live result, opened if need be; ``failing`` too, or it raises."""

    def evaluate(self) -> Any:
        """The value now, as subscribers see it. Raises what the query raises."""

    def convert(self, emission: Emission) -> Any:
        """The value of an emission as subscribers see it."""

    def delta(self, emission: Emission) -> Delta[Any]:
        """The difference that an emission makes."""

    def differs(self, emission: Emission) -> bool:
        """Whether an emission tells anything that the one before it did not."""


class StatementOpening:
    """A SELECT with its parameters, to be opened."""

    __slots__ = (
        "_convert",
        "_engine",
        "_key",
        "_key_places",
        "_keyed",
        "_make",
        "_params",
        "_statement",
        "publisher",
    )

    def __init__(
        self,
        engine: Engine,
        publisher: Publisher,
        make: type[StatementSource],
        statement: Statement,
        params: Params,
        convert: Convert | None,
    ) -> None:
        self._engine = engine
        self.publisher = publisher
        self._make = make
        self._statement = statement
        params = frozen_params(params)
        key = _hashable(params)
        if key is None:
            params = _copied(params)
            key = _hashable(params)
        self._params = params
        self._convert = convert
        self._keyed: Statement | None = None
        self._key_places: tuple[int, ...] | None = None
        self._key: Hashable = (make, statement.sql, object() if key is None else key)

    def __str__(self) -> str:
        return f"{self._statement.sql} {self._params!r}" if self._params else self._statement.sql

    @property
    def converts(self) -> bool:
        """Whether rows are made into something else."""
        return self._convert is not None

    def _source(self) -> StatementSource:
        self._statement = self._engine.schema.statement(self._statement.sql)
        region = self._statement.region(self._params)
        return self._make(self._engine, self._statement, self._params, region)

    def _source_at_last(self) -> StatementSource:
        """One that works as soon as the schema lets it, by its state of before until then."""
        try:
            return self._source()
        except SQLError:
            statement = self._statement
            region = statement.region(self._params)
            return self._make(self._engine, statement, self._params, region)

    def join(self, receiver: Receiver, failing: bool) -> LiveResult:
        """Add a receiver to the live result, opened if need be."""
        source = self._source_at_last if failing else self._source
        return self.publisher.subscribe(self._key, source, receiver)

    def evaluate(self) -> Any:
        """The rows now."""
        engine, make, convert = self._engine, self._make, self._convert
        statement = self._statement
        if statement.epoch != engine.schema.epoch:
            statement = self._statement = engine.schema.statement(statement.sql)
        value = make.made_of(engine.reads.read(statement, self._params, only_first=make.narrow))
        return value if convert is None else make.each(value, convert)

    def convert(self, emission: Emission) -> Any:
        """The rows of an emission in the type that was asked for, made once per emission."""
        convert = self._convert
        if convert is None:
            return emission.value
        if emission.converted is None:
            emission.converted = {}
        if convert not in emission.converted:
            emission.converted[convert] = self._make.each(emission.value, convert)
        return emission.converted[convert]

    def delta(self, emission: Emission) -> Delta[Any]:
        """The difference of an emission's rows and the rows before."""
        step = emission.step
        if step is not None and self._make is StatementSource:
            delta = emission.delta(step)
        else:
            delta = Delta.between(
                self._make.rows(None if emission.first else emission.previous),
                self._make.rows(emission.value),
                version=emission.version,
                key=self._row_key(),
            )
        return delta if self._convert is None else delta.converted(self._convert)

    def differs(self, emission: Emission) -> bool:
        """Whether it is the first, an error, or other rows than before."""
        return (
            emission.first
            or emission.recovers
            or emission.error is not None
            or not self._make.same(emission.previous, emission.value)
        )

    def _row_key(self) -> tuple[int, ...] | None:
        if self._keyed is not self._statement:
            schema = self._engine.schema
            self._statement = statement = schema.statement(self._statement.sql)
            shape = shape_of(statement, schema.any_catalog())
            self._keyed, self._key_places = statement, shape.key() if shape is not None else None
        return self._key_places


class FunctionOpening:
    """A function that reads, to be observed."""

    __slots__ = ("_args", "_engine", "_function", "_kwargs", "publisher")

    def __init__(
        self,
        engine: Engine,
        publisher: Publisher,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._engine = engine
        self.publisher = publisher
        self._function = function
        self._args = args
        self._kwargs = kwargs

    def __str__(self) -> str:
        return str(self._source())

    def _source(self) -> FunctionSource:
        # The context of whoever subscribes, not of whoever commits.
        return FunctionSource(
            self._engine, self._function, self._args, self._kwargs, copy_context()
        )

    @property
    def converts(self) -> bool:
        """Never: the function returns what it returns."""
        return False

    def join(self, receiver: Receiver, failing: bool) -> LiveResult:
        """Observe for this receiver alone: its context may give another answer than others'."""
        return self.publisher.subscribe(object(), self._source, receiver)

    def evaluate(self) -> Any:
        """Call it once."""
        outcome = self._source().evaluate()
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def convert(self, emission: Emission) -> Any:
        """What the function returned."""
        return emission.value

    def delta(self, emission: Emission) -> Delta[Any]:
        """The difference of two sequences, or of two single values."""
        before = () if emission.first else _as_rows(emission.previous)
        return Delta.between(before, _as_rows(emission.value), version=emission.version)

    def differs(self, emission: Emission) -> bool:
        """Whether it is the first, an error, or another value than before."""
        return (
            emission.first
            or emission.recovers
            or emission.error is not None
            or not FunctionSource.same(emission.previous, emission.value)
        )


def _as_rows(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return value
    is_text = isinstance(value, str | bytes | bytearray | memoryview)
    return tuple(value) if isinstance(value, Sequence) and not is_text else (value,)


def _hashable(params: Params) -> Hashable | None:
    """The parameters as a key that tells 1 from 1.0, as SQLite does, if there is one."""
    try:
        items = sorted(params.items()) if isinstance(params, Mapping) else enumerate(params)
        key = tuple(
            (name, type(value), repr(value) if type(value) is float else value)
            for name, value in items
        )
        hash(key)
    except (TypeError, ValueError):  # the latter is what a memoryview raises
        return None
    return key


def _copied(params: Params) -> Params:
    """The parameters with copies of buffers, such as a bytearray, that may be filled anew."""
    if isinstance(params, Mapping):
        return {name: _copy(value) for name, value in params.items()}
    return tuple(map(_copy, params))


def _copy(value: Any) -> Any:
    try:
        return bytes(memoryview(value))
    except TypeError:
        return value
