"""What a region is, as one line: add a case by adding a line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.understanding.engine import Engine

ENGINE = Engine(
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b, c REAL, d INT)",
    "CREATE TABLE u(k TEXT PRIMARY KEY, t_id INT, y) WITHOUT ROWID",
    "CREATE TABLE p(x, done, y)",
    "CREATE INDEX p_x ON p(x, y)",
    "CREATE TABLE q(x, z AS (x + 1) STORED, w AS (x + 2))",
    "CREATE VIEW v AS SELECT id, a AS name, b FROM t WHERE b > 1",
    "CREATE VIEW vl(i, yy) AS SELECT t.id, u.y FROM t LEFT JOIN u ON u.t_id = t.id",
    "CREATE VIEW vg AS SELECT b, count(*) AS n FROM t GROUP BY b",
    "CREATE TABLE o(id INTEGER PRIMARY KEY, t_id INTEGER, y INT)",
    "CREATE VIEW wide AS SELECT * FROM t",
    "CREATE VIEW renamed(i, j, k) AS SELECT id, b, c FROM t WHERE d > 1 ORDER BY id",
)

LINES: list[tuple[str, Any, str]] = [
    # one table
    ("SELECT a FROM t", (), "t(a)"),
    ("SELECT count(*) FROM t", (), "t()"),
    ("SELECT 1", (), "schema"),
    ("SELECT b FROM t WHERE id = ?", (5,), "t(b, id)[id=5]"),
    ("SELECT b FROM t WHERE id = ?", (True,), "t(b, id)[id=1]"),
    ("SELECT b FROM t WHERE id = ?", ("05",), "t(b, id)[id=5]"),
    ("SELECT b FROM t WHERE id = ?", (None,), "t(b, id)[FALSE]"),
    ("SELECT b FROM t WHERE id = ?", (), "t(b, id)"),
    ("SELECT b FROM t WHERE id = :i", {"i": 5}, "t(b, id)[id=5]"),
    ("SELECT b FROM t WHERE id = :i", {}, "t(b, id)"),
    ("SELECT b FROM t WHERE rowid = 5", (), "t(b, id)[id=5]"),
    ("SELECT y FROM p WHERE rowid = 5", (), "p(rowid, x, y)[rowid=5]"),
    ("SELECT b FROM t WHERE 5 < id AND id <= 9", (), "t(b, id)[id>5 AND id<=9]"),
    ("SELECT b FROM t WHERE id BETWEEN 9 AND 5", (), "t(b, id)[FALSE]"),
    ("SELECT b FROM t WHERE a = 'X'", (), "t(a, b)[a='x']"),
    ("SELECT b FROM t WHERE a = 7", (), "t(a, b)[a='7']"),
    ("SELECT b FROM t WHERE a = 7.5", (), "t(a, b)"),
    ("SELECT b FROM t WHERE a = 'X' COLLATE BINARY", (), "t(a, b)[a='X']"),
    ("SELECT a FROM t WHERE d = '9007199254740993.0'", (), "t(a, d)"),
    ("SELECT a FROM t WHERE d IN (3, '2', 1.0, NULL)", (), "t(a, d)[d IN (1.0, 2, 3)]"),
    ("SELECT a FROM t WHERE d NOT IN (1, 2)", (), "t(a, d)[d<>1 AND d<>2]"),
    ("SELECT a FROM t WHERE d NOT IN (1, NULL)", (), "t(a, d)[FALSE]"),
    ("SELECT a FROM t WHERE NOT (d = 1 OR b IS NULL)", (), "t(a, b, d)[d<>1 AND b IS NOT NULL]"),
    ("SELECT a FROM t WHERE d IS NOT ? AND b IS ?", (None, 1), "t(a, b, d)[d IS NOT NULL AND b=1]"),
    ("SELECT a FROM t WHERE d IS DISTINCT FROM 4", (), "t(a, d)[d IS NOT 4]"),
    ("SELECT b FROM t WHERE a LIKE 'Ab_c%'", (), "t(a, b)[a LIKE 'ab%']"),
    ("SELECT b FROM t WHERE a GLOB 'Ab*'", (), "t(a, b)[a GLOB 'Ab*']"),
    ("SELECT b FROM t WHERE a NOT LIKE 'Ab%'", (), "t(a, b)[a NOT LIKE 'Ab%']"),
    (
        "SELECT b FROM t WHERE d = 1 OR (a = 'x' AND c < 2)",
        (),
        "t(a, b, c, d)[d=1 OR (a='x' AND c<2)]",
    ),
    ("SELECT b FROM t WHERE d = 1 OR lower(a) = 'x'", (), "t(a, b, d)[d=1 OR lower(a)='x']"),
    ("SELECT b FROM t WHERE d = 1 OR length(a) = 3", (), "t(a, b, d)"),
    ("SELECT b FROM t WHERE upper(a) < 'X' AND lower(d) = '1'", (), "t(a, b, d)[upper(a)<'X']"),
    ("SELECT b FROM t WHERE d = 1 AND length(a) = 3", (), "t(a, b, d)[d=1]"),
    ("SELECT b FROM t WHERE +d = '1'", (), "t(b, d)"),
    ("SELECT b FROM t WHERE d", (), "t(b, d)[d]"),
    ("SELECT b FROM t WHERE d IS TRUE", (), "t(b, d)[d]"),
    ("SELECT b FROM t WHERE d = TRUE", (), "t(b, d)[d=1]"),
    ("SELECT b FROM t WHERE (:x IS NULL OR d = :x) AND c = 2", {"x": 3}, "t(b, c, d)[d=3 AND c=2]"),
    ("SELECT b FROM t WHERE (:x IS NULL OR d = :x) AND c = 2", {"x": None}, "t(b, c, d)[c=2]"),
    ("SELECT b FROM t WHERE (d, c) = (1, 2)", (), "t(b, c, d)[d=1 AND c=2]"),
    ('SELECT b FROM t WHERE a = "no column"', (), "t(a, b)"),
    ("SELECT b AS d FROM t WHERE d = 3", (), "t(b, d)[d=3]"),
    # rows come in the order of an index, so its columns matter
    ("SELECT x FROM p", (), "p(x, y)"),
    ("SELECT done FROM p", (), "p(done)"),
    ("SELECT rowid FROM p", (), "p(rowid, x, y)"),
    # of several mentions, or below a FROM, SQLite may read some of the columns only
    ("SELECT m.done FROM p m, p n", (), "p(done, x, y)"),
    ("SELECT s.rowid FROM (SELECT rowid, done FROM p) AS s", (), "p(done, rowid, x, y)"),
    # generated columns: a stored one is part of the row, with a virtual one no row is seen
    ("SELECT z FROM q WHERE z = 2", (), "q(z)"),
    # limits, groups, windows: the rows that fail a WHERE do not count for them either
    ("SELECT count(*) FROM t WHERE d = 1 GROUP BY b LIMIT 3", (), "t(b, d)[d=1]"),
    ("SELECT sum(c) OVER (ORDER BY b) FROM t WHERE d = 1", (), "t(b, c, d)[d=1]"),
    # several references
    (
        "SELECT x.a FROM t x, t y WHERE x.id = y.d AND y.b = 2",
        (),
        "t(a, b, d, id) ∪ t(a, b, d, id)[b=2]",
    ),
    (
        "SELECT a FROM t JOIN u ON u.t_id = t.id AND u.k = 'z' WHERE d = 1",
        (),
        "t(a, d, id)[d=1] ∪ u(k, t_id)[k='z']",
    ),
    (
        "SELECT a FROM t LEFT JOIN u ON u.t_id = t.id AND u.k = 'z' AND t.d = 1",
        (),
        "t(a, d, id) ∪ u(k, t_id)[k='z']",
    ),
    ("SELECT a FROM t LEFT JOIN u ON u.t_id = t.id WHERE u.y IS NULL", (), "t(a, id) ∪ u(t_id, y)"),
    (
        "SELECT a FROM t LEFT JOIN u ON u.t_id = t.id WHERE u.y = 1",
        (),
        "t(a, id) ∪ u(t_id, y)[y=1]",
    ),
    ("SELECT a FROM t RIGHT JOIN u ON u.t_id = t.id AND u.y = 1", (), "t(a, id) ∪ u(t_id, y)"),
    ("SELECT a FROM t WHERE d IN (SELECT y FROM u WHERE k = 'z')", (), "t(a, d) ∪ u(k, y)[k='z']"),
    (
        "SELECT a FROM t WHERE d = 1 AND EXISTS (SELECT 1 FROM u WHERE t_id = t.id AND y = 2)",
        (),
        "t(a, d, id)[d=1] ∪ u(t_id, y)[y=2]",
    ),
    (
        "SELECT a FROM t WHERE d = 1 UNION SELECT y FROM u WHERE k = 'z'",
        (),
        "t(a, d)[d=1] ∪ u(k, y)[k='z']",
    ),
    (
        "SELECT a FROM t LEFT JOIN u ON u.t_id = t.id WHERE u.y IS NULL AND u.k IS NOT 'x'",
        (),
        "t(a, id) ∪ u(k, t_id, y)",
    ),
    (
        "SELECT a FROM t LEFT JOIN u ON u.t_id = t.id WHERE u.y = 1 OR u.k IS NULL",
        (),
        "t(a, id) ∪ u(k, t_id, y)",
    ),
    (
        "SELECT a FROM t LEFT JOIN u ON u.t_id = t.id WHERE u.y = 1 AND u.k IS NOT 'x'",
        (),
        "t(a, id) ∪ u(k, t_id, y)[y=1 AND k IS NOT 'x']",
    ),
    # a mention of a table in a place that is not looked into: all of them count as a whole
    ("SELECT j.value FROM t, json_each((SELECT max(b) FROM t)) j WHERE t.id = 1", (), "t(b, id)"),
    ("SELECT b FROM t WHERE id = 1 UNION SELECT 2 LIMIT (SELECT max(b) FROM t)", (), "t(b, id)"),
    ("SELECT b FROM t, (VALUES ((SELECT max(b) FROM t))) WHERE id = 1", (), "t(b, id)"),
    # of a view, a derived table, a common table only what is asked for
    ("SELECT b FROM wide", (), "t(b)"),
    ("SELECT b FROM wide WHERE d = 3", (), "t(b, d)[d=3]"),
    ("SELECT count(*) FROM wide", (), "t()"),
    ("SELECT name FROM v", (), "t(a, b)[b>1]"),
    ("SELECT i FROM renamed WHERE k = 2", (), "t(c, d, id)[d>1 AND c=2]"),
    ("SELECT w.b FROM wide AS w JOIN o ON o.t_id = w.id", (), "o(t_id) ∪ t(b, id)"),
    ("SELECT s.b FROM (SELECT b, c, d FROM t WHERE a = 'x') AS s", (), "t(a, b)[a='x']"),
    ("SELECT p FROM (WITH s(p, q) AS (SELECT b, c FROM t) SELECT * FROM s)", (), "t(b)"),
    ("SELECT b FROM (SELECT max(c), b FROM t)", (), "t(b, c)"),
    ("SELECT b FROM (SELECT DISTINCT a, b FROM t)", (), "t(a, b)"),
    ("SELECT b FROM (SELECT a, b FROM t ORDER BY 1)", (), "t(a, b)"),
    # views, derived tables, common tables
    ("SELECT name FROM v WHERE id = 3", (), "t(a, b, id)[b>1 AND id=3]"),
    ("SELECT i FROM vl WHERE yy = 1", (), "t(id) ∪ u(t_id, y)[y=1]"),
    ("SELECT i FROM vl WHERE yy IS NULL", (), "t(id) ∪ u(t_id, y)"),
    ("SELECT n FROM vg WHERE b = 1", (), "t(b)[b=1]"),
    ("SELECT n FROM vg WHERE n = 1", (), "t(b)"),
    ("SELECT s.b2 FROM (SELECT b AS b2, d FROM t) AS s WHERE s.d = 1", (), "t(b, d)[d=1]"),
    ("SELECT * FROM (SELECT b, d FROM t LIMIT 3) AS s WHERE s.d = 1", (), "t(b, d)"),
    ("WITH s AS (SELECT b FROM t WHERE d = 1) SELECT * FROM s", (), "t(b, d)[d=1]"),
    # patterns
    (r"SELECT b FROM t WHERE a LIKE 'x\_y%' ESCAPE '\'", (), "t(a, b)[a LIKE 'x_y%']"),
    (
        "SELECT b FROM t WHERE b LIKE ? ESCAPE '!'",
        ("a!%%c",),
        "t(b)[b LIKE 'a%%' AND b LIKE 'a%%c']",
    ),
    (
        "SELECT a FROM t WHERE b LIKE '%' || ? || '%'",
        ("Ab",),
        "t(a, b)[b IS NOT NULL AND b LIKE '%ab%']",
    ),
    ("SELECT a FROM t WHERE b NOT GLOB '*x'", (), "t(a, b)[b NOT GLOB '*x']"),
    ("SELECT a FROM t WHERE b NOT LIKE 'a_'", (), "t(a, b)[b IS NOT NULL]"),
    # expressions of one column and constants
    ("SELECT a FROM t WHERE coalesce(d, 0) = 3", (), "t(a, d)[d=3]"),
    ("SELECT a FROM t WHERE ifnull(d, 3) >= ?", (2,), "t(a, d)[d>=2 OR d IS NULL]"),
    ("SELECT a FROM t WHERE coalesce(d, 0)", (), "t(a, d)[d]"),
    ("SELECT b FROM t WHERE CASE WHEN d = 3 THEN 1 ELSE 0 END", (), "t(b, d)[d=3]"),
    ("SELECT b FROM t WHERE CASE d WHEN 1 THEN 'x' WHEN 2 THEN 'y' END = 'y'", (), "t(b, d)[d=2]"),
    ("SELECT b FROM t WHERE iif(d = 3, 1, 0) = 0", (), "t(b, d)"),
    ("SELECT b FROM t WHERE d + 0 = ?", (3,), "t(b, d)[d=3]"),
    ("SELECT b FROM t WHERE 10 - (d + 2) > 3 AND -d < 5", (), "t(b, d)[d>-5 AND d<5]"),
    ("SELECT b FROM t WHERE d + 0 = '3'", (), "t(b, d)"),
    ("SELECT b FROM t WHERE likely(d = 3)", (), "t(b, d)[d=3]"),
    (
        "SELECT b FROM t WHERE b = ? || 'x' AND d = coalesce(?, 5)",
        ("y", None),
        "t(b, d)[b='yx' AND d=5]",
    ),
    ("SELECT b FROM t WHERE ? = 'all' OR d = ?", ("all", 3), "t(b, d)"),
    ("SELECT b FROM t WHERE ? = 'all' OR d = ?", ("one", 3), "t(b, d)[d=3]"),
    ("SELECT b FROM t WHERE 1 = 1 AND d = 3 AND 1", (), "t(b, d)[d=3]"),
    ("SELECT b FROM t WHERE json_extract(b, '$.x') = 3", (), "t(b)"),
    # rows of values
    ("SELECT b FROM t WHERE (d, id) < (?, ?)", (3, 4), "t(b, d, id)[d<3 OR (d=3 AND id<4)]"),
    ("SELECT b FROM t WHERE (d, id) IS (3, 4)", (), "t(b, d, id)[d=3 AND id=4]"),
    (
        "SELECT b FROM t WHERE (d, id) IN (VALUES (1, 2), (3, 4))",
        (),
        "t(b, d, id)[(d=1 AND id=2) OR (d=3 AND id=4)]",
    ),
    ("SELECT b FROM t WHERE d IN (VALUES (1), (?))", (3,), "t(b, d)[d IN (1, 3)]"),
    # names with their database, joins in parentheses, tables that nobody reads
    ("SELECT main.t.b FROM t WHERE main.t.d = 4 AND main.t.b <> 5", (), "t(b, d)[d=4 AND b<>5]"),
    ("SELECT t.b FROM (t JOIN o ON o.y = t.b) WHERE t.d = 4", (), "o(y) ∪ t(b, d)[d=4]"),
    (
        "SELECT b FROM t LEFT JOIN (u JOIN o ON o.y = u.y AND o.id = 3) ON o.t_id = b WHERE d = 4",
        (),
        "o(id, t_id, y)[id=3] ∪ t(b, d)[d=4] ∪ u(k, t_id, y)",
    ),
    ("WITH x AS (SELECT * FROM o) SELECT b FROM t WHERE d = 4", (), "t(b, d)[d=4]"),
    # what is equal is known too
    (
        "SELECT t.b FROM t JOIN o ON t.id = o.t_id WHERE o.t_id = 5",
        (),
        "o(t_id)[t_id=5] ∪ t(b, id)[id=5]",
    ),
    (
        "SELECT t.b FROM t LEFT JOIN o ON t.id = o.t_id WHERE t.id = 5",
        (),
        "o(t_id)[t_id=5] ∪ t(b, id)[id=5]",
    ),
    (
        "SELECT t.b FROM t RIGHT JOIN o ON t.id = o.t_id WHERE t.id > 5",
        (),
        "o(t_id) ∪ t(b, id)[id>5]",
    ),
    ("SELECT t.b FROM t JOIN o ON t.a = o.t_id WHERE o.t_id = 5", (), "o(t_id)[t_id=5] ∪ t(a, b)"),
    ("SELECT t.b FROM t JOIN u ON t.a = u.k WHERE u.k = 'x'", (), "t(a, b) ∪ u(k)[k='x']"),
    ("SELECT count(*) FROM t JOIN o USING (id) WHERE id = 3", (), "o(*)[id=3] ∪ t(*)[id=3]"),
    (
        "SELECT b, (SELECT count(*) FROM o WHERE t_id = t.id) FROM t WHERE id = 5",
        (),
        "o(t_id)[t_id=5] ∪ t(b, id)[id=5]",
    ),
    (
        "SELECT b FROM t WHERE t.id > 5 AND EXISTS (SELECT 1 FROM o WHERE o.t_id = t.id)",
        (),
        "o(t_id)[t_id>5] ∪ t(b, id)[id>5]",
    ),
    (
        "SELECT (SELECT o.y AS d FROM o WHERE d = 5 AND o.t_id = t.id) FROM t WHERE t.d = 5",
        (),
        "o(t_id, y) ∪ t(d, id)[d=5]",
    ),
    # groups, compounds, common tables
    ("SELECT d, count(*) FROM t GROUP BY d HAVING d = 4 AND count(*) > 1", (), "t(d)[d=4]"),
    ("SELECT a, count(*) FROM t GROUP BY a HAVING a = 'x'", (), "t(a)"),
    ("SELECT * FROM (SELECT d, sum(c) AS n FROM t GROUP BY 1) WHERE d = 4", (), "t(c, d)[d=4]"),
    ("SELECT * FROM (SELECT DISTINCT a, d FROM t) WHERE d = 4 AND a = 'x'", (), "t(a, d)[d=4]"),
    (
        "SELECT * FROM (SELECT d FROM t UNION ALL SELECT y FROM o) WHERE d = 4",
        (),
        "o(y)[y=4] ∪ t(d)[d=4]",
    ),
    ("SELECT * FROM (SELECT d FROM t EXCEPT SELECT k FROM u) WHERE d = 4", (), "t(d) ∪ u(k)"),
    (
        "SELECT * FROM (SELECT d FROM t UNION SELECT y FROM o LIMIT 9) WHERE d = 4",
        (),
        "o(y) ∪ t(d)",
    ),
    ("SELECT * FROM (SELECT d, lower(a) AS x FROM t) WHERE d = 4", (), "t(a, d)[d=4]"),
    ("SELECT * FROM (SELECT d, max(a) AS x FROM t) WHERE d = 4", (), "t(a, d)"),
    (
        "WITH x AS (SELECT d, b FROM t), y AS (SELECT * FROM x WHERE b = 1) SELECT b FROM y"
        " WHERE d = 4",
        (),
        "t(b, d)[b=1 AND d=4]",
    ),
    (
        "WITH x AS (SELECT d, b FROM t) SELECT * FROM x JOIN x AS y WHERE x.d = 4 AND y.b = 5",
        (),
        "t(b, d)[b=5] ∪ t(b, d)[d=4]",
    ),
    (
        "WITH RECURSIVE s(i) AS (SELECT d FROM t WHERE d = 1 UNION SELECT t.d FROM t, s)"
        " SELECT * FROM s",
        (),
        "t(d)",
    ),
]


@pytest.mark.parametrize(("sql", "params", "line"), LINES, ids=[line[0] for line in LINES])
def test_line(sql: str, params: Any, line: str) -> None:
    assert str(ENGINE.analyse(sql).region(params)) == line


def test_a_column_named_true_comes_before_the_value() -> None:
    engine = Engine("CREATE TABLE r(true, a)")
    assert str(engine.analyse("SELECT a FROM r WHERE a = TRUE").region()) == "r(a, true)"


def test_like_of_the_application_is_not_judged() -> None:
    engine = Engine("CREATE TABLE r(a, b)")
    engine.connection.create_scalar_function("like", lambda *_: True)
    engine.load()
    statement = engine.analyse("SELECT b FROM r WHERE a LIKE 'x%'")
    assert str(statement.region()) == "r(a, b)"
    assert statement.volatile


def test_an_unknown_collation_is_not_judged() -> None:
    engine = Engine()
    engine.connection.create_collation("odd", lambda a, b: 0)
    engine.run("CREATE TABLE r(a COLLATE odd, b)")
    engine.load()
    assert str(engine.analyse("SELECT b FROM r WHERE a = 'x'").region()) == "r(a, b)"
    assert str(engine.analyse("SELECT b FROM r WHERE a = 1").region()) == "r(a, b)[a=1]"


def test_names_shadow_each_other_as_in_sqlite() -> None:
    engine = Engine(
        "CREATE TABLE t(a, b)",
        "CREATE TEMP TABLE t(b, c)",
        "ATTACH ':memory:' AS x",
        "CREATE TABLE x.t(c, d)",
        "CREATE TABLE x.far(a)",
    )

    def line(sql: str) -> str:
        return str(engine.analyse(sql).region())

    assert line("SELECT c FROM t WHERE b = 1") == "temp.t(b, c)[b=1]"
    assert line("SELECT a FROM main.t WHERE b = 1") == "t(a, b)[b=1]"
    assert line("SELECT c FROM x.t WHERE d = 1") == "x.t(c, d)[d=1]"
    assert line("SELECT a FROM far WHERE a = 1") == "x.far(a)[a=1]"
    assert line("WITH t AS (SELECT a FROM main.t) SELECT a FROM t") == "t(a)"
    assert line("SELECT count(*) FROM t") == "temp.t()"
    assert engine.analyse("SELECT a FROM main.t").main_only
    assert not engine.analyse("SELECT b FROM t").main_only
    assert not engine.analyse("SELECT a FROM far").main_only


VIRTUAL = Engine(
    "CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, body)",
    "CREATE VIEW bodies AS SELECT id, body FROM notes",
    "CREATE VIRTUAL TABLE docs USING fts5(title, body)",
    "CREATE VIRTUAL TABLE of_notes USING fts5(body, content='notes', content_rowid='id')",
    "CREATE VIRTUAL TABLE of_view USING fts5(body, content = bodies)",
    "CREATE VIRTUAL TABLE without USING fts5(body, content='')",
    'CREATE VIRTUAL TABLE old USING fts4(content="notes", body)',
    "CREATE VIRTUAL TABLE places USING rtree(id, x0, x1)",
    "CREATE VIRTUAL TABLE terms USING fts5vocab(docs, row)",
)


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("SELECT * FROM docs WHERE docs MATCH 'x'", "docs(*)"),
        ("SELECT count(*) FROM docs", "docs(*)"),
        ("SELECT * FROM docs_content", "docs(*)"),
        ("SELECT count(*) FROM docs_data", "docs(*)"),
        ("SELECT * FROM of_notes", "notes(*) ∪ of_notes(*)"),
        ("SELECT count(*) FROM of_notes", "notes(*) ∪ of_notes(*)"),
        ("SELECT notes.id FROM notes JOIN of_notes ON notes.id = 1", "notes(*) ∪ of_notes(*)"),
        ("SELECT * FROM old", "notes(*) ∪ old(*)"),
        ("SELECT * FROM without", "without(*)"),
        ("SELECT * FROM of_view", "everything"),
        ("SELECT * FROM places WHERE id = 1", "places(*)"),
        ("SELECT * FROM terms", "everything"),
        ("SELECT * FROM dbstat", "everything"),
        ("SELECT count(*) FROM dbstat", "everything"),
        ("SELECT * FROM sqlite_sequence", "everything"),
        ("SELECT * FROM pragma_foreign_key_check", "everything"),
        ("PRAGMA user_version", "everything"),
        ("EXPLAIN SELECT * FROM notes", "everything"),
        ("SELECT * FROM pragma_table_info('notes')", "schema"),
        ("SELECT * FROM sqlite_schema", "schema"),
        ("SELECT * FROM json_each('[1]')", "schema"),
        ("SELECT value FROM notes, json_each(body) WHERE notes.id = 1", "notes(body, id)[id=1]"),
    ],
)
def test_tables_that_are_more_than_tables(sql: str, line: str) -> None:
    assert str(VIRTUAL.analyse(sql).region()) == line


@pytest.mark.parametrize(
    ("sql", "volatile"),
    [
        ("SELECT a FROM t", False),
        ("SELECT upper(a), max(b), a ->> 'x', count(*) OVER () FROM t", False),
        ("SELECT date(a), strftime('%Y', a), date('2020-01-01', '+1 day') FROM t", False),
        ("SELECT random() FROM t", True),
        ("SELECT a FROM t ORDER BY random()", True),
        ("SELECT randomblob(2)", True),
        ("SELECT changes()", True),
        ("SELECT last_insert_rowid()", True),
        ("SELECT sqlite_version()", True),
        ("SELECT date('now')", True),
        ("SELECT date('NOW ')", True),
        ('SELECT date("now")', True),
        ("SELECT date()", True),
        ("SELECT time ( )", True),
        ("SELECT strftime('%s')", True),
        ("SELECT strftime('%s', a) FROM t", False),
        ("SELECT date(?)", True),
        ("SELECT date(a, 'localtime') FROM t", True),
        ("SELECT unixepoch('subsec')", True),
        ("SELECT strftime('%f', \"SubSecond\")", True),
        ("SELECT timediff(a, 'subsec') FROM t", True),
        ("SELECT unixepoch(a, 'subsec') FROM t", False),
        ("SELECT CURRENT_TIMESTAMP", True),
        ("SELECT a FROM t WHERE a > CURRENT_DATE", True),
        ("SELECT seen FROM clocked", True),
        ("SELECT own(a) FROM t", True),
    ],
)
def test_volatile(sql: str, volatile: bool) -> None:
    engine = Engine(
        "CREATE TABLE t(a, b)", "CREATE VIEW clocked AS SELECT datetime('now') AS seen FROM t"
    )
    engine.connection.create_scalar_function("own", lambda x: x, 1, deterministic=True)
    engine.load()
    assert engine.analyse(sql).volatile is volatile
