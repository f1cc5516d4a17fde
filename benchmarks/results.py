"""A run's results: kept as JSON, one small file each, in benchmarks/results/."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import apsw

FOLDER = Path(__file__).parent / "results"
PACKAGES = ("apsw", "sqlglot", "reactivex", "msgspec")


def machine() -> dict[str, Any]:
    """What a reader must know to compare: in general words, nothing that names the machine."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "sqlite": apsw.sqlite_lib_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def keep(kind: str, size: str, results: Sequence[Mapping[str, Any]], path: Path | None) -> Path:
    """Write the file and return its path; without one, a name made of the time and the kind."""
    stamp = datetime.now(UTC)
    if path is None:
        FOLDER.mkdir(exist_ok=True)
        path = FOLDER / f"{stamp:%Y%m%d-%H%M%S}-{kind}-{size}.json"
    head = {
        "kind": kind,
        "size": size,
        "time": stamp.isoformat(timespec="seconds"),
        "machine": machine(),
    }
    lines = ",\n".join(
        json.dumps(_rounded(result)) for result in results
    )  # one a line: small diffs
    path.write_text(f'{json.dumps(head)[:-1]}, "results": [\n{lines}\n]}}\n')
    return path


def read(path: Path) -> dict[str, Any]:
    """A kept run."""
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return value
