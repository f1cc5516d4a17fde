"""Random programs whose statements are run in turns by this process, a participant and a stranger.

After each statement all live values of this process equal a fresh run, and what was delivered is a
sequence of committed states, in their order. The generators are those of `tests.properties`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from random import Random

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase, ReactiveSqliteError
from tests.neighbours.processes import Other, participant, until
from tests.properties.generate import Generator
from tests.properties.machine import SETTINGS
from tests.properties.oracle import Engine
from tests.properties.program import Op
from tests.properties.watch import TooDear, Watch
from tests.properties.writes import WriteWriter

STEPS = 40
#: What others cannot see; what makes so many rows that queries get slow; and full text, where it
#: depends on what a connection has done before whether it misses a table that was dropped.
UNFIT = re.compile(r"TEMP|RECURSIVE|fts5|\bft\b")

# Another program with the same SQLite, which understands all that the generators write.
_STRANGER = """
import sys, apsw
from apsw import Error
db = apsw.Connection(sys.argv[1])
"""
_OPEN_STRANGER = """
db.close()
db = apsw.Connection({path!r})
db.set_busy_timeout(30000)
for setting in {settings!r}:
    db.execute(setting)
run = db.execute
"""
_OPEN_PARTICIPANT = """
from apsw import Error
db.close()
db = ReactiveDatabase({path!r})
subscriptions = []
run = db.execute
"""
_TRY = """
try:
    {call}
    assert not {fails}
except Error as error:
    assert {fails}, error
"""


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Other, Other]]:
    """A participant and a stranger, for all programs."""
    path = tmp_path_factory.mktemp("idle") / "idle.db"
    with participant(path) as friend, ExitStack() as stack:
        stranger = Other(path, _STRANGER)
        stack.callback(stranger.leave)
        yield friend, stranger


class Run:
    """One program: three processes on one file, and an engine in memory that does the same."""

    def __init__(self, path: Path, random: Random, others: tuple[Other, Other]) -> None:
        self.random = random
        self.db = ReactiveDatabase(path, maintain=random.choice(("auto", "always")))
        self.twin = Engine(":memory:")
        self.generator = Generator(self.twin)
        self.watches: list[Watch] = []
        self.committed: list[list[bytes | None]] = []
        """what each of the watched queries gave after each step; None for an error"""
        self.friend, self.stranger = others
        self.friend.does(_OPEN_PARTICIPANT.format(path=str(path)))
        settings = []
        for name in SETTINGS:
            ((value,),) = self.db.execute(f"PRAGMA {name}").rows
            settings.append(f"PRAGMA {name} = {value}")
            self.twin.run(settings[-1])
        self.stranger.does(_OPEN_STRANGER.format(path=str(path), settings=settings))

    def play(self) -> None:
        for op in self.generator.opening(self.random):
            self.step(op)
        for _ in range(STEPS):
            if not self.generator.model.plain:
                break  # all tables are dropped
            pick = self.random.random()
            if pick < 0.1:
                self.step(self.generator.query(self.random))
            elif pick < 0.2:
                writer = WriteWriter(self.random, self.generator.model, {})
                self.step(Op("execute", writer.ddl()))
            else:
                self.step(self.generator.write(self.random))
        for watch, committed in zip(self.watches, self.committed, strict=True):
            self.check_order(watch, committed)

    def step(self, op: Op) -> None:
        if op.kind in ("watch", "one", "value", "observe"):
            self.watch(op)
        elif op.kind == "execute" and not UNFIT.search(op.sql):
            self.execute(op)

    def watch(self, op: Op) -> None:
        try:
            watch = Watch(self.db, op)
        except (apsw.Error, ReactiveSqliteError):
            return
        self.watches.append(watch)
        self.committed.append([self.fresh(watch)])
        if op.kind == "watch" and self.random.random() < 0.5:
            query = f"db.query({op.sql!r}, {op.params!r})"
            self.friend.does(f"subscriptions.append({query}.states().subscribe(lambda _: None))")

    def execute(self, op: Op) -> None:
        fails = False
        try:
            self.twin.run(op.sql, op.params)
        except apsw.InterruptError:
            return  # too dear
        except apsw.Error:
            fails = True
        who = self.random.choice((None, self.friend, self.stranger))
        if who is None:
            with pytest.raises(apsw.Error) if fails else nullcontext():
                self.db.execute(op.sql, op.params)
        else:
            fetch = ".fetchall()" if who is self.stranger else ""
            call = f"run({op.sql!r}, {op.params!r}){fetch}"
            who.does(_TRY.format(call=call, fails=fails))
        for watch, committed in zip(self.watches, self.committed, strict=True):
            expected = self.fresh(watch)
            committed.append(expected)
            until(lambda watch=watch, expected=expected: self.shown(watch) == expected)

    def fresh(self, watch: Watch) -> bytes | None:
        try:
            return watch.expected(self.twin)
        except apsw.InterruptError:
            raise TooDear(str(watch)) from None
        except apsw.Error:
            return None

    def shown(self, watch: Watch) -> bytes | None:
        state = watch.states[-1]
        return None if state.error is not None else watch.shown(state.value)

    def check_order(self, watch: Watch, committed: list[bytes | None]) -> None:
        versions = [state.version for state in watch.states]
        assert versions == sorted(versions), watch
        watch.read_new()
        at = iter(committed)
        assert all(value in at for value in watch.values), "no committed state, or not in order"

    def close(self) -> None:
        for watch in self.watches:
            watch.close()
        self.db.close()
        self.twin.close()


@pytest.mark.parametrize("seed", range(8))
def test_values_are_those_of_committed_states_in_order(
    tmp_path: Path, others: tuple[Other, Other], seed: int
) -> None:
    run = Run(tmp_path / "some.db", Random(seed), others)
    try:
        with suppress(TooDear):
            run.play()
    finally:
        run.close()
    assert len(run.watches) > 2
