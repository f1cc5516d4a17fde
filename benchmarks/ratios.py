"""What a commit may cost, as ratios to raw APSW in the same run: is each bar reached?

Ours and the base take turns within one process, round after round, on databases of the same kind
(a file in WAL mode with synchronous=NORMAL, and memory), and medians of rounds are divided. What is
divided is processor time, so that what else runs on the machine does not decide (nothing here waits
for the disk: in WAL mode with synchronous=NORMAL a commit does not); wall-clock times are kept
beside it. The base runs the same SQL through one connection, statements prepared once.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import apsw

from benchmarks import report
from benchmarks.bars import BARS, BULK, BY_ID, FEW, LIVE, ROWS, Open, Pair, items, nothing
from benchmarks.engines import raw_connection
from benchmarks.workload import Size
from reactive_sqlite import ReactiveDatabase

Place = Literal["memory", "disk"]
now = time.perf_counter_ns
SECONDS: dict[Size, float] = {"smoke": 0, "quick": 0.3, "full": 4}
LEAST_ROUNDS: dict[Size, int] = {"smoke": 1, "quick": 3, "full": 7}


def run(size: Size, starts: tuple[str, ...], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure the bars whose names start so, in memory and on disk."""
    found = []
    words = {"live": LIVE, "few": FEW, "rows": ROWS, "bulk": BULK}
    texts = {name: f"{sizes[size]:,}" for name, sizes in words.items()}
    texts["twice"] = f"{2 * FEW[size]:,}"
    places: tuple[Place, ...] = ("memory", "disk")
    for bar in BARS:
        if not bar.name.startswith(starts):
            continue
        for place in places:
            with _databases(place) as open_both:
                pair = bar.prepare(open_both, size)
                times = _alternate(pair, size)
            ratio = times["ours_us"] / times["base_us"]
            ratio = 1 / ratio if bar.at_least else ratio
            found.append(
                _result(bar.name, bar.what.format(**texts), place, ratio, bar.limit, bar.at_least)
                | times
            )
            say(_line(found[-1]))
    if "understood".startswith(starts):
        found.append(_understood())
        say(_line(found[-1]))
    if "bytes".startswith(starts):
        found.append(_bytes(size))
        say(_line(found[-1]))
    return found


def table(bars: Sequence[Mapping[str, Any]]) -> str:
    """One line per bar: the figures in memory and on disk beside the bar."""
    rows = []
    for _, lines in itertools.groupby(bars, lambda bar: bar["workload"]):
        by_place = {line["engine"]: line for line in lines}
        first = next(iter(by_place.values()))
        sign = "≥" if first["atleast"] else "≤"
        rows.append(
            [
                first["what"],
                f"{sign} {first['limit']:g}{first['unit']}",
                *(_cell(by_place.get(place)) for place in ("memory", "disk")),
            ]
        )
    return report.table(["what", "bar", "in memory", "on disk"], rows)


def _cell(line: Mapping[str, Any] | None) -> str:
    if line is None:
        return ""
    verdict = "reached" if line["reached"] else f"MISSED by {line['missed_by']:.2f}×"
    return f"{line['ratio']:.3g}{line['unit']} {verdict}"


def _line(line: Mapping[str, Any]) -> str:
    return f"{line['what']} ({line['engine']}): {_cell(line)}"


def _result(
    name: str,
    what: str,
    place: str,
    ratio: float,
    limit: float,
    at_least: bool = False,
    unit: str = "×",
) -> dict[str, Any]:
    missed_by = limit / ratio if at_least else ratio / limit
    return {
        "workload": name,
        "what": what,
        "engine": place,
        "ratio": ratio,
        "limit": limit,
        "atleast": at_least,
        "unit": unit,
        "reached": missed_by <= 1,
        "missed_by": missed_by,
    }


@contextmanager
def _databases(place: Place) -> Iterator[Open]:
    """Makes pairs of a database of ours and a bare connection, and closes them all."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        opened: list[tuple[ReactiveDatabase, apsw.Connection]] = []

        def open_both() -> tuple[ReactiveDatabase, apsw.Connection]:
            stem = Path(folder) / str(len(opened))
            on_disk = place == "disk"
            path = f"{stem}-ours.db" if on_disk else ":memory:"
            raw = raw_connection(stem.with_suffix(".raw.db") if on_disk else None)
            opened.append((ReactiveDatabase(path), raw))
            return opened[-1]

        try:
            yield open_both
        finally:
            for database, connection in opened:
                database.close()
                connection.close()


def _alternate(pair: Pair, size: Size) -> dict[str, float]:
    """Median microseconds of one call of each, over rounds that take turns; two rounds warm up."""
    found: dict[str, list[float]] = {"ours": [], "base": [], "ours_wall": [], "base_wall": []}
    gc.collect()
    turn, until = 0, now() + SECONDS[size] * 1e9
    while turn < 2 + LEAST_ROUNDS[size] or now() < until:
        for work, name, times in (
            (pair.ours, "ours", pair.ours_times or pair.times),
            (pair.base, "base", pair.times),
        ):
            start, start_cpu = now(), time.process_time_ns()
            for _ in range(times):
                work()
            stop_cpu, stop = time.process_time_ns(), now()
            if turn >= 2:
                found[name].append((stop_cpu - start_cpu) / times / 1e3)
                found[f"{name}_wall"].append((stop - start) / times / 1e3)
        turn += 1
    return {f"{name}_us": statistics.median(values) for name, values in found.items()}


def _understood() -> dict[str, Any]:
    """Microseconds to look a statement up that was analysed before."""
    with _databases("memory") as open_both:
        database, connection = open_both()
        items(database, connection, 10)
        database.analyze(BY_ID)
        times = []
        for _ in range(9):
            start = now()
            for _ in range(2_000):
                database.analyze(BY_ID)
            times.append((now() - start) / 2_000)
    what = "a known statement understood"
    return _result("understood", what, "memory", statistics.median(times) / 1e3, 3, unit=" µs")


def _bytes(size: Size) -> dict[str, Any]:
    """KiB of one live query `id = ?` with its subscriber and its value, by tracemalloc."""
    count = min(LIVE[size], 10_000)
    with _databases("memory") as open_both:
        database, connection = open_both()
        items(database, connection, count + 1)
        database.query(BY_ID, (count + 1,)).subscribe(nothing)
        gc.collect()
        tracemalloc.start()
        try:
            held = [
                (live := database.query(BY_ID, (key,)), live.subscribe(nothing))
                for key in range(1, count + 1)
            ]
            gc.collect()
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        each = used / len(held) / 1024
    what = "a live query with its subscriber"
    return _result("bytes", what, "memory", each, 3, unit=" KiB")
