"""Who is at work: the ambient ids of a task, kept apart for each database."""

from __future__ import annotations

import contextvars
import inspect
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from types import MappingProxyType
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import optional_text, text
from smithers_db.errors import NoActiveExecution

P = ParamSpec("P")
T = TypeVar("T")


class Context(msgspec.Struct, frozen=True):
    """The ids that a task works under; an immutable value.

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> with db.context(execution_id="run"), db.context(phase_id="build"):
    ...     db.current
    Context(execution_id='run', phase_id='build', agent_id=None, step_id=None)
    """

    execution_id: str | None = None
    phase_id: str | None = None
    agent_id: str | None = None
    step_id: str | None = None


class _Tentative(NamedTuple):
    """A context set inside a transaction: if that is undone, the one from before counts again."""

    context: Context
    before: _Entry
    holds: Callable[[], bool]
    thread: int


_Entry: TypeAlias = Context | _Tentative

_NOBODY = Context()
# One variable for all databases: a variable made per database would never be collected.
_contexts: contextvars.ContextVar[Mapping[int, _Entry]] = contextvars.ContextVar(
    "smithers_contexts", default=MappingProxyType({})
)
_numbers = itertools.count()


class Ambient:
    """The ambient context of one database, seen from the calling task or thread.

    asyncio tasks and ``asyncio.to_thread`` inherit a copy of their creator's; plain threads start
    with none, unless their function went through `bind`.
    """

    __slots__ = ("_db", "_number")

    def __init__(self, db: ReactiveDatabase) -> None:
        self._db = db
        self._number = next(_numbers)

    def get(self) -> Context:
        """The context of the calling task."""
        entry = self._entry()
        return entry if isinstance(entry, Context) else self._settled(entry)

    def set(self, context: Context, holds: Callable[[], bool] | None = None) -> None:
        """Replaces it, for the calling task only.

        ``holds`` reads whether what it rests on is still so: it is asked while a transaction that
        was open at this moment may yet be undone, and once after that.
        """
        if holds is None or self._db.transaction_thread is None:
            self._put(context)
        else:
            self._put(_Tentative(context, self._entry(), holds, threading.get_ident()))

    def _entry(self) -> _Entry:
        return _contexts.get().get(self._number, _NOBODY)

    def _put(self, entry: _Entry) -> None:
        contexts = {**_contexts.get(), self._number: entry}
        if entry == _NOBODY:
            del contexts[self._number]
        _contexts.set(contexts)

    def _settled(self, entry: _Tentative) -> Context:
        open_in = self._db.transaction_thread
        if open_in == entry.thread != threading.get_ident():
            return entry.context  # not to be seen from here before it is committed
        found: _Entry = entry
        while isinstance(found, _Tentative) and not found.holds():
            found = found.before
        context = found if isinstance(found, Context) else found.context
        if open_in is None:
            self._put(context)
        return context

    @contextmanager
    def entered(self, entry: _Entry) -> Iterator[Context]:
        """Works under this context, then under the one from before again."""
        before = self._entry()
        self._put(entry)
        try:
            yield self.get()
        finally:
            self._put(before)

    def within(
        self,
        execution_id: str | None,
        phase_id: str | None = None,
        agent_id: str | None = None,
        step_id: str | None = None,
    ) -> Context:
        """The current context with the given ids put in, and those below a changed one left out."""
        optional_text("execution_id", execution_id)
        optional_text("phase_id", phase_id)
        optional_text("agent_id", agent_id)
        optional_text("step_id", step_id)
        old = self.get()
        if execution_id is not None and execution_id != old.execution_id:
            old = Context(execution_id=execution_id)
        if phase_id is not None and phase_id != old.phase_id:
            old = Context(old.execution_id, phase_id)
        return Context(
            old.execution_id,
            old.phase_id,
            old.agent_id if agent_id is None else agent_id,
            old.step_id if step_id is None else step_id,
        )

    def execution_id(self, given: str | None = None) -> str:
        """The id given, else the ambient one.

        Raises:
            NoActiveExecution: there is neither.
        """
        found = self.known_execution_id(given)
        return found if found is not None else self._missing("execution_id")

    def phase_id(self, execution_id: str) -> str | None:
        """The ambient phase, if it belongs to this execution."""
        context = self.get()
        return context.phase_id if context.execution_id == execution_id else None

    def agent_id(self, execution_id: str, given: str | None = None) -> str | None:
        """The agent given, else the ambient one, if that belongs to this execution."""
        if given is not None:
            text("agent_id", given)
            return given
        context = self.get()
        return context.agent_id if context.execution_id == execution_id else None

    def known_execution_id(self, given: str | None = None) -> str | None:
        """The id given, else the ambient one, else None."""
        if given is None:
            return self.get().execution_id
        text("execution_id", given)
        return given

    def needed_agent_id(self, given: str | None) -> str:
        """The agent given, else the ambient one.

        Raises:
            NoActiveExecution: there is neither.
        """
        optional_text("agent_id", given)
        found = self.get().agent_id if given is None else given
        return found if found is not None else self._missing("agent_id")

    def bind(self, function: Callable[P, T]) -> Callable[P, T]:
        """The function, to be called anywhere, working under the context of this moment.

        Of a coroutine function it is the coroutine that works under it, whoever awaits it.
        """
        entry = self._entry()
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def bound_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self.entered(entry):
                    return await function(*args, **kwargs)

            return bound_coroutine  # type: ignore[return-value]  # T is what is awaited

        @wraps(function)
        def bound(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.entered(entry):
                return function(*args, **kwargs)

        return bound

    @staticmethod
    def _missing(name: str) -> str:
        raise NoActiveExecution(
            f"no {name}: pass {name}=…, or work inside `with db.context({name}=…):` or after the "
            f"matching start() in the same task (db.bind(fn) carries the context into a thread)"
        )
