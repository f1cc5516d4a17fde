"""What a type checker makes of a program that uses the verbs: mypy is given this very file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any, assert_type

from reactive_sqlite import LiveQuery, ReactiveDatabase, Row, query, query_one, use_database


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
