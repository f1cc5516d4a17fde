"""Runs one workload on one engine of this language, in a process of its own or in the caller's.

python -m benchmarks.measure ENGINE WORKLOAD SIZE      # prints one JSON line
"""

from __future__ import annotations

import gc
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import emulations, questions
from benchmarks.engines import Engine, Ours, Raw
from benchmarks.workload import Workload, digest

ENGINES: dict[str, Callable[[], Engine]] = {
    "ours": Ours,
    "ours on disk": lambda: Ours(disk=True),
    "raw": Raw,
    "raw on disk": lambda: Raw(disk=True),
    "by table": emulations.ByTable,
    "by column": emulations.ByColumn,
}
now = time.perf_counter_ns


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least that share of them does not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def resident_mb() -> float:
    """Resident memory of this process in MiB, or NaN where the platform does not tell."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return math.nan
    import resource

    return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20


def run(engine_name: str, workload: Workload) -> dict[str, Any]:
    """Run it; times are in microseconds from the start of a write to the last value it caused.

    Raises:
        AssertionError: a view differs from a fresh run of its statement, or a write that must
            change a view was not delivered when it returned.
    """
    engine = ENGINES[engine_name]()
    emissions = [0] * len(workload.views)

    def emitter(index: int) -> Callable[[], None]:
        def emit() -> None:
            emissions[index] += 1

        return emit

    start = now()
    engine.load(workload.tables)
    loaded = now()
    # Not the engine's: it would count as memory, and every full garbage collection walk it.
    workload = replace(workload, tables=())
    for index, view in enumerate(workload.views):
        engine.watch(index, view, workload.mode, emitter(index))
    opened = now()
    memory = resident_mb()
    writes = [(engine.prepare(write), write.wakes) for write in workload.writes]
    before = engine.counters()
    emissions[:] = [0] * len(emissions)
    gc.collect()

    times, wall = _time(writes, emissions, 1e9 / workload.rate if workload.rate else 0)

    counters = {name: count - before[name] for name, count in engine.counters().items()}
    final = [engine.rows(index) for index in range(len(workload.views))]
    checksum = digest(workload.views, final)
    fresh = digest(workload.views, [engine.fresh(view) for view in workload.views])
    if checksum != fresh:
        raise AssertionError(
            f"{engine_name}, {workload.name}: a view is not what a fresh run gives"
        )
    engine.close()
    grouped = [
        sum(times[at : at + workload.group]) / 1e3 for at in range(0, len(times), workload.group)
    ]
    counted = grouped[workload.warmup :]
    return {
        "workload": workload.name,
        "engine": engine_name,
        "mode": workload.mode,
        "n": len(counted),
        "median_us": quantile(counted, 0.5),
        "p99_us": quantile(counted, 0.99),
        "max_us": max(counted),
        "wall_ms": wall / 1e6,
        "load_ms": (loaded - start) / 1e6,
        "open_ms": (opened - loaded) / 1e6,
        "rss_mb": memory,
        "emissions": sum(emissions),
        "expected_emissions": workload.expected_emissions,
        "counters": counters,
        "checksum": checksum,
    }


def _time(
    writes: Sequence[tuple[Callable[[], object], tuple[int, ...]]],
    emissions: list[int],
    interval: float,
) -> tuple[list[int], int]:
    """Nanoseconds of each write, and of all of them together. Waiting comes before the clock."""
    times = []
    started = now()
    for step, (write, wakes) in enumerate(writes):
        before = [emissions[index] for index in wakes]
        if interval:
            start = started + int(step * interval)
            while (left := start - now()) > 0:
                time.sleep(left / 1e9 - 0.001 if left > 2_000_000 else 0)
        else:
            start = now()
        write()
        times.append(now() - start)
        for index, count in zip(wakes, before, strict=True):
            if emissions[index] <= count:
                raise AssertionError(f"write {step} was not delivered to view {index}")
    return times, now() - started


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    engine, name, size = arguments
    result: Mapping[str, Any] = run(engine, questions.find(name, size))  # type: ignore[arg-type]
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
