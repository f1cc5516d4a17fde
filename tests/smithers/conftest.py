"""A database of each kind, and every statement that the package runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reactive_sqlite import ReactiveDatabase
from smithers_db import SmithersDB, create_smithers_db

#: Every SQL text that went through the public API in this session.
STATEMENTS: set[str] = set()


@pytest.fixture(autouse=True)
def _traced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("execute", "executemany", "query", "query_one", "query_value"):
        original = getattr(ReactiveDatabase, name)

        def traced(
            self: ReactiveDatabase, sql: str, *args: Any, _original: Any = original, **kwargs: Any
        ) -> Any:
            STATEMENTS.add(sql)
            return _original(self, sql, *args, **kwargs)

        monkeypatch.setattr(ReactiveDatabase, name, traced)


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
