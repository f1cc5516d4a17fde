"""I4: a rollback, and a commit that changes nothing, emit nothing."""

from __future__ import annotations

import re
from random import Random

from hypothesis import given

from . import oracle
from .drive import fixed, programs
from .generate import Generator
from .machine import Machine, machine
from .program import Op
from .watch import TooDear

ENDS = re.compile(r"OR ROLLBACK|RAISE\(ROLLBACK|COMMIT|END|ROLLBACK(?! TO)", re.IGNORECASE)


def emitted(made: Machine) -> int:
    return sum(len(watch.states) for watch in made.watches)


def all_rolled_back(made: Machine, ops: list[Op], way: str) -> None:
    """Run `ops` in a transaction that ends in a rollback of one of the kinds."""
    version, states, changes = made.db.version, emitted(made), len(made.changes)
    begin, end = {
        "text": (Op("execute", "BEGIN"), Op("execute", "ROLLBACK")),
        "block": (Op("begin"), Op("raise")),
        "savepoint": (Op("execute", "SAVEPOINT outer_one"), None),
    }[way]
    made.step(begin)
    for op in ops:
        made.step(op)
    if not made.twin.in_transaction:
        return  # an operation of OR ROLLBACK kind has ended it: the machine checks that
    if end is None:
        made.step(Op("execute", "ROLLBACK TO outer_one"))
        made.step(Op("execute", "RELEASE outer_one"))
    else:
        while made.depth and way == "text":
            made.step(Op("raise"))
        made.step(end)
    assert emitted(made) == states, f"a rollback ({way}) emitted: {made.history}"
    assert len(made.changes) == changes, (
        f"a rollback ({way}) was published: {made.changes[changes:]}"
    )
    assert made.db.version == version, f"a rollback ({way}) took the number {made.db.version}"


@fixed(45)
@given(programs(2, 8))
def test_rollbacks_are_silent(told: tuple[int, list[int], bool]) -> None:
    opening, seeds, on_file = told
    with machine(on_file=on_file) as made:
        generator, random = Generator(made.twin), Random(opening)
        try:
            for op in generator.opening(random):
                made.step(op)
            made.finish()
            ops = [generator.write(Random(seed)) for seed in seeds]
            ops = [op for op in ops if not ENDS.search(op.sql)]
            for way in ("text", "block", "savepoint"):
                all_rolled_back(made, ops, way)
        except TooDear:
            return


SILENT = (
    "UPDATE {t} SET {c} = {c}",
    "DELETE FROM {t} WHERE 0",
    "INSERT INTO {t} SELECT * FROM {t} WHERE 0",
    "UPDATE {t} SET {c} = {c} || 'x' WHERE {c} IS NULL AND {c} IS NOT NULL",
    "REPLACE INTO {t} SELECT * FROM {t}",
)


@fixed(30)
@given(programs(0, 0))
def test_writes_without_effect_are_silent(told: tuple[int, list[int], bool]) -> None:
    """Updates to the same value, statements of no row, and REPLACE by equal rows."""
    opening, _, on_file = told
    with machine(on_file=on_file) as made:
        generator, random = Generator(made.twin), Random(opening)
        try:
            for op in generator.opening(random):
                made.step(op)
            made.finish()
            for table in generator.model.plain:
                for text in SILENT:
                    column = random.choice(table.writable).sql
                    before, states, version = oracle.dump(made.twin), emitted(made), made.db.version
                    made.step(Op("execute", text.format(t=table.sql, c=column)))
                    if oracle.same(before, oracle.dump(made.twin)):
                        assert emitted(made) == states, str(made.history[-1])
                        exact = all(len(rows) < 100 for rows in before.values())
                        if exact and made.db.version != version:
                            told_changes = made.changes[-1]
                            assert not told_changes.rows, f"{made.history[-1]}: {told_changes.rows}"
        except TooDear:
            return
