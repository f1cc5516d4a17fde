"""Ctrl-C at bad moments: live values are right afterwards, and nobody goes without."""

from __future__ import annotations

import _thread
import contextlib
import dis
import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import reactive_sqlite
from reactive_sqlite import Delta, ReactiveDatabase
from reactive_sqlite.driver.mutex import InterruptibleLock
from reactive_sqlite.liveness.delivery import Delivery
from tests.neighbours.processes import until


@pytest.fixture(params=["memory", "file"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(":memory:" if request.param == "memory" else tmp_path / "t.db") as made:
        made.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1), (2, 2);"
        )
        yield made


COUNT = "SELECT count(*) FROM t WHERE a > 0"


def test_in_a_subscriber(db: ReactiveDatabase) -> None:
    """The others of the same commit get their values with the next delivery."""
    seen: list[int] = []

    def impatient(count: int) -> None:
        if count == 3:
            raise KeyboardInterrupt

    db.query_value(COUNT).subscribe(impatient)
    db.query_value(COUNT).subscribe(seen.append)
    db.query_value("SELECT max(id) FROM t").subscribe(seen.append)
    with pytest.raises(KeyboardInterrupt):
        db.execute("INSERT INTO t(a) VALUES (3)")
    emitted = db.stats.emitted
    db.flush()
    assert seen == [2, 2, 3, 3]
    assert db.stats.emitted == emitted + 2


