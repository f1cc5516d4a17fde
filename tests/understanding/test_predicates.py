"""A predicate's "no" is SQLite's no: random conditions on random rows, the engine as the oracle."""

from __future__ import annotations

import contextlib
from random import Random

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite.values.change import RowChange
from reactive_sqlite.values.predicate import ALWAYS
from tests.understanding.engine import Engine
from tests.understanding.values import (
    BLOBS,
    COLLATIONS,
    COLUMNS,
    NUMBERS,
    TEXTS,
    TYPES,
    Predicates,
    columns,
    value,
)

ROWS = 40
CONDITIONS = 20


def check(random: Random) -> dict[str, int]:
    """Judge random rows by random conditions; count what was said."""
    counts = dict.fromkeys(("asked", "missed", "spurious", "no", "whole", "invalid"), 0)
    key = random.choice(["", "id INTEGER PRIMARY KEY, ", "id INTEGER PRIMARY KEY DESC, "])
    encoding = random.choice(["UTF-8", "UTF-8", "UTF-16le"])
    strict = random.random() < 0.2
    engine = Engine(f"PRAGMA encoding = '{encoding}'")
    engine.connection.create_collation("ODD", lambda a, b: (len(a) > len(b)) - (len(a) < len(b)))
    engine.run(
        f"CREATE TABLE t({key}{columns(random, COLUMNS, strict)}) {'STRICT' if strict else ''}"
    )
    engine.run(f"PRAGMA case_sensitive_like = {random.randrange(2)}")
    engine.load()
    names = [*COLUMNS, "rowid", *(["id"] if key else [])]
    for number in range(ROWS):
        row = [value(random) for _ in COLUMNS]
        with contextlib.suppress(apsw.ConstraintError):
            engine.run(
                f"INSERT INTO t(rowid, {', '.join(COLUMNS)}) VALUES ({number - 10}, ?, ?, ?, ?)",
                row,
            )
    table = engine.catalog.table("t")
    assert table is not None
    images = engine.rows(table)
    for _ in range(CONDITIONS):
        predicates = Predicates(random, names)
        sql = f"SELECT rowid FROM t WHERE {predicates.condition()}"
        try:
            matching = {row[0] for row in engine.run(sql, predicates.params)}
        except (apsw.SQLError, OverflowError, UnicodeDecodeError):
            counts["invalid"] += 1
            continue
        region = engine.analyse(sql).region(predicates.params)
        (part,) = region.tables
        counts["whole"] += part.predicate is ALWAYS
        for rowid, image in images.items():
            assert isinstance(rowid, int)
            counts["asked"] += 1
            may = part.predicate.may_match(image, rowid)
            assert may or rowid not in matching, (sql, predicates.params, image, region)
            counts["no"] += not may
            counts["spurious"] += may and rowid not in matching
            assert part.touched_by_row(RowChange(None, image, None, rowid)) is may
    return counts


@settings(max_examples=40)
@given(st.integers(0, 2**48))
def test_a_no_is_a_no(seed: int) -> None:
    check(Random(seed))


def test_most_of_what_does_not_match_is_told() -> None:
    """The figures of a fixed run: a predicate that never says no would pass the test above."""
    totals: dict[str, int] = {}
    for seed in range(30):
        for name, count in check(Random(seed)).items():
            totals[name] = totals.get(name, 0) + count
    assert totals["no"] > 0.5 * (totals["no"] + totals["spurious"]), totals


EDGES = [
    "coalesce(a, 'x') = 1",
    "coalesce(a, 1) = '1'",
    "ifnull(a, '01') <> '1'",
    "coalesce(a, 'A') = 'a'",
    "coalesce(a, 1) IN ('1', 2.5)",
    "coalesce(a, 0)",
    "NOT coalesce(a, 1)",
    "coalesce(a, 'a') = 'A' COLLATE NOCASE",
    "CASE a WHEN '1' THEN 1 WHEN 'a' THEN '1' END = 1",
    "CASE WHEN a > 'a' THEN NULL ELSE 'x' END IS NULL",
    "iif(a, 'yes', 'no') = 'no'",
    "lower(a) = 5",
    "lower(a) <> 1",
    "upper(a) < 5",
    "lower(a) = 'A'",
    "lower(a) <> 'a'",
    "upper(a) >= 'AB'",
    "lower(a) IN ('a', 'ab', 1)",
    "lower(a) LIKE 'A%'",
    "lower(a) NOT LIKE 'A%'",
    "upper(a) GLOB 'a*'",
    "lower(a) = 'A' COLLATE NOCASE",
    "a NOT LIKE 'A%'",
    "a NOT LIKE '%B'",
    "a LIKE 'a%B'",
    "a NOT LIKE 'A'",
    "a NOT GLOB 'a*'",
    "a GLOB '*b'",
    "a LIKE 'a!%%' ESCAPE '!'",
    "a NOT LIKE '%%' ESCAPE '%'",
    "a IN (VALUES (9007199254740993), ('1'))",
    "a NOT IN (VALUES (9007199254740993), (1))",
    "a + 1 = 2",
    "a + 1 = '2'",
    "a - 1 < 9223372036854775807",
    "1 - a > -5",
    "-a <> 1",
    "- a = -9223372036854775807",
    "9223372036854775807 + a > 5",
    "(a, 0) < ('1', 1)",
    "(a, a) >= (1, 'a')",
    "(a, 2) IN (VALUES ('1', 2), ('a', 3))",
]


@pytest.mark.parametrize("sensitive", [0, 1])
@pytest.mark.parametrize("kind", [a + b for a in TYPES for b in COLLATIONS[1:]])
def test_each_edge(kind: str, sensitive: int) -> None:
    """Each form against each value in a column of each type; LIKE with and without case."""
    engine = Engine(f"PRAGMA case_sensitive_like = {sensitive}")
    engine.connection.create_collation("ODD", lambda a, b: (len(a) > len(b)) - (len(a) < len(b)))
    engine.run(f"CREATE TABLE t(a {kind})")
    engine.load()
    for item in [None, *NUMBERS, *TEXTS, *BLOBS]:
        engine.run("INSERT INTO t VALUES (?)", [item])
    table = engine.catalog.table("t")
    assert table is not None
    images = engine.rows(table)
    for condition in EDGES:
        matching = {row[0] for row in engine.run(f"SELECT rowid FROM t WHERE {condition}")}
        (part,) = engine.analyse(f"SELECT 1 FROM t WHERE {condition}").region().tables
        for rowid, image in images.items():
            assert isinstance(rowid, int)
            may = part.predicate.may_match(image, rowid)
            assert may or rowid not in matching, (condition, kind, image, part)
