"""Hypothesis drives the programs of the fuzzer: a seed for the opening, one for each operation.

Dropping an element of the list drops one operation, so that Hypothesis can shrink.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import apsw
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from .generate import Generator
from .machine import Machine, machine
from .oracle import Engine
from .program import Op, Program
from .watch import TooDear

SEEDS = st.integers(0, 1 << 32)


def programs(least: int, most: int) -> Any:
    """(opening seed, operation seeds, on a file)."""
    return st.tuples(SEEDS, st.lists(SEEDS, min_size=least, max_size=most), st.booleans())


def fixed(examples: int) -> Any:
    """The same examples in every run, as many as the time of a default run allows."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def drive(
    told: tuple[int, list[int], bool],
    draw: Callable[[Generator, Random], Op] = Generator.next,
    *,
    after_opening: Callable[[Machine, Generator, Random], None] | None = None,
    listens: bool | None = None,
) -> Counter[str]:
    """Run the program that `told` stands for; what each operation is, `draw` says."""
    opening, seeds, on_file = told
    maintain = "auto" if opening % 3 == 0 else "always"
    if listens is None:
        listens = opening % 5 < 2
    with machine(on_file=on_file, maintain=maintain, listens=listens) as made:
        generator = Generator(made.twin, keys_only=opening % 7 == 0)
        random = Random(opening)
        try:
            for op in generator.opening(random):
                made.step(op)
            if after_opening is not None:
                after_opening(made, generator, random)
            for seed in seeds:
                made.step(draw(generator, Random(seed)))
            made.finish()
        except TooDear:
            made.counts["given up"] += 1
        except Exception as error:
            program = Program(tuple(made.history), on_file, "", maintain, listens)
            error.add_note(f"the program:\n{program}")
            raise
        return made.counts


class Statements:
    """Counts the SELECTs that any connection of this process really runs, told by SQLite itself."""

    def __init__(self) -> None:
        self.selects: list[str] = []

    def __enter__(self) -> Statements:
        apsw.connection_hooks.append(self._connected)
        return self

    def __exit__(self, *_: object) -> None:
        apsw.connection_hooks.remove(self._connected)

    def _connected(self, connection: apsw.Connection) -> None:
        if not isinstance(connection, Engine):
            connection.trace_v2(apsw.SQLITE_TRACE_STMT, self._ran, id=self)

    def _ran(self, event: dict[str, Any]) -> None:
        words = event["sql"].lstrip("( \n").upper()
        asks = words.startswith(("SELECT", "WITH", "VALUES"))
        # What is asked about the schema, once per schema, is no query of anybody.
        schema = "SQLITE_SCHEMA" in words or "PRAGMA_" in words
        if event["readonly"] and not event["trigger"] and asks and not schema:
            self.selects.append(event["sql"])

    def taken(self) -> list[str]:
        """What ran since the last call."""
        ran, self.selects = self.selects, []
        return ran
