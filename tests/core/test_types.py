"""What a type checker makes of a program that uses the verbs: mypy is given this very file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, assert_type

from reactive_sqlite import Delta, LiveQuery, ReactiveDatabase, Row, query, query_one, use_database


@dataclass(frozen=True)
class Order:
    id: int


def test_mypy_agrees() -> None:
    # A process of its own: mypy raises the recursion limit of the one that it runs in.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", __file__], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_type_of_a_row_is_the_type_of_the_result() -> None:
    sql = "SELECT 1 AS id"
    with ReactiveDatabase() as db, use_database(db):
        one = Order(1)
        assert_type(db.query(sql).get(), tuple[Row, ...])
        assert_type(db.query_one(sql).get(), Row | None)
        assert assert_type(db.query(sql, row=Order).get(), tuple[Order, ...]) == (one,)
        assert assert_type(db.query(sql, (), Order).get(), tuple[Order, ...]) == (one,)
        assert assert_type(db.query_one(sql, row=Order).get(), Order | None) == one
        assert assert_type(db.query_one(sql, (), Order).get(), Order | None) == one
        assert assert_type(query(sql, (), Order).get(), tuple[Order, ...]) == (one,)
        assert assert_type(query_one(sql, (), Order).get(), Order | None) == one
        assert assert_type(db.query_value(sql), LiveQuery[Any]).get() == 1
        assert assert_type(db.observe(lambda: 1), LiveQuery[int]).get() == 1


def test_a_delta_holds_rows_of_the_querys_type() -> None:
    sql = "SELECT 1 AS id"
    with ReactiveDatabase() as db:

        def listed() -> Sequence[Order]:
            return db.query(sql, row=Order).get()

        orders: list[Delta[Order]] = []
        db.query(sql, row=Order).changes().subscribe(orders.append)
        db.observe(listed).changes().subscribe(orders.append)
        assert len(orders) == 2
        for delta in orders:
            assert assert_type(delta.added, tuple[Order, ...]) == (Order(1),)
            assert assert_type(delta.apply(()), tuple[Order, ...]) == (Order(1),)
            assert assert_type(delta.placed, tuple[tuple[int, Order], ...]) == ((0, Order(1)),)
        rows: list[Delta[Row]] = []
        db.query(sql).changes().subscribe(rows.append)
        numbers: list[Delta[int]] = []
        db.observe(lambda: [1]).changes().subscribe(numbers.append)
        db.observe(lambda: listing(1, 2)).changes().subscribe(numbers.append)
        anything: list[Delta[Any]] = []
        db.query_value(sql).changes().subscribe(anything.append)
        db.observe(lambda: 1).changes().subscribe(anything.append)
        assert [delta.added for delta in numbers] == [(1,), (1, 2)]
        assert [delta.added for delta in (*rows, *anything)] == [((1,),), (1,), (1,)]


def listing(*numbers: int) -> Sequence[int]:
    """A sequence that is neither a tuple nor a list."""
    return deque(numbers)


def test_an_iteration_can_be_closed() -> None:
    async def first(db: ReactiveDatabase) -> tuple[Order, ...]:
        live = db.query("SELECT 1 AS id", row=Order)
        values = assert_type(aiter(live), AsyncGenerator[tuple[Order, ...], None])
        async with aclosing(values):
            return await anext(values)

    with ReactiveDatabase() as db:
        assert asyncio.run(first(db)) == (Order(1),)
        assert "0 live" in repr(db)
