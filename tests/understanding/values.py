"""Values, tables and predicates at the edges of SQLite's comparison rules, drawn at random."""

from __future__ import annotations

from random import Random
from typing import Any

NUMBERS: list[Any] = [
    0,
    1,
    -1,
    2,
    3,
    10,
    100,
    0.0,
    -0.0,
    1.0,
    1.5,
    -1.5,
    2.5,
    1e2,
    1e15,
    1e16,
    1e300,
    0.1,
    1 / 3,
    2**31,
    2**53,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    float("inf"),
    float(2**63),
]
TEXTS: list[Any] = [
    "",
    "a",
    "A",
    "b",
    "B",
    "ab",
    "AB",
    "aB",
    "abc",
    "a ",
    "A  ",
    " a",
    "ä",
    "Ä",
    "z",
    "1",
    "01",
    " 1",
    "1 ",
    "1.0",
    "1.",
    ".5",
    "1e2",
    "1E2",
    "+1",
    "-1",
    "0x1",
    "1_000",
    "1a",
    "a1",
    "10",
    "2",
    "100",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999",
    "1e400",
    "inf",
    "nan",
    "NULL",
    "%",
    "_",
    "a%",
    "*",
    "0.1",
    "1e-2",
    "00",
    "-0",
    "-0.0",
    "\U0001f600",
    "\uffee",
    "a\x00b",
    "1\x00",
    "true",
    "'",
    "it's",
    "2024-01-01",
    "1 2",
    "\t1\n",
    "1e",
    "e1",
    ".",
    "+",
    "- 1",
    "123456789012345678",
    "0.30000000000000004",
    "1234567890.123456789",
]
BLOBS: list[Any] = [b"", b"a", b"1", b"\x00", b"\xff", b"ab"]
TYPES = [
    "INTEGER",
    "TEXT",
    "REAL",
    "NUMERIC",
    "BLOB",
    "",
    "INT",
    "VARCHAR(3)",
    "DATETIME",
    "BOOLEAN",
]
COLLATIONS = ["", "", " COLLATE ODD", " COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY"]
COLUMNS = ["a", "b", "c", "d"]


def value(random: Random) -> Any:
    pick = random.random()
    if pick < 0.1:
        return None
    if pick < 0.5:
        return random.choice(NUMBERS)
    return random.choice(TEXTS) if pick < 0.92 else random.choice(BLOBS)


def literal(item: Any) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, bytes):
        return f"x'{item.hex()}'"
    if isinstance(item, str):
        return "'" + item.replace("'", "''") + "'"
    if item == float("inf"):
        return "9e999"
    return repr(item)


def columns(random: Random, names: list[str], strict: bool = False) -> str:
    """Column definitions of all affinities and collations."""
    if strict:
        kinds = ["INT", "INTEGER", "REAL", "TEXT", "TEXT COLLATE NOCASE", "BLOB", "ANY", "ANY"]
        return ", ".join(f"{name} {random.choice(kinds)}" for name in names)
    return ", ".join(f"{name} {random.choice(TYPES)}{random.choice(COLLATIONS)}" for name in names)


