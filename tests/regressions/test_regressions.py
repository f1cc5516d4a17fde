"""Every minimised failure of the random tests, replayed first. Add a case by adding a .sql file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.properties import program
from tests.properties.machine import Machine

CASES = sorted(Path(__file__).parent.glob("*.sql"))


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_regression(case: Path, tmp_path: Path) -> None:
    told = program.parse(case.read_text(encoding="utf-8"))
    path = tmp_path / "t.db" if told.on_file else None
    machine = Machine(path, told.maintain, listens=told.listens)
    try:
        machine.run(told)
    finally:
        machine.close()
