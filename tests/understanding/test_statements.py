"""What is said of a statement is what SQLite's authorizer says, over a corpus of statements."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

from reactive_sqlite.understanding import access as codes
from reactive_sqlite.understanding.analysis import analyse
from reactive_sqlite.understanding.analysis.narrow import mentions_of
from reactive_sqlite.understanding.catalog import SCHEMA_TABLES
from reactive_sqlite.understanding.statement import StatementKind
from reactive_sqlite.values.comparison import fold
from tests.understanding.engine import Engine

CORPUS = Path(__file__).parent.parent / "fixtures" / "statements.sql"
WRITES = {codes.INSERT, codes.UPDATE, codes.DELETE}
NO_TABLES = {"json_each", "json_tree"}


class Case(NamedTuple):
    kind: str
    sql: str


def cases() -> Iterator[Case]:
    kind, lines = "", ""
    for line in CORPUS.read_text().splitlines():
        if line.startswith("--# "):
            kind = line.removeprefix("--# ")
        elif not line.strip() and not lines:
            continue
        else:
            lines += line + "\n"
            if line.rstrip().endswith(";") and apsw.complete(lines):
                yield Case(kind, lines.strip())
                lines = ""
    assert not lines


CASES = list(cases())
SCHEMA = [case.sql for case in CASES if case.kind == "SCHEMA"]
STATEMENTS = [case for case in CASES if case.kind != "SCHEMA"]
EVERY_STATEMENT = pytest.mark.parametrize("case", STATEMENTS, ids=lambda case: case.sql[:60])


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(*SCHEMA)


@EVERY_STATEMENT
def test_kind(engine: Engine, case: Case) -> None:
    assert engine.analyse(case.sql).kind is StatementKind[case.kind]


@EVERY_STATEMENT
def test_reads_and_writes_are_those_of_the_authorizer(engine: Engine, case: Case) -> None:
    statement = engine.analyse(case.sql)
    actions, access = engine.actions(case.sql)
    hidden = SCHEMA_TABLES if access.changes_schema else set()
    read = {fold(a[1]) for a in actions if a[0] == codes.READ and a[1] is not None} - hidden
    views = {table for a in actions if a[4] for table in [fold(a[4])]}
    known = {
        fold(row[0])
        for row in engine.run("SELECT name FROM pragma_table_list UNION SELECT 'sqlite_master'")
    }
    # The engine leaves the content of an FTS table unsaid, and names views as places.
    assert read & known <= statement.reads
    assert statement.reads <= (read & known) | views | {"notes", "tasks"}
    assert not statement.reads & NO_TABLES
    written = {fold(a[1]) for a in actions if a[0] in WRITES and a[1] is not None} - hidden
    of_views = {
        row[0] for row in engine.run("SELECT name FROM pragma_table_list WHERE type='view'")
    }
    assert statement.writes == written - of_views


@EVERY_STATEMENT
def test_the_region_covers_all_that_is_read(engine: Engine, case: Case) -> None:
    """I1: each table and column that SQLite read, under the key that its changes come with."""
    statement = engine.analyse(case.sql)
    region = statement.region()
    if region.everything:
        return
    parts: dict[str, list[frozenset[str] | None]] = {}
    for part in region.tables:
        parts.setdefault(part.table, []).append(part.columns)
    for code, name, column, database, _ in engine.actions(case.sql)[0]:
        if code != codes.READ or name is None or fold(name) in SCHEMA_TABLES | NO_TABLES:
            continue
        table = engine.catalog.resolve(name, database)
        if table is None or table.kind == "view":
            continue
        found = parts[engine.catalog.owner_of(table.key)]
        assert all(columns is None or not column or fold(column) in columns for columns in found)


@EVERY_STATEMENT
def test_nothing_is_said(
    engine: Engine, case: Case, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        engine.analyse(case.sql)
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_analyse_survives_any_text(engine: Engine) -> None:
    access = engine.actions("SELECT * FROM tasks")[1]
    texts = [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT * FROM tasks WHERE " + "NOT " * 3000 + "1",
        "SELECT * FROM tasks WHERE " + " OR ".join(["id = 1"] * 5000),
        "\0",
        "'",
        '"',
        "[",
        "/*",
        "SELECT * FROM tasks; SELECT 1",
        "SELECT \ud83d",
        "?" * 999,
        "{% x %}",
        "0x",
        "x'",
        "WITH",
        "SELECT * FROM tasks WHERE id = ?99999999999999999999",
        "CASE " * 900,
        "SELECT " + "-" * 900,
        "SELECT " + "a." * 2000,
        "SELECT * FROM " + "(SELECT * FROM " * 50 + "tasks" + ")" * 50,
    ]
    for text in texts:
        assert analyse(text, access, engine.catalog).region().tables[0].table == "tasks"


def test_most_queries_are_understood(engine: Engine) -> None:
    """The rest count as whole tables; a parser that gave up on all would pass the tests above."""
    from reactive_sqlite.understanding.analysis.lexer import tokens_of

    queries = [case.sql for case in STATEMENTS if case.kind == "SELECT"]
    failed = [sql for sql in queries if mentions_of(tokens_of(sql), engine.catalog) is None]
    assert len(failed) < len(queries) / 20, failed
