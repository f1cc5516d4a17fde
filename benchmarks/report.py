"""Plain tables of results, for a terminal and for docs/benchmarks.md alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def duration(microseconds: float) -> str:
    """A time with three significant digits and its unit."""
    for limit, scale, unit in ((1e3, 1.0, "µs"), (1e6, 1e3, "ms"), (float("inf"), 1e6, "s")):
        if microseconds < limit:
            return f"{float(f'{microseconds / scale:.3g}'):g} {unit}"
    raise ValueError(microseconds)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table padded to be read as it stands; the first column is to the left."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        ("-" * width) if at == 0 else "-" * (width - 1) + ":" for at, width in enumerate(widths)
    ]
    return "\n".join([line(head), f"| {' | '.join(rule)} |", *(line(row) for row in rows)])


def by_engine(results: Sequence[Result]) -> str:
    """One row per workload and engine: times, values delivered of those expected, queries run."""
    rows = []
    for found in _by_workload(results):
        for engine, result in found.items():
            if "na" in result:
                continue
            rows.append(
                [
                    result["question"] if engine == next(iter(found)) else "",
                    engine,
                    duration(result["median_us"]),
                    duration(result["p99_us"]),
                    f"{result['emissions']:,} / {result['expected_emissions']:,}",
                    _queries(result["counters"]),
                    duration(result["load_ms"] * 1e3),
                    duration(result["open_ms"] * 1e3),
                    f"{result['rss_mb']:.0f} MiB",
                ]
            )
    head = ["question", "engine", "median", "p99", "values", "re-run", "load", "open", "memory"]
    return table(head, rows)


def joint(results: Sequence[Result]) -> str:
    """One row per workload, one column per engine (medians), and who wins by how much."""
    engines = list(dict.fromkeys(result["engine"] for result in results))
    rows = []
    for found in _by_workload(results):
        cells = [next(iter(found.values()))["question"]]
        medians = {}
        for engine in engines:
            result = found.get(engine)
            if result is None:
                cells.append("")
            elif "na" in result:
                cells.append("n/a")
            else:
                medians[engine] = result["median_us"]
                cells.append(duration(result["median_us"]))
        rivals = {
            engine: median
            for engine, median in medians.items()
            if not engine.startswith(("ours", "raw", "by "))
        }
        cells.append(_verdict(medians.get("ours"), rivals))
        rows.append(cells)
    return table(["question", *engines, "ours against the best peer"], rows)


def reasons(results: Sequence[Result]) -> str:
    """Why an engine has no figure, each reason once."""
    lines: dict[str, list[str]] = {}
    for result in results:
        if "na" in result:
            lines.setdefault(f"{result['engine']}: {result['na']}", []).append(result["workload"])
    return "\n".join(f"- {reason} ({', '.join(names)})" for reason, names in lines.items())


def _by_workload(results: Sequence[Result]) -> list[dict[str, Result]]:
    found: dict[str, dict[str, Result]] = {}
    for result in results:
        found.setdefault(result["workload"], {})[result["engine"]] = result
    return list(found.values())


def _queries(counters: Mapping[str, int]) -> str:
    refetched = f"{counters.get('refetched', 0):,}"
    maintained = counters.get("maintained", 0)
    return f"{refetched} (+{maintained:,} maintained)" if maintained else refetched


def _verdict(ours: float | None, rivals: Mapping[str, float]) -> str:
    if ours is None:
        return "no figure of ours"
    if not rivals:
        return "no peer can"
    best, median = min(rivals.items(), key=lambda item: item[1])
    if ours <= median:
        return f"{median / ours:.1f}× ahead of {best}"
    return f"{ours / median:.1f}× BEHIND {best}"
