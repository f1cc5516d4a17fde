"""The command line of the benchmarks: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import compare, questions, ratios, report, results, runner
from benchmarks.workload import Size

OURS = ("ours", "ours on disk", "raw", "raw on disk")
QUICK = ("ours", "raw")
JOINT = ("ours", "ours on disk", "raw", "by table", "by column", *runner.PEERS)
ROUNDS: dict[Size, int] = {"smoke": 1, "quick": 1, "full": 3}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        default="ours",
        choices=("ours", "peers", "ratios", "show", "compare"),
        help="ours beside raw APSW with the bars (default); also the peers from npm; the bars "
        "alone; the tables of a kept run; or two kept runs side by side",
    )
    parser.add_argument("paths", nargs="*", type=Path, help="for show and compare: kept runs")
    parser.add_argument("--quick", action="store_true", help="small sizes: a minute at most")
    parser.add_argument("--only", default="", help="workloads or bars, by the start of their name")
    parser.add_argument("--skip", default="", help="workloads to leave out, by their full names")
    parser.add_argument("--engines", default="", help="a comma-separated choice of engines")
    parser.add_argument("--rounds", type=int, help="how often each engine of ours takes its turn")
    parser.add_argument("--out", type=Path, help="where to keep the JSON")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; exit status 2 when it cannot be run."""
    asked = _parser().parse_args(arguments)
    if asked.what == "compare":
        if len(asked.paths) != 2:
            _say("compare needs two kept runs: python -m benchmarks compare A.json B.json")
            return 2
        print(compare.compare(*asked.paths))
        return 0
    if asked.what == "show":
        for path in asked.paths:
            _show(results.read(path)["results"])
        return 0
    size: Size = "quick" if asked.quick else "full"
    starts = tuple(asked.only.split(","))
    collected = []
    if asked.what in ("ours", "ratios"):
        collected += ratios.run(size, starts, _say)
    if asked.what in ("ours", "peers"):
        usual = JOINT if asked.what == "peers" else OURS if size == "full" else QUICK
        engines = asked.engines.split(",") if asked.engines else usual
        if any(engine in runner.PEERS for engine in engines):
            try:
                runner.prepare_peers()
            except runner.PeersMissing as reason:
                _say(str(reason))
                return 2
        chosen = [
            workload
            for module in questions.MODULES
            for workload in module.workloads(size)
            if workload.name.startswith(starts) and workload.name not in asked.skip.split(",")
        ]
        collected += runner.run(chosen, engines, size, asked.rounds or ROUNDS[size], _say)
    _show(collected)
    path = results.keep(asked.what, size, collected, asked.out)
    _say(f"kept in {path}")
    return 0


def _show(found: Sequence[Mapping[str, Any]]) -> None:
    bars = [result for result in found if "limit" in result]
    timed = [result for result in found if "question" in result]
    if bars:
        print(ratios.table(bars), end="\n\n")
    if any(result["engine"] in runner.PEERS for result in timed):
        print(f"{report.joint(timed)}\n\n{report.reasons(timed)}")
    elif timed:
        print(report.by_engine(timed))


if __name__ == "__main__":
    sys.exit(main())
