"""The command line of the benchmarks: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

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
        choices=("ours", "peers", "ratios", "compare"),
        help="ours beside raw APSW with the bars (default); also the peers from npm; the bars "
        "alone; or two kept runs side by side",
    )
    parser.add_argument("paths", nargs="*", type=Path, help="for compare: two kept runs")
    parser.add_argument("--quick", action="store_true", help="small sizes: a minute at most")
    parser.add_argument("--only", default="", help="workloads or bars, by the start of their name")
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
    size: Size = "quick" if asked.quick else "full"
    rounds = asked.rounds or ROUNDS[size]
    starts = tuple(asked.only.split(","))
    collected = []
    if asked.what in ("ours", "ratios"):
        bars = ratios.run(size, starts, _say)
        print(ratios.table(bars), end="\n\n")
        collected += bars
    if asked.what in ("ours", "peers"):
        chosen = [
            workload
            for module in questions.MODULES
            for workload in module.workloads(size)
            if workload.name.startswith(starts)
        ]
        names = {workload.name: workload.question for workload in chosen}
        engines = asked.engines.split(",") if asked.engines else None
        if asked.what == "ours":
            engines = engines or (OURS if size == "full" else QUICK)
            found = runner.run(chosen, engines, size, rounds, _say)
            print(report.by_engine(found, names))
        else:
            try:
                runner.prepare_peers()
            except runner.PeersMissing as reason:
                _say(str(reason))
                return 2
            engines = engines or JOINT
            found = runner.run(chosen, engines, size, rounds, _say)
            print(report.joint(found, names, engines))
            print(f"\n{report.reasons(found)}")
        collected += found
    path = results.keep(asked.what, size, collected, asked.out)
    _say(f"kept in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
