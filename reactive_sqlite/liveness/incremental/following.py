"""When a result is kept from the changes, and when its query is run again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from time import thread_time
from typing import Any, Final, Literal, TypeAlias

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.errors import DatabaseError
from reactive_sqlite.liveness.incremental.plan import Maintainer, plan
from reactive_sqlite.liveness.incremental.scratch import Scratch
from reactive_sqlite.liveness.incremental.step import Deferred, NotMaintainable, Step
from reactive_sqlite.liveness.incremental.texts import Read
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.understanding.catalog import Catalog, TableInfo
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.row import Row

logger = logging.getLogger("reactive_sqlite")

#: ``auto`` follows results whose query takes long, ``always`` all that can be followed (for
#: tests), ``never`` none.
Policy: TypeAlias = Literal["auto", "always", "never"]

#: Seconds that a query must take to be followed, its rows made included: less costs less than
#: knowing where they are.
DEAR: Final[Mapping[Policy, float]] = {"auto": 0.00006, "always": 0.0, "never": float("inf")}
#: Seconds that a query must take for a few rows to be asked for instead.
_WORTH_ASKING: Final[Mapping[Policy, float]] = {
    "auto": 0.00003,
    "always": 0.0,
    "never": float("inf"),
}
#: Rows of a result of which one is surely cheaper than all.
_MANY: Final = 8
#: Seconds that it must take to be followed where following takes queries itself: joins, conditions
#: on the old rows of groups.
_DEARER: Final = 0.0003
#: More than what preparing a statement adds to its first run.
_SURELY_DEAR: Final = 0.005

#: Applications of which the first prepare statements, before what they cost says anything.
_TRIALS: Final = 4
#: After the first ones, one in so many changes is timed.
_SAMPLED: Final = 8
#: How much dearer than following it a query must be to be followed again.
_WORTHWHILE: Final = 1.5

#: What ends the following of a result: a finding, or an error that the query itself may have too
#: (text that is no UTF-8 cannot be read).
EXPECTED: Final = (NotMaintainable, NotUnderstoodError, DatabaseError, UnicodeDecodeError)


class Maintenance:
    """What all followed results of one database have in common: the policy, and scratch tables.

    ``setup`` makes a connection like those on which queries run.
    """

    def __init__(self, policy: Policy, setup: Callable[[Connection], None]) -> None:
        if policy not in DEAR:
            raise ValueError(f"maintain must be one of {', '.join(DEAR)}, not {policy!r}")
        self.dear = DEAR[policy]
        """seconds that a query must take to be followed"""
        self.worth_asking = _WORTH_ASKING[policy]
        """seconds that a query must take for a few of its rows to be asked for instead"""
        self.patches = policy != "never"
        """whether results may be patched"""
        self.patient = policy == "auto"
        """whether results that are hard to follow are left alone for a while"""
        self._setup = setup
        self._scratches: dict[str, Scratch] = {}
        self.generation = 0
        """counts what may have left followed results behind"""

    def interrupted(self) -> None:
        """Results may have missed a change: none is followed from where it is."""
        self.generation += 1

    def is_sure(self, cost: float) -> bool:
        """Whether a query is dear, even if its first run also had to prepare it."""
        return not self.patient or cost >= _SURELY_DEAR

    def asks(self, cost: float, rows: int) -> bool:
        """Whether a few of so many rows are worth asking for, instead of running the query."""
        return cost >= self.worth_asking and (rows >= _MANY or not self.patient)

    def scratch(self, table: TableInfo) -> Scratch:
        """An empty copy of the table."""
        found = self._scratches.get(table.key)
        if found is None:
            found = self._scratches[table.key] = Scratch(table, self._setup)
        return found

    def schema_changed(self) -> None:
        """Tables may be others than they were."""
        self._scratches = {}


class Following:
    """Follows one live result. Used under the writing lock only.

    Results that turn out hard to follow are tried again at ever longer intervals; one that turns
    out dearer to follow than to run again is left alone until running it has become dearer.
    """

    __slots__ = (
        "_applied",
        "_cost",
        "_failures",
        "_generation",
        "_maintainer",
        "_rerun",
        "_skip",
    )

    def __init__(self) -> None:
        self._maintainer: Maintainer | None = None
        self._generation = 0
        self._failures = 0
        self._skip = 0
        self._applied = 0
        self._cost = 0.0
        """processor seconds that applying a change takes, 0 when that is not known"""
        self._rerun = 0.0
        """processor seconds that running the query took"""

    @property
    def active(self) -> bool:
        """Whether the result is followed, so that no change may be kept from it."""
        return self._maintainer is not None

    def can_apply(self, change: ChangeSet) -> bool:
        """Whether the change tells all that is needed."""
        maintainer = self._maintainer
        return (
            maintainer is not None
            and not change.everything
            and not change.schema
            and change.tables.isdisjoint(maintainer.tables)
        )

    def apply(self, change: ChangeSet, read: Read, maintenance: Maintenance) -> Step | None:
        """The next state; None when the query must be run again."""
        usable = self.can_apply(change)
        maintainer, self._maintainer = self._maintainer, None
        if maintainer is None:
            return None
        if not usable or self._generation != maintenance.generation:
            self._failed()
            return None
        self._applied += 1
        # To ask for the time costs as much as ten function calls.
        sampled = self._applied <= 2 * _TRIALS + 1 or not self._applied % _SAMPLED
        started = thread_time() if sampled else 0.0
        try:
            step = maintainer.apply(change, read)
        except EXPECTED:
            # The fresh run will say what is wrong, if anything is.
            self._failed()
            return None
        except Exception:
            # Whoever commits must not suffer for it, and the fresh run is right.
            logger.exception("a result could not be followed")
            self._failed()
            return None
        if self._failures:
            self._failures -= 1
        dear = sampled and self._is_dear(thread_time() - started)
        if not dear or not maintenance.patient:
            self._maintainer = maintainer
        return step

    def _is_dear(self, cost: float) -> bool:
        """Whether following costs more than running the query again."""
        if self._applied <= _TRIALS:
            self._cost = cost
            return False
        self._cost = (3 * self._cost + cost) / 4
        return self._applied > 2 * _TRIALS and self._cost > self._rerun

    def start(
        self,
        statement: Statement,
        params: Sequence[Any] | Mapping[str, Any],
        catalog: Catalog,
        read: Read,
        maintenance: Maintenance,
        *,
        narrow: bool,
        cost: float,
    ) -> Deferred | tuple[Row, ...] | None:
        """Run the query in a way that its result can be followed; None if it cannot, or not now.

        ``narrow`` refuses results that may have more than one row; ``cost`` is what running the
        query takes, in seconds.
        """
        if maintenance.patient:
            if self._skip:
                self._skip -= 1
                return None
            if cost < _WORTHWHILE * self._cost and self._applied > 2 * _TRIALS:
                return None
        self._applied, self._rerun = 0, cost
        try:
            self._maintainer = maintainer = plan(
                statement,
                params,
                catalog,
                read,
                maintenance.scratch,
                narrow=narrow,
                simple=maintenance.patient and cost < _DEARER,
            )
        except EXPECTED:
            self._failed()
            return None
        except Exception:
            # As in `apply`: the query is run as ever.
            logger.exception("a result could not be followed: %s", statement.sql)
            self._failed()
            return None
        self._generation = maintenance.generation
        return maintainer.rows()

    def edge(self) -> Row | None:
        """The row behind which nothing is kept, None if everything is. While it is followed."""
        return self._maintainer.edge() if self._maintainer is not None else None

    def stop(self) -> None:
        """Forget what was known: the statement is another one now."""
        self._maintainer, self._failures, self._skip, self._applied = None, 0, 0, 0

    def _failed(self) -> None:
        self._failures = min(self._failures + 1, 20)
        self._skip = (1 << self._failures) - 1