def test_in_the_first_value(db: ReactiveDatabase) -> None:
    def impatient(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        db.query_value(COUNT).subscribe(impatient)
    assert repr(db).endswith(" 0 live>"), "who could have unsubscribed?"


def test_while_results_are_refreshed(db: ReactiveDatabase) -> None:
    seen: list[Any] = []
    interrupt = [False]

    def total() -> int:
        found: int = db.query_value(COUNT).get()
        if interrupt and interrupt.pop():
            raise KeyboardInterrupt
        return found

    db.observe(total).subscribe(seen.append)
    db.query_value("SELECT max(id) FROM t").subscribe(seen.append)
    interrupt[:] = [True]
    with pytest.raises(KeyboardInterrupt):
        db.execute("INSERT INTO t VALUES (3, 3)")
    db.flush()
    assert seen == [2, 2, 3, 3]


def test_in_the_hook_that_sees_the_rows(
    db: ReactiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is written all the same."""
    seen: list[int] = []
    db.query_value(COUNT).subscribe(seen.append)

    def interrupted(*_: str) -> None:
        raise KeyboardInterrupt

    db.execute("CREATE TABLE another(x)")  # the routes are asked for anew
    with monkeypatch.context() as patch:
        patch.setattr(db._engine.recorder, "_route_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            db.execute("INSERT INTO t VALUES (3, 3)")
    db.flush()
    assert seen == [2, db.query_value(COUNT).get()]


# -- at any point -------------------------------------------------------------------------------
#
# A signal is noticed after a call that C answers, where a function in Python begins, and where a
# loop goes round. So it is sent before the n-th instruction that can be one of these, for every
# seventh n: all of them take minutes (EVERY = 1), and were tried.

EVERY = 7

PACKAGE = str(Path(reactive_sqlite.__file__).parent)
TRACED: tuple[str, ...] = (PACKAGE, contextlib.__file__, threading.__file__)
if sys.version_info[:2] == (3, 14):
    TRACED = TRACED[:2]  # it leaves the locks of `threading` itself taken: see driver/mutex.py
NOTICING = {
    number
    for name, number in dis.opmap.items()
    if name.startswith(("CALL", "RESUME", "JUMP_BACKWARD", "POP_JUMP_BACKWARD", "RETURN", "YIELD"))
}


# One that is noticed in what is called when an object is forgotten can be raised to nobody.
lost_signals = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Signal:
    """Minus sends it: an operator, after which the interpreter does not look for one yet."""

    __neg__ = _thread.interrupt_main


SIGNAL: Any = Signal()


class Interrupter:
    """Runs something and interrupts it before the n-th instruction that may notice."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._thread = threading.get_ident()
        self.interrupted = False
        self._end: Callable[[], None] = partial(sys.settrace, sys.gettrace())

    def _count(self, code: CodeType, offset: int) -> None:
        if code.co_code[offset] in NOTICING:
            self._left -= 1
            if not self._left:
                self.interrupted = True
                self._end()  # else what looks would be the first to notice
                -SIGNAL

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            if not frame.f_code.co_filename.startswith(TRACED):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            self._count(frame.f_code, frame.f_lasti)
        return self._trace

    def _monitor(self, code: CodeType, offset: int) -> Any:
        if not code.co_filename.startswith(TRACED):
            return sys.monitoring.DISABLE
        if threading.get_ident() != self._thread:  # unlike a trace, it hears of all of them
            return None
        return self._count(code, offset)

    def _look(self) -> None:
        """At each instruction. From Python 3.12 on a trace misses what is called only once."""
        if sys.version_info < (3, 12):
            sys.settrace(self._trace)
            return
        monitoring = sys.monitoring
        tool, instruction = monitoring.OPTIMIZER_ID, monitoring.events.INSTRUCTION
        if monitoring.get_tool(tool) is None:
            monitoring.use_tool_id(tool, "interrupter")
        self._end = partial(monitoring.set_events, tool, 0)
        monitoring.register_callback(tool, instruction, self._monitor)
        monitoring.set_events(tool, instruction)

    def run(self, act: Callable[[], object]) -> str:
        """Gives where it was interrupted; nothing when that was before or after."""
        try:
            self._look()
            act()
        except KeyboardInterrupt as error:
            frames = traceback.extract_tb(error.__traceback__)
            if frames[-1].filename != __file__:
                return " > ".join(f"{f.name}:{f.lineno} {f.line}" for f in frames[-2:])
        finally:
            self._end()
        return ""


class Watched:
    """A database with subscribers of all kinds, which must always know what is true."""

    def __init__(self, db: ReactiveDatabase) -> None:
        self.db = db
        self.count: list[int] = []
        self.sum: list[int] = []
        self.deltas: list[Delta] = []
        self.rows: tuple[Any, ...] = ()
        self.query = db.query("SELECT id, a FROM t ORDER BY id")
        self.query.changes().subscribe(self.deltas.append)
        db.query_value(COUNT).subscribe(self.count.append)
        self.rated: list[int] = []
        db.query_value(COUNT, max_rate=500).subscribe(self.rated.append)
        db.observe(self.total).subscribe(self.sum.append)
        self.live = repr(db)

    def total(self) -> int:
        found: int = self.db.query_value("SELECT sum(a) FROM t").get()
        return found

    def others(self) -> None:
        """What another thread must be able to do."""
        self.db.execute("UPDATE other SET x = x + 1")
        self.db.flush()

    def check(self, where: str) -> None:
        thread = threading.Thread(target=self.others, daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), f"another thread waits for ever: {where}"
        while self.deltas:
            self.rows = self.deltas.pop(0).apply(self.rows)
        assert self.rows == self.query.get(), where
        assert self.count[-1] == self.db.query_value(COUNT).get(), where
        assert self.sum[-1] == self.total(), where
        assert all(a != b for a, b in pairwise(self.count)), f"told twice: {where}"
        until(lambda: self.rated[-1] == self.count[-1])
        assert repr(self.db) == self.live, f"who could have unsubscribed? {where}"
        with self.db._engine.lock:  # else the watcher may be looking just now
            assert not self.db._engine.lock.refreshing, where
        assert not self.db._engine.reads.noting_threads, where


def execute(db: ReactiveDatabase) -> None:
    db.execute("INSERT INTO t(a) VALUES (5)")


def transaction(db: ReactiveDatabase) -> None:
    with db.transaction():
        db.execute("INSERT INTO t(a) VALUES (5)")
        with db.transaction():
            db.execute("DELETE FROM t WHERE id = 1")


def many(db: ReactiveDatabase) -> None:
    db.executemany("INSERT INTO t(a) VALUES (?)", [(5,), (6,)])


def returning(db: ReactiveDatabase) -> None:
    db.execute("INSERT INTO t(a) VALUES (5), (6) RETURNING id")


def script(db: ReactiveDatabase) -> None:
    db.executescript("BEGIN; INSERT INTO t(a) VALUES (5); INSERT INTO t(a) VALUES (7); COMMIT;")


def subscribe(db: ReactiveDatabase) -> None:
    db.query_value("SELECT min(a) FROM t WHERE id > 1").subscribe(lambda a: None)


def observe(db: ReactiveDatabase) -> None:
    db.observe(lambda: db.query_value("SELECT min(a) FROM t").get()).subscribe(lambda a: None)


def read(db: ReactiveDatabase) -> None:
    db.query("SELECT a FROM t").get()


@lost_signals
@pytest.mark.parametrize(
    "act", [execute, returning, transaction, many, script, subscribe, observe, read]
)
def test_at_any_point(db: ReactiveDatabase, act: Callable[[ReactiveDatabase], None]) -> None:
    db._engine.lock.timeout = 2.0
    db.executescript("CREATE TABLE other(x); INSERT INTO other VALUES (0);")
    watched = Watched(db)
    act(db)  # the statements are known from here on
    for subscription in db._store.nodes()[3:]:
        db._store.leave(subscription.key, subscription.receivers[0])
    for number in count(1, EVERY):
        db.execute("INSERT OR REPLACE INTO t VALUES (1, ?)", (number,))
        interrupter = Interrupter(number)
        where = interrupter.run(partial(act, db))
        if not interrupter.interrupted:
            break
        for node in () if where else db._store.nodes()[3:]:
            db._store.leave(node.key, node.receivers[0])
        watched.check(where)
        db.execute("DELETE FROM t WHERE id > 2")
    assert number > 20


@lost_signals
def test_when_a_file_is_first_watched(tmp_path: Path) -> None:
    """The next one who subscribes hears of others' commits."""
    for number in count(1, 3 * EVERY):
        path = tmp_path / f"{number}.db"
        with ReactiveDatabase(path) as db, ReactiveDatabase(path) as other:
            db.execute("CREATE TABLE t(x)")
            other.execute("INSERT INTO t VALUES (0)")
            first, seen = db.query_value("SELECT x FROM t"), list[int]()
            interrupter = Interrupter(number)
            where = interrupter.run(partial(first.subscribe, lambda x: None))
            first.subscribe(seen.append)
            other.execute("UPDATE t SET x = 1")
            until(lambda seen=seen: seen[-1:] == [1])
            assert repr(db).endswith(" 1 live>"), where
        if not interrupter.interrupted:
            break
    assert number > 100


def test_when_the_watcher_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a Condition of `threading` can end as a RuntimeError: it stays Ctrl-C."""
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        try:
            raise KeyboardInterrupt
        finally:
            threading.Lock().release()

    with ReactiveDatabase(tmp_path / "t.db") as db:
        db.execute("CREATE TABLE t(x)")
        live = db.query("SELECT x FROM t")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(threading.Thread, "start", interrupted)
            live.subscribe(lambda rows: None)
        assert repr(db).endswith(" 0 live>")


def test_entering_a_lock() -> None:
    """It is had inside of the block, never after it; Python 3.14 does not see to that itself."""
    for number in count(1):
        lock, inside = InterruptibleLock(), list[bool]()

        def enter(lock: Any = lock, inside: list[bool] = inside) -> None:
            with lock:
                inside += (lock._is_owned(),)

        with lock:  # the first time some instructions are others
            pass
        interrupter = Interrupter(number)
        where = interrupter.run(enter)
        assert not lock._is_owned(), where
        assert inside in ([], [True]), where
        if not interrupter.interrupted:
            break
    assert inside == [True]
    assert number > 2


def hand_out(delivery: Delivery) -> None:
    delivery.deliver()
    delivery.flush()


def test_between_one_job_and_the_next() -> None:
    """Where a loop goes round, the turn is held: it is given back, and the rest is still done."""
    for number in count(1):
        delivery, ran = Delivery(), list[int]()
        delivery.enqueue(*(partial(ran.append, job) for job in range(3)))
        interrupter = Interrupter(number)
        where = interrupter.run(partial(hand_out, delivery))
        if not interrupter.interrupted:
            break
        thread = threading.Thread(target=delivery.flush, daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), f"another thread waits for ever: {where}"
        assert set(ran) == {0, 1, 2}, where
    assert number > 10


def test_what_is_queued_is_known_while_another_thread_delivers() -> None:
    """The garbage collection lets it in at any allocation."""
    delivery, over = Delivery(), threading.Event()

    def others() -> None:
        while not over.is_set():
            delivery.enqueue(*(delivery.once(lambda: None) for _ in range(3)))
            delivery.deliver()

    def let_in(phase: str, info: dict[str, int]) -> None:
        time.sleep(1e-5)

    thread = threading.Thread(target=others, daemon=True)
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.callbacks.append(let_in)
    try:
        gc.set_threshold(1)
        thread.start()
        found = [delivery.holds(others) for _ in range(300)]
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(let_in)
        gc.unfreeze()
        over.set()
        thread.join()
    assert not any(found)


def test_while_another_thread_has_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is interrupted in waiting for it takes nothing away from whose turn it is."""
    delivery, ran = Delivery(), list[str]()
    begun, go_on = threading.Event(), threading.Event()

    def inner() -> None:
        ran.append("inner")

    def outer() -> None:
        ran.append("outer")
        begun.set()
        assert go_on.wait(30)
        delivery.enqueue(delivery.once(inner))
        delivery.deliver()  # inside a job: at once
        ran.append("outer is done")

    class Interrupted:
        def acquire(self, *_: object, **__: object) -> bool:
            raise KeyboardInterrupt

        def _is_owned(self) -> bool:
            return False

    def deliver() -> None:
        delivery.enqueue(delivery.once(outer))
        delivery.deliver()

    thread = threading.Thread(target=deliver)
    thread.start()
    assert begun.wait(30)
    delivery.enqueue(delivery.once(lambda: ran.append("mine")))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(delivery, "_turn", Interrupted())
        delivery.deliver()
    go_on.set()
    thread.join(30)
    assert ran == ["outer", "outer is done", "mine", "inner"]
