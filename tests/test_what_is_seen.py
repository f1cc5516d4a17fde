"""Which writes wake which query, and which do not: one test for each case of the two fixtures.

The cases are SQL, in `fixtures/what-is-seen.sql` and `fixtures/stays-silent.sql`; add one by adding
SQL. `docs/what-is-seen.md` lists those of the first file. The oracle is the engine: the same
statements on a raw connection, and a fresh run of the query before and after them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase, StatementKind

HERE = Path(__file__).parent

#: Every case has this table.
TASKS = """
create table tasks(id integer primary key, status text, owner text, n integer);
insert into tasks values (1, 'todo', 'ada', 1), (2, 'done', 'bob', 2), (3, 'todo', 'bob', 3);
"""


class Case(NamedTuple):
    """One block of a fixture; its fields are the headers that may stand in it.

    ``write`` is one statement, ``script`` several, ``fails`` a script that raises, ``then`` what
    follows it. ``elsewhere`` is a write that the query need not look at. ``seen`` is row, table or
    database; ``runs`` how many SELECTs a silent write may cost at most.
    """

    name: str
    feature: str
    query: str
    seen: str = ""
    runs: str = ""
    setup: str = ""
    params: str = "()"
    write: str = ""
    script: str = ""
    fails: str = ""
    then: str = ""
    elsewhere: str = ""


def cases(file: str) -> list[Case]:
    found = []
    for block in re.split(r"^--- ", (HERE / "fixtures" / file).read_text(), flags=re.MULTILINE)[1:]:
        title, _, body = block.partition("\n")
        name, _, feature = title.partition(": ")
        parts = re.split(rf"^-- ({'|'.join(Case._fields)})\b", body, flags=re.MULTILINE)
        fields = dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
        found.append(Case(name, feature, **fields))
    return found


SEEN = cases("what-is-seen.sql")
SILENT = cases("stays-silent.sql")


def each(chosen: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", chosen, ids=lambda case: case.name)


Rows = list[tuple[object, ...]]
Run = Callable[[str], object]


def play(case: Case, execute: Run, executescript: Run) -> None:
    """What happens after the query has been subscribed."""
    if case.write:
        execute(case.write)
    if case.script:
        executescript(case.script)
    if case.fails:
        with pytest.raises(apsw.Error):
            executescript(case.fails)
    if case.then:
        execute(case.then)


class Raw:
    """The oracle: a plain connection, and no code of ours."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.connection = apsw.Connection(":memory:")
        self.run(TASKS + case.setup)

    def run(self, sql: str) -> Rows:
        return self.connection.execute(sql).fetchall()

    def answer(self) -> Rows:
        params = ast.literal_eval(self.case.params)
        return self.connection.execute(self.case.query, params).fetchall()


class Live:
    """The same on a live database, with everything that a subscriber of the query receives."""

    def __init__(self, case: Case, path: Path) -> None:
        self.db = ReactiveDatabase(str(path))
        self.db.executescript(TASKS + case.setup)
        self.received: list[Rows] = []
        query = self.db.query(case.query, ast.literal_eval(case.params))
        query.subscribe(lambda rows: self.received.append([tuple(row) for row in rows]))

    def selects(self) -> int:
        """How many answers have been computed so far."""
        return self.db.stats.refetched + self.db.stats.maintained


@pytest.fixture
def live(case: Case, tmp_path: Path) -> Iterator[Live]:
    live = Live(case, tmp_path / "seen.db")
    yield live
    live.db.close()


def typed(rows: Rows) -> list[list[tuple[type, object]]]:
    """Rows that are equal only when the types of their values are too (1 is not 1.0 here)."""
    return [[(type(value), value) for value in row] for row in rows]


@each(SEEN)
def test_wakes(case: Case, live: Live) -> None:
    raw = Raw(case)
    before = raw.answer()
    play(case, raw.run, raw.run)
    after = raw.answer()
    assert typed(before) != typed(after), "the case proves nothing: its answer does not change"
    assert typed(live.received[0]) == typed(before)
    play(case, live.db.execute, live.db.executescript)
    assert typed(live.received[-1]) == typed(after)
    assert len(live.received) == len({str(typed(rows)) for rows in live.received})


@each([case for case in SEEN if case.seen == "row" and case.elsewhere])
def test_is_seen_to_the_row(case: Case, live: Live) -> None:
    raw = Raw(case)
    before = raw.answer()
    raw.run(case.elsewhere)
    assert raw.answer() == before, "the case proves nothing: its answer changes"
    selects = live.selects()
    live.db.execute(case.elsewhere)
    assert live.selects() == selects
    assert len(live.received) == 1


