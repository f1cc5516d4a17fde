"""Run a program, and make a failing one as short as it can be while it fails in the same way."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

from .machine import machine
from .program import Op, Program
from .watch import Broken, TooDear


def failure_of(program: Program) -> tuple[str, str] | None:
    """(kind, text) of what goes wrong when `program` runs from nothing, or None."""
    try:
        with machine(
            on_file=program.on_file, maintain=program.maintain, listens=program.listens
        ) as made:
            made.run(program)
    except TooDear:
        return None
    except Broken as broken:
        return broken.kind, str(broken)
    except Exception as error:  # noqa: BLE001 - whatever comes out of the database is the finding
        return f"raised {type(error).__name__}", repr(error)
    return None


def minimise(program: Program, kind: str, seconds: float = 40) -> Program:
    """Delta debugging over the list of operations; the result fails with the same `kind`."""
    deadline = time.monotonic() + seconds

    def fails(ops: Sequence[Op]) -> bool:
        found = failure_of(dataclasses.replace(program, ops=tuple(ops)))
        return found is not None and found[0] == kind

    ops = list(program.ops)
    size = max(1, len(ops) // 2)
    while time.monotonic() < deadline:
        start, smaller = 0, False
        while start < len(ops) and time.monotonic() < deadline:
            rest = ops[:start] + ops[start + size :]
            if rest and fails(rest):
                ops, smaller = rest, True
            else:
                start += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2) if not smaller or size > 1 else 1
    ops = _shorten(ops, fails, deadline)
    shortest = dataclasses.replace(program, ops=tuple(ops))
    for simpler in (
        dataclasses.replace(shortest, on_file=False),
        dataclasses.replace(shortest, maintain="auto"),
        dataclasses.replace(shortest, on_file=False, maintain="auto"),
        dataclasses.replace(shortest, on_file=False, maintain="auto", listens=True),
    ):
        found = failure_of(simpler)
        if found is not None and found[0] == kind:
            shortest = simpler
    return shortest


def _shorten(ops: list[Op], fails: Callable[[Sequence[Op]], bool], deadline: float) -> list[Op]:
    """Scripts to their statements, many to few, while it still fails."""
    for position in range(len(ops) - 1, -1, -1):
        op = ops[position]
        if time.monotonic() > deadline:
            break
        attempts: list[list[Op]] = []
        if op.kind == "script":
            parts = [part.strip() for part in op.sql.split(";\n") if part.strip()]
            attempts += [
                [Op("script", ";\n".join(parts[:i] + parts[i + 1 :]))] for i in range(len(parts))
            ]
            attempts += [[Op("execute", part)] for part in parts]
        elif op.kind == "many" and isinstance(op.params, list):
            attempts += [[Op("many", op.sql, [one])] for one in op.params]
            attempts += [[Op("execute", op.sql, one)] for one in op.params]
        elif op.kind in ("one", "value", "observe"):
            attempts += [[Op("watch", op.sql, op.params)]]
        for attempt in attempts:
            shorter = [*ops[:position], *attempt, *ops[position + 1 :]]
            if fails(shorter):
                ops = shorter
                break
    return ops
