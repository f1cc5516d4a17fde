"""I2: a ChangeSet equals the real difference of the database. Oracle: dumps before and after."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given

from . import writes
from .drive import drive, fixed, programs
from .generate import TRANSACTION_TEXT, Generator
from .machine import Machine, machine
from .program import Op
from .values import Parameters
from .watch import Broken


def only_writes(generator: Generator, random: Random) -> Op:
    """Writes, mostly inside transactions and savepoints."""
    pick = random.random()
    if pick < 0.6:
        return generator.write(random)
    if pick < 0.75:
        return Op(random.choice(("begin", "end", "raise")))
    if pick < 0.95:
        return Op("execute", random.choice(TRANSACTION_TEXT))
    model = generator.model
    if not model.plain:
        return generator.write(random)
    writer = writes.WriteWriter(random, model, {})
    writer.parameters = Parameters(random, style="")
    return Op("execute", writer.ddl())


def no_watches(made: Machine, _: Generator, __: Random) -> None:
    """Nobody reads: what is recorded must not depend on who watches."""
    while made.watches:
        made.watches.pop().close()


@fixed(50)
@given(programs(8, 24))
def test_changes_add_up(told: tuple[int, list[int], bool]) -> None:
    drive(told, only_writes, after_opening=no_watches, listens=True)


SCHEMA = (
    "CREATE TABLE p(id INTEGER PRIMARY KEY, a)",
    "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE w(k TEXT COLLATE NOCASE, n, v, PRIMARY KEY (k, n)) WITHOUT ROWID",
    "CREATE TABLE r(id INTEGER PRIMARY KEY, u UNIQUE ON CONFLICT REPLACE)",
    "CREATE TABLE s(id INTEGER PRIMARY KEY, a, g AS (a || '!') STORED)",
    "INSERT INTO p VALUES (1, 'x'), (2, 'y'), (3, 'z')",
    "INSERT INTO c VALUES (1, 1), (2, 1), (3, 2)",
    "INSERT INTO w VALUES ('a', 1, 'v'), ('b', 1, 'v')",
    "INSERT INTO r VALUES (1, 'u1'), (2, 'u2')",
    "INSERT INTO s(id, a) VALUES (1, 'q')",
)

#: statement(s) → what must be told, exactly: per table the number of (inserts, updates, deletes)
EXACT = (
    ("UPDATE p SET a = 'new' WHERE id = 1", {"p": (0, 1, 0)}),
    ("UPDATE p SET a = a", {}),
    ("UPDATE p SET a = 'new' WHERE id = 99", {}),
    ("UPDATE p SET id = 10 WHERE id = 1", {"p": (1, 0, 1), "c": (0, 2, 0)}),
    ("DELETE FROM p WHERE id = 1", {"p": (0, 0, 1), "c": (0, 0, 2)}),
    ("DELETE FROM p", {"p": (0, 0, 3), "c": (0, 0, 3)}),
    ("INSERT INTO r VALUES (3, 'u1')", {"r": (1, 0, 1)}),
    ("UPDATE OR REPLACE r SET u = 'u1' WHERE id = 2", {"r": (0, 1, 1)}),
    ("REPLACE INTO r VALUES (1, 'u2')", {"r": (0, 1, 1)}),
    ("REPLACE INTO r VALUES (1, 'u1')", {}),
    ("INSERT INTO p VALUES (1, 9) ON CONFLICT(id) DO UPDATE SET a = excluded.a", {"p": (0, 1, 0)}),
    ("INSERT INTO p VALUES (1, 'up') ON CONFLICT DO NOTHING", {}),
    ("UPDATE w SET k = 'A' WHERE k = 'a'", {"w": (1, 0, 1)}),
    ("UPDATE w SET v = 'V'", {"w": (0, 2, 0)}),
    ("UPDATE s SET a = 'r'", {"s": (0, 1, 0)}),
    ("UPDATE p SET a = 1 WHERE id = 1; UPDATE p SET a = 'x' WHERE id = 1", {}),
    ("DELETE FROM p WHERE id = 3; INSERT INTO p VALUES (3, 'z')", {}),
    ("SAVEPOINT s; DELETE FROM p; ROLLBACK TO s; UPDATE p SET a = 5", {"p": (0, 3, 0)}),
    ("UPDATE p SET a = 7 WHERE id = 3; UPDATE p SET a = 7.0 WHERE id = 3", {"p": (0, 1, 0)}),
    ("INSERT INTO p VALUES (7, 1) RETURNING id", {"p": (1, 0, 0)}),
)  # fmt: skip


@pytest.mark.parametrize(("sql", "told"), EXACT, ids=[sql for sql, _ in EXACT])
def test_small_changes_are_exact(sql: str, told: dict[str, tuple[int, int, int]]) -> None:
    with machine(on_file=False) as made:
        for statement in SCHEMA:
            made.step(Op("execute", statement))
        made.changes.clear()
        made.step(Op("begin"))
        for statement in sql.split("; "):
            made.step(Op("execute", statement))
        made.step(Op("end"))
        assert len(made.changes) <= 1
        rows = made.changes[0].rows if made.changes else {}
        assert all(change.exact for change in made.changes)
        kinds = {
            key: tuple(
                sum(r.kind == kind for r in changed) for kind in ("insert", "update", "delete")
            )
            for key, changed in rows.items()
        }
        assert kinds == told


def test_a_recorder_that_forgets_savepoints_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test can fail: a recorder whose ROLLBACK TO undoes nothing is found out."""
    from reactive_sqlite.recording.recorder import ChangeRecorder

    def forgets(self: Any, name: str) -> bool:
        return False

    monkeypatch.setattr(ChangeRecorder, "rollback_to", forgets)
    with pytest.raises(Broken, match="I2"), machine(on_file=False) as made:
        for statement in (
            *SCHEMA,
            "BEGIN",
            "SAVEPOINT a",
            "DELETE FROM r",
            "ROLLBACK TO a",
            "UPDATE p SET a = 0",
            "COMMIT",
        ):
            made.step(Op("execute", statement))