@each(SILENT)
def test_stays_silent(case: Case, live: Live) -> None:
    raw = Raw(case)
    before = raw.answer()
    play(case, raw.run, raw.run)
    assert typed(raw.answer()) == typed(before), "the case proves nothing: its answer changes"
    selects = live.selects()
    play(case, live.db.execute, live.db.executescript)
    assert len(live.received) == 1
    if case.runs:
        assert live.selects() - selects <= int(case.runs)


# --- other processes ---------------------------------------------------------------------------


def in_another_process(path: Path, script: str) -> None:
    program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"
    subprocess.run([sys.executable, "-c", program, str(path), script], check=True)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Live]:
    query = "select * from tasks where id = 1"
    live = Live(Case("", "", query), tmp_path / "seen.db")
    yield live
    live.db.close()


@pytest.mark.parametrize(
    ("script", "row"),
    [
        ("update tasks set status = 'theirs' where id = 1", (1, "theirs", "ada", 1)),
        ("alter table tasks add column extra default 5", (1, "todo", "ada", 1, 5)),
        ("begin; delete from tasks; insert into tasks(id) values (1); commit", (1, *[None] * 3)),
    ],
)
def test_another_process_wakes(
    watched: Live, tmp_path: Path, script: str, row: tuple[object, ...]
) -> None:
    in_another_process(tmp_path / "seen.db", script)
    watched.db.look()
    assert watched.received[-1] == [row]
    assert len(watched.received) == 2


def test_another_process_that_rolls_back_stays_silent(watched: Live, tmp_path: Path) -> None:
    in_another_process(tmp_path / "seen.db", "begin; delete from tasks; rollback")
    watched.db.look()
    assert len(watched.received) == 1


@pytest.mark.parametrize(
    ("table", "query", "write"),
    [
        ("rtree(id, lo, hi)", "select id from v where lo < 3", "insert into v values (1, 2, 3)"),
        ("fts5(body)", "select body from v('fox')", "insert into v values ('red fox')"),
        ("fts4(body)", "select body from v where v match 'fox'", "insert into v values ('a fox')"),
    ],
)
def test_a_virtual_table_of_a_file_made_before(
    tmp_path: Path, table: str, query: str, write: str
) -> None:
    path = str(tmp_path / "before.db")
    maker = apsw.Connection(path)
    maker.execute(f"create virtual table v using {table}").fetchall()
    maker.close()
    with ReactiveDatabase(path) as db:
        assert db.analyze(query).kind is StatementKind.SELECT
        assert db.analyze(query).writes == frozenset()
        received: list[object] = []
        db.query(query).subscribe(received.append)
        db.execute(write)
        assert [len(rows) for rows in received] == [0, 1]


# --- not seen ------------------------------------------------------------------------------------


def test_not_seen_an_application_function_that_answers_differently() -> None:
    answers = {"now": 1}
    with ReactiveDatabase() as db:
        db.executescript("create table t(a); create table other(a); insert into t values (1)")
        db.create_function("answer", lambda: answers["now"], 0)
        received: list[int] = []
        db.query_value("select answer() from t").subscribe(received.append)
        answers["now"] = 2
        db.execute("insert into other values (1)")
        assert received == [1]
        db.invalidate("t")
        assert received == [1, 2]


def test_not_seen_the_state_of_the_connection() -> None:
    with ReactiveDatabase() as db:
        db.executescript("create table t(a); create table other(a); insert into t values (1)")
        received: list[int] = []
        db.query_value("select changes() from t").subscribe(received.append)
        db.execute("insert into other values (1), (2), (3)")
        assert received == [1]
        db.invalidate()
        assert received == [1, 3]


# --- the cases themselves ------------------------------------------------------------------------


def test_names_are_unique() -> None:
    for chosen in (SEEN, SILENT):
        assert len({case.name for case in chosen}) == len(chosen)
    assert len(SEEN) > 51


def test_the_document_lists_what_is_seen() -> None:
    document = (HERE.parent / "docs" / "what-is-seen.md").read_text()
    rows = re.findall(
        r"^\| (.+) \| (row|table|database) \| `test_wakes\[([^]]+)\]` \|$", document, re.M
    )
    assert rows == [(case.feature, case.seen, case.name) for case in SEEN]
