"""Runs workloads on engines, each measurement in a process of its own, engines in alternation."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import duration
from benchmarks.workload import Size, Workload

PEERS = ("tanstack", "rindle", "rxdb", "tinybase", "pglite")
PEER_FOLDER = Path(__file__).parent / "peers"
ROOT = Path(__file__).parent.parent
TIME_LIMIT: dict[Size, int] = {"smoke": 60, "quick": 15, "full": 75}  # seconds, load included
Say = Callable[[str], None]


class PeersMissing(Exception):
    """The peers cannot be run here; the message says what to do."""


def prepare_peers() -> None:
    """Install the pinned packages unless they are there.

    Raises:
        PeersMissing: there is no Node, or its package index cannot be reached.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise PeersMissing("the peers need Node 20 or newer with npm on the PATH")
    if (PEER_FOLDER / "node_modules" / "@tanstack" / "db").exists():
        return
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=PEER_FOLDER,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise PeersMissing(f"`npm ci` failed in {PEER_FOLDER}:\n{done.stderr}")


def run(
    workloads: Sequence[Workload], engines: Sequence[str], size: Size, rounds: int, say: Say
) -> list[dict[str, Any]]:
    """All workloads on all engines; results of engines of this language are medians of rounds.

    Peers from npm run once per workload (some take most of a minute to load), ours before and after
    each of them.

    Raises:
        AssertionError: two engines ended with different views.
    """
    found = []
    for workload in workloads:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            document = Path(folder) / "workload.json"
            document.write_text(workload.to_json())
            collected: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
            for turn in range(rounds):
                for engine in engines:
                    if engine not in PEERS:
                        collected[engine].append(_ours(engine, workload, size))
                    elif turn == 0:
                        collected[engine].append(_peer(engine, workload, document, size))
        results = [
            {"question": workload.question} | _typical(collected[engine]) for engine in engines
        ]
        _check(workload, results)
        say(f"{workload.question}: " + ", ".join(_short(result) for result in results))
        found += results
    return found


def _ours(engine: str, workload: Workload, size: Size) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.measure", engine, workload.name, size]
    return _run(command, ROOT, engine, workload, TIME_LIMIT[size])


def _peer(peer: str, workload: Workload, document: Path, size: Size) -> dict[str, Any]:
    command = ["node", "--expose-gc", "driver.mjs", peer, str(document)]
    result = _run(command, PEER_FOLDER, peer, workload, TIME_LIMIT[size])
    return result | {"expected_emissions": workload.expected_emissions, "counters": {}}


def _run(
    command: Sequence[str], folder: Path, engine: str, workload: Workload, limit: int
) -> dict[str, Any]:
    failed = {"workload": workload.name, "engine": engine}
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=limit, env=os.environ
        )
    except subprocess.TimeoutExpired:
        return failed | {"na": f"not done within {limit} s"}
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "rror" in line]
        return failed | {"na": "failed: " + (lines[0] if lines else done.stderr[-200:]).strip()}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _typical(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The round whose median is the median of all rounds; it says what the rounds' medians were."""
    measured = [result for result in results if "na" not in result]
    if not measured:
        return results[0]
    ranked = sorted(measured, key=lambda result: result["median_us"])
    typical = ranked[(len(ranked) - 1) // 2]
    return typical | {"rounds_us": [result["median_us"] for result in measured]}


def _check(workload: Workload, results: Sequence[dict[str, Any]]) -> None:
    """Mark a peer whose final views differ from ours; a difference among ours is an error."""
    measured = [result for result in results if "na" not in result]
    own = {result["checksum"] for result in measured if result["engine"] not in PEERS}
    if len(own) > 1:
        raise AssertionError(f"{workload.name}: engines disagree on the final views")
    for result in measured:
        if own and result["checksum"] not in own:
            result["na"] = "its final views differ from SQLite's"


def _short(result: dict[str, Any]) -> str:
    if "na" in result:
        return f"{result['engine']} n/a"
    return f"{result['engine']} {duration(result['median_us'])}"