class Predicates:
    """Random conditions as text, with few parentheses, and the parameters they take."""

    def __init__(self, random: Random, names: list[str]) -> None:
        self.random = random
        self.names = names
        self.params: list[Any] = []

    def constant(self) -> str:
        random = self.random
        item = value(random)
        pick = random.random()
        if pick < 0.4 and "\x00" not in str(item):
            return literal(item)
        if pick < 0.45:
            return random.choice(
                [
                    "-1",
                    "- 1",
                    "+1",
                    "(1)",
                    "1+1",
                    "2 * 3",
                    "0x1",
                    "-0x1",
                    "1e2",
                    "TRUE",
                    "(TRUE)",
                    "(FALSE)",
                    "FALSE",
                    "-'1'",
                    "~1",
                    "'a' || 'b'",
                    "9223372036854775808",
                    "-9223372036854775808",
                    "CAST(1 AS INTEGER)",
                    "CAST('a' AS TEXT)",
                    "CAST('1' AS TEXT)",
                    "CAST('1' AS INTEGER)",
                    "1_0",
                    "coalesce(NULL, 1)",
                    "ifnull(NULL, 'a')",
                    ".5",
                    "5.",
                ]
            )
        return self.parameter(item)

    def parameter(self, item: Any) -> str:
        """A parameter of any form, sometimes one that was given before."""
        pick, count = self.random.random(), len(self.params)
        if count and pick < 0.05:
            return f"?{self.random.randrange(count) + 1}"
        self.params.append(item)
        if pick < 0.6:
            return "?"
        return self.random.choice(["?{}", ":p{}", "@p{}", "$p{}", "$p::q{}(x)"]).format(count + 1)

    def column(self) -> str:
        random = self.random
        name = random.choice(self.names)
        pick = random.random()
        if pick < 0.75:
            return name
        if pick < 0.8:
            return f'"{name}"'
        if pick < 0.85:
            return f"t.{name}"
        if pick < 0.9:
            return f"{name} COLLATE {random.choice(['NOCASE', 'BINARY', 'RTRIM'])}"
        template = random.choice(
            [
                f"+{name}",
                f"-{name}",
                f"({name})",
                f"CAST({name} AS TEXT)",
                f"lower({name})",
                f"{name} || ''",
                f"~{name}",
                f"{name} + 0",
                f"{name} - 1",
                f"1 - {name}",
                f"2 + ({name} + -1)",
                f"- {name}",
                f"upper({name})",
                f"upper(({name}))",
                f"lower({name} COLLATE NOCASE)",
                f"lower({name}) COLLATE NOCASE",
                f"coalesce({name}, §)",
                f"ifnull({name}, §)",
                f"coalesce({name}, NULL, §) COLLATE NOCASE",
                f"CASE WHEN {name} = 1 THEN § ELSE § END",
                f"CASE {name} WHEN 'a' THEN § WHEN 1 THEN 2 END",
                f"iif({name} IS NULL, §, §)",
                f"likely({name})",
                "§",
            ]
        )
        while "§" in template:  # a parameter is numbered by its place in the text
            template = template.replace("§", self.constant(), 1)
        return template

    def leaf(self) -> str:
        random = self.random
        before, pick = len(self.params), random.randrange(20)
        column = self.column() if pick < 15 or pick == 18 else ""
        plain = len(self.params) == before
        if pick < 4:
            operator = random.choice(["=", "==", "!=", "<>", "<", "<=", ">", ">="])
            sides = [column, self.constant()]
            # Parameters are numbered from left to right: there is one at most.
            if random.random() < 0.2 and plain:
                sides.reverse()
            return f"{sides[0]} {operator} {sides[1]}"
        if pick < 6:
            words = ["IS", "IS NOT", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]
            return f"{column} {random.choice(words)} {self.constant()}"
        if pick < 8:
            items = ", ".join(self.constant() for _ in range(random.randrange(4)))
            return f"{column} {random.choice(['IN', 'NOT IN'])} ({items})"
        if pick < 10:
            low = self.constant()
            word = random.choice(["BETWEEN", "NOT BETWEEN"])
            return f"{column} {word} {low} AND {self.constant()}"
        if pick < 11:
            words = ["IS NULL", "ISNULL", "NOTNULL", "NOT NULL", "IS NOT NULL"]
            return f"{column} {random.choice(words)}"
        if pick < 13:
            pattern = random.choice(
                [
                    "a%",
                    "A%",
                    "a_",
                    "ab%",
                    "%",
                    "",
                    "a",
                    "1%",
                    "ä%",
                    "*",
                    "a*",
                    "A*",
                    "[a]*",
                    "a?",
                    "1*",
                    "_a",
                    "it''s%",
                    "a\\%",
                    "%b",
                    "*b",
                    "%a%",
                    "*a*b*",
                    "%%",
                    "a%%b",
                    "%A%B",
                    "A*b",
                    "a!%%",
                    "!",
                    "!_!!%",
                ]
            )
            written = f"'{pattern}'"
            if "''" not in pattern and random.random() < 0.3:
                joined = random.random() < 0.5
                written = f"'{pattern}' || ''" if joined else self.parameter(pattern)
            escape = f" ESCAPE '{random.choice('!!%a_')}'" if random.random() < 0.3 else ""
            word = random.choice(["LIKE", "NOT LIKE"] + ["GLOB", "NOT GLOB"] * (not escape))
            return f"{column} {word} {written}{escape}"
        if pick < 14:
            return f"{column} IS {random.choice(['', 'NOT '])}{random.choice(['TRUE', 'FALSE'])}"
        if pick < 15:
            return column
        if pick < 16:
            return f"{random.choice(['likely', 'unlikely', ''])}({self.leaf()})"
        if pick < 17:
            return (
                f"CASE WHEN {self.leaf()} THEN {self.constant()} ELSE {self.constant()} END"
                f" {random.choice(['=', '<>', 'IS', '<'])} {self.constant()}"
            )
        first, second = random.choice(self.names), random.choice(self.names)
        if pick < 18:
            rows = ", ".join(
                f"({self.constant()}, {self.constant()})" for _ in range(random.randrange(1, 3))
            )
            return f"({first}, {second}) {random.choice(['IN', 'NOT IN'])} (VALUES {rows})"
        if pick < 19:
            rows = ", ".join(f"({self.constant()})" for _ in range(random.randrange(1, 3)))
            return f"{column} {random.choice(['IN', 'NOT IN'])} (VALUES {rows})"
        pair = f"({self.constant()}, {self.constant()})"
        operator = random.choice(["=", "<>", "IS", "IS NOT", "<", "<=", ">", ">="])
        return f"({first}, {second}) {operator} {pair}"

    def condition(self, depth: int = 3) -> str:
        random = self.random
        pick = random.random()
        if depth == 0 or pick < 0.45:
            return self.leaf()
        if pick < 0.55:
            return f"NOT {self.condition(depth - 1)}"
        if pick < 0.62:
            return f"({self.condition(depth - 1)})"
        if pick < 0.66:
            return f"{self.condition(depth - 1)} {random.choice(['=', 'IS', '<'])} {self.leaf()}"
        left = self.condition(depth - 1)
        return f"{left} {random.choice(['AND', 'OR'])} {self.condition(depth - 1)}"
