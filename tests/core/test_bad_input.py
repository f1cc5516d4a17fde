"""What is given wrongly is refused at once, with words that say what was wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reactive_sqlite import (
    ClosedError,
    NotAMutation,
    NotAQuery,
    ReactiveDatabase,
    ReactiveSqliteError,
    use_database,
)
from reactive_sqlite.testing import Emissions


@pytest.fixture
def db() -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase() as made:
        made.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 2)")
        yield made


Use = Callable[[Any], object]


def numbers() -> Iterator[int]:
    yield 1


async def later() -> AsyncIterator[int]:
    yield 1


async def awaited() -> int:
    return 1


WRONG: dict[str, tuple[Use, type[Exception], str]] = {
    "no SQL": (lambda db: db.execute(None), TypeError, "SQL must be a str, not NoneType"),
    "bytes for SQL": (lambda db: db.query(b"SELECT 1"), TypeError, "str, not bytes"),
    "no script": (lambda db: db.executescript(None), TypeError, "SQL must be a str"),
    "bytes for a script": (lambda db: db.executescript(b""), TypeError, "str, not bytes"),
    "two statements": (lambda db: db.query("SELECT 1; SELECT 2"), ReactiveSqliteError, "script"),
    "nothing to ask": (lambda db: db.query("-- nothing"), NotAQuery, "no statement in it"),
    "a write to query": (lambda db: db.query("DELETE FROM t"), NotAQuery, "use execute"),
    "a read to mutation": (lambda db: db.mutation("SELECT 1"), NotAMutation, "use query"),
    "a read to many": (lambda db: db.executemany("SELECT 1", []), NotAMutation, "that write"),
    "a number for params": (lambda db: db.query("SELECT ?", 5), TypeError, r"write \(value,\)"),
    "the same to execute": (lambda db: db.execute("SELECT ?", 5), TypeError, r"write \(value,\)"),
    "None for params": (lambda db: db.execute("SELECT 1", None), TypeError, r"not NoneType"),
    "text for params": (lambda db: db.execute("SELECT ?", "a"), TypeError, r"write \(value,\)"),
    "bytes for params": (lambda db: db.execute("SELECT ?", b"a"), TypeError, r"write \(value,\)"),
    "one mapping for many": (
        lambda db: db.executemany("INSERT INTO t(a) VALUES (:a)", {"a": 1}), TypeError, "one dict"
    ),
    "one text for many": (
        lambda db: db.executemany("INSERT INTO t(a) VALUES (?)", "ab"), TypeError, "not one str"
    ),
    "one set for many": (
        lambda db: db.executemany("INSERT INTO t VALUES (?, ?)", (5, 6)), TypeError, "not int"
    ),
    "texts for sets": (
        lambda db: db.executemany("INSERT INTO t VALUES (?, ?)", ["56"]), TypeError, "not str"
    ),
    "a set for params": (lambda db: db.query("SELECT ?, ?", {1, 2}), TypeError, "no first"),
    "an empty path": (lambda db: ReactiveDatabase(""), ValueError, "names no file"),
    "no rate": (lambda db: db.query("SELECT 1", max_rate=0), ValueError, "more than 0, not 0"),
    "a negative rate": (lambda db: db.query_one("SELECT 1", max_rate=-1), ValueError, "not -1"),
    "a row type": (lambda db: db.query("SELECT 1", row=5), TypeError, "not 5"),
    "a subscriber": (lambda db: db.query("SELECT 1").subscribe(5), TypeError, "not 5"),
    "an error handler": (lambda db: db.query("SELECT 1").subscribe(print, 5), TypeError, "not 5"),
    "a loop over a query": (lambda db: list(db.query("SELECT 1")), TypeError, r"use get\(\)"),
    "a loop over deltas": (lambda db: [*db.query("SELECT 1").changes()], TypeError, "async for"),
    "a loop over commits": (lambda db: list(db.commits), TypeError, "commits are not"),
    "to await a query": (lambda db: db.query("SELECT 1").__await__(), TypeError, "wait_until"),
    "whom to tell": (
        lambda db: db.mutation("DELETE FROM t", on_success=5), TypeError, "needed, not 5"
    ),
    "whom to tell of an error": (
        lambda db: db.mutation("DELETE FROM t", on_error=5), TypeError, "needed, not 5"
    ),
    "whom to tell of a difference": (
        lambda db: ReactiveDatabase(on_difference=5), TypeError, "needed, not 5"
    ),
    "no function": (lambda db: db.observe(5), TypeError, "plain function"),
    "a generator": (lambda db: db.observe(numbers), TypeError, "plain function"),
    "an asynchronous generator": (lambda db: db.observe(later), TypeError, "plain function"),
    "what makes an iterator": (
        lambda db: db.observe(lambda: map(str, numbers())).get(), TypeError, "as a tuple"
    ),
    "what makes a coroutine": (
        lambda db: db.observe(lambda: awaited()).get(), TypeError, "returned <coroutine"
    ),
    "what makes a live query": (
        lambda db: db.observe(lambda: db.query("SELECT 1")).get(), TypeError, r"what get\(\) gives"
    ),
    "names as one text": (
        lambda db: db.mutation("DELETE FROM t", invalidates="t"), TypeError, r"write \('t',\)"
    ),
    "no such table": (
        lambda db: db.mutation("DELETE FROM t", invalidates=["u"]), ReactiveSqliteError, "table 'u'"
    ),
    "to invalidate": (lambda db: db.invalidate("u"), ReactiveSqliteError, "no table 'u'"),
    "nothing to invalidate": (lambda db: db.invalidate(None), ReactiveSqliteError, "table None"),
    "both kinds of parameters": (
        lambda db: db.mutation("DELETE FROM t WHERE id = ?")(1, id=1), TypeError, "not both"
    ),
    "no database": (lambda db: use_database(None), TypeError, "ReactiveDatabase is needed"),
    "a time-out": (lambda db: ReactiveDatabase(busy_timeout=-1), ValueError, "0 or more, not -1"),
    "a policy": (lambda db: ReactiveDatabase(maintain="x"), ValueError, "auto, always, never"),
    "a share": (lambda db: ReactiveDatabase(verify=2), ValueError, "between 0 and 1, not 2"),
    "a journal": (lambda db: ReactiveDatabase(journal="x"), ValueError, "not 'x'"),
}  # fmt: skip


@pytest.mark.parametrize("use", WRONG)
def test_refused(db: ReactiveDatabase, use: str) -> None:
    wrong, kind, words = WRONG[use]
    with pytest.raises(kind, match=words):
        wrong(db)
    assert db.query_value("SELECT count(*) FROM t").get() == 1, "nothing was done"
    assert db.version == 2


@pytest.mark.parametrize("for_ever", [float("inf"), 1e12])
def test_who_waits_for_ever_waits_long_enough(tmp_path: Path, for_ever: float) -> None:
    with ReactiveDatabase(tmp_path / "some.db", busy_timeout=for_ever) as db:
        db.execute("CREATE TABLE t(x)")
        assert db.query("SELECT * FROM t").get() == ()


@dataclass
class Wanted:
    id: int
    b: str


def test_a_row_that_does_not_fit_its_type_is_shown(db: ReactiveDatabase) -> None:
    with pytest.raises(ValueError, match="`b`") as caught:
        db.query("SELECT id, a FROM t", row=Wanted).get()
    assert caught.value.__notes__ == ["while making a Wanted of Row(id=1, a=2)"]


def test_who_subscribes_is_told_of_a_row_that_does_not_fit_its_type(db: ReactiveDatabase) -> None:
    live = db.query("SELECT id, a AS b FROM t", row=Wanted)
    forms = (Emissions(live), Emissions(live.changes()), Emissions(live.states()))
    values, deltas, states = forms  # 2 is no text
    assert [len(form.errors) for form in forms] == [1, 1, 0]
    assert str(states.last.error) == str(values.errors[0]) == str(deltas.errors[0])
    assert "expected `str`" in str(states.last.error).lower()
    db.execute("UPDATE t SET a = 'x'")
    assert (states.last.value, states.last.error) == ((Wanted(1, "x"),), None)
    assert [len(form.values) for form in forms] == [0, 0, 2]


def test_an_async_function_is_refused(db: ReactiveDatabase) -> None:
    async def total() -> int:
        return 1

    with pytest.raises(TypeError, match="plain function"):
        db.observe(total)


AFTER_CLOSE: dict[str, Use] = {
    "execute": lambda db: db.execute("SELECT 1"),
    "executemany": lambda db: db.executemany("DELETE FROM t", []),
    "executescript": lambda db: db.executescript(""),
    "transaction": lambda db: db.transaction().__enter__(),
    "analyze": lambda db: db.analyze("SELECT 1"),
    "query": lambda db: db.query("SELECT 1"),
    "query_one": lambda db: db.query_one("SELECT 1"),
    "query_value": lambda db: db.query_value("SELECT 1"),
    "observe": lambda db: db.observe(lambda: 1),
    "mutation": lambda db: db.mutation("DELETE FROM t"),
    "would_wake": lambda db: db.would_wake("DELETE FROM t"),
    "invalidate": lambda db: db.invalidate(),
    "commits": lambda db: db.commits.subscribe(print),
    "traces": lambda db: db.traces.subscribe(print),
    "flush": lambda db: db.flush(),
    "look": lambda db: db.look(),
    "create_function": lambda db: db.create_function("f", len),
    "create_collation": lambda db: db.create_collation("f", lambda a, b: 0),
}


@pytest.mark.parametrize("verb", AFTER_CLOSE)
def test_used_after_close(db: ReactiveDatabase, verb: str) -> None:
    db.close()
    with pytest.raises(ClosedError):
        AFTER_CLOSE[verb](db)


def test_what_was_made_before_close(db: ReactiveDatabase) -> None:
    query, mutation = db.query("SELECT 1"), db.mutation("DELETE FROM t")
    observed = db.observe(lambda: db.query("SELECT 1").get())
    db.close()
    uses: list[Callable[[], object]] = [query.get, query.subscribe, observed.get, mutation]
    for use in uses:
        with pytest.raises(ClosedError):
            use()


def test_close_completes_who_listens_to_events(db: ReactiveDatabase) -> None:
    ended: list[str] = []
    db.commits.subscribe(on_completed=lambda: ended.append("commits"))
    db.traces.subscribe(on_completed=lambda: ended.append("traces"))
    left = db.commits.subscribe(on_completed=lambda: ended.append("left"))
    left.dispose()
    db.close()
    db.close()
    assert ended == ["commits", "traces"]
