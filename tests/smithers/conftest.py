"""A database of each kind, and every statement that the package runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reactive_sqlite import ReactiveDatabase
from smithers_db import SmithersDB, create_smithers_db

from . import plans

#: Modules whose statements look at the whole database, because that is what they are for, or run
#: once a read has failed; and the facade, whose query() passes on what its users write.
WHOLESALE = (
    "growth",
    "orphans",
    "file",
    "rollups",
    "doctor",
    "export",
    "migrations",
    "demo",
    "facade",
    "unreadable",
)


@pytest.fixture(autouse=True)
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Every SQL text that the families run in a test, and which module ran it. At its end no plan
    of theirs may scan a growing table or sort for a list."""
    seen: dict[str, str] = {}
    for name in ("execute", "executemany", "query", "query_one", "query_value"):
        original = getattr(ReactiveDatabase, name)

        def traced(
            self: ReactiveDatabase, sql: str, *args: Any, _original: Any = original, **kwargs: Any
        ) -> Any:
            frame = sys._getframe(1)
            # A table only passes on what is asked of it.
            while frame.f_globals["__name__"] == "smithers_db.table" and frame.f_back:
                frame = frame.f_back
            module = frame.f_globals["__name__"]
            if module.startswith("smithers_db.") and module.split(".")[1] not in WHOLESALE:
                seen[sql] = module
            return _original(self, sql, *args, **kwargs)

        monkeypatch.setattr(ReactiveDatabase, name, traced)
    yield seen
    slow = {f"{module}: {sql}": plans.faults(sql) for sql, module in seen.items()}
    assert not any(slow.values()), {sql: steps for sql, steps in slow.items() if steps}


@pytest.fixture
def db() -> Iterator[SmithersDB]:
    with create_smithers_db() as opened:
        yield opened


@pytest.fixture
def file_db(tmp_path: Path) -> Iterator[SmithersDB]:
    with create_smithers_db(tmp_path / "smithers.db") as opened:
        yield opened


@pytest.fixture
def run(db: SmithersDB) -> str:
    return db.execution.start("test", "main.tsx")
