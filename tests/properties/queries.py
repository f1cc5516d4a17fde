"""Random SELECTs over a model: every clause that SQLite has, each with a result that is determined.

A LIMIT always comes with an order that leaves no two different rows equal (`quote()` tells storage
classes apart), so that a fresh run is a fair oracle. Whole results need no order.
"""

# ruff: noqa: E501 - one form of SQL per line is easier to read than broken forms

from __future__ import annotations

from random import Random
from typing import Any

from .model import Column, Model, Table
from .values import Parameters, value_for

DIRECTIONS = ("", " DESC", " COLLATE NOCASE", " ASC NULLS LAST", " DESC NULLS FIRST")

PAIRED = ("= ({}, {})", "< ({}, {})", ">= ({}, {})", "IN (VALUES ({}, {}))")

Scope = list[tuple[str, Table]]


class QueryWriter:
    """Writes one SELECT: `text()` is the SQL, `parameters.bound` the values for it."""

    def __init__(self, random: Random, model: Model, samples: dict[str, list[Any]]) -> None:
        self.random = random
        self.model = model
        self.samples = samples
        self.parameters = Parameters(random)
        self.aliases = 0

    # -- pieces ---------------------------------------------------------------------------------

    def alias(self) -> str:
        self.aliases += 1
        return f"x{self.aliases}"

    def table(self) -> Table:
        pool = self.model.plain * 3 + self.model.views * 2 + self.model.tables
        return self.random.choice(pool)

    def column(self, scope: Scope) -> tuple[str, Column]:
        alias, table = self.random.choice(scope)
        column = self.random.choice(table.columns)
        if table.has_rowid and self.random.random() < 0.07:
            return f"{alias}.{self.random.choice(('rowid', '_rowid_', 'OID'))}", column
        return f"{alias}.{column.sql}", column

    def constant(self, column: Column) -> str:
        known = self.samples.get(column.name, ())
        if known and self.random.random() < 0.6:
            return self.parameters(self.random.choice(known))
        return self.parameters(value_for(self.random, column.declared))

    def expression(self, scope: Scope, depth: int = 0) -> str:
        name, column = self.column(scope)
        if depth > 1 or self.random.random() < 0.55:
            return name
        inner = self.expression(scope, depth + 1)
        return self.random.choice((
            lambda: f"coalesce({name}, {inner})", lambda: f"{name} + 1", lambda: f"{name} || {inner}",
            lambda: f"length({name})", lambda: f"typeof({name})", lambda: f"abs({inner})",
            lambda: f"CASE WHEN {self.condition(scope, depth + 1)} THEN {name} ELSE {inner} END",
            lambda: f"CAST({name} AS {self.random.choice(('INTEGER', 'TEXT', 'REAL'))})",
            lambda: f"upper({name})", lambda: f"+{name}", lambda: f"-{name}", lambda: f"{name} IS {inner}",
            lambda: f"({name} COLLATE NOCASE)", lambda: f"quote({name})", lambda: f"substr({name}, 1, 2)",
            lambda: f"(SELECT count(*) FROM {self.correlated(scope)})",
            lambda: f"(SELECT max({self.unqualified()[0]}) FROM {self.last.sql})",
            lambda: f"({name}, {inner}) = ({self.constant(column)}, {inner})",
            lambda: f"iif({name} > {inner}, {name}, NULL)", lambda: f"nullif({name}, {inner})",
        ))()  # fmt: skip

    def unqualified(self) -> tuple[str, Column]:
        self.last = self.table()
        column = self.random.choice(self.last.columns)
        return column.sql, column

    def correlated(self, scope: Scope) -> str:
        """A FROM clause whose WHERE refers to `scope`."""
        alias, table = self.alias(), self.table()
        inner, outer = self.random.choice(table.columns), self.column(scope)[0]
        return f"{table.sql} AS {alias} WHERE {alias}.{inner.sql} = {outer}"

    def condition(self, scope: Scope, depth: int = 0) -> str:
        pick = self.random.random()
        if depth < 3 and pick < 0.28:
            one, two = self.condition(scope, depth + 1), self.condition(scope, depth + 1)
            return self.random.choice((f"{one} AND {two}", f"({one} OR {two})", f"NOT ({one})",
                                       f"{one} AND {two}"))  # fmt: skip
        name, column = self.column(scope)
        if depth < 2 and pick > 0.85:
            return self.subquery_condition(scope, name)
        constant = lambda: self.constant(column)  # noqa: E731
        other = lambda: self.expression(scope, 2)  # noqa: E731
        comparison = self.random.choice(("=", "=", "=", "==", "<", "<=", ">", ">=", "<>", "!=", "IS",
                                         "IS NOT", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"))  # fmt: skip
        return self.random.choice((
            lambda: f"{name} {comparison} {constant()}", lambda: f"{name} {comparison} {constant()}",
            lambda: f"{name} {comparison} {constant()}", lambda: f"{constant()} {comparison} {name}",
            lambda: f"{name} IN ({constant()}, {constant()}, {constant()})",
            lambda: f"{name} NOT IN ({constant()}, {constant()})",
            lambda: f"{name} {self.random.choice(('', 'NOT '))}BETWEEN {constant()} AND {constant()}",
            lambda: f"{name} {self.random.choice(('IS NULL', 'IS NOT NULL', 'ISNULL', 'NOTNULL'))}",
            lambda: f"{name} {self.random.choice(('LIKE', 'NOT LIKE'))} {self.parameters(self.random.choice(('a%', '%b', 'A%', '_', '1%', '', 'a_b')))}",
            lambda: f"{name} LIKE {self.parameters('a!%%')} ESCAPE '!'",
            lambda: f"{name} GLOB {self.parameters(self.random.choice(('a*', '*b*', '[ab]*', '?', 'A*', '1*')))}",
            lambda: f"{name} {comparison} {other()}", lambda: f"{other()} {comparison} {constant()}",
            lambda: f"{name} = {constant()} COLLATE {self.random.choice(('NOCASE', 'RTRIM', 'BINARY'))}",
            lambda: f"{name} COLLATE NOCASE IN ({constant()}, {constant()})", lambda: f"{name}",
            lambda: f"{name} % 2 = {self.parameters(self.random.choice((0, 1)))}",
            lambda: f"CAST({name} AS TEXT) = {constant()}", lambda: f"+{name} = {constant()}",
            lambda: f"{name} IS {self.random.choice(('TRUE', 'FALSE', 'NOT TRUE', 'NOT FALSE'))}",
            lambda: f"({name}, {self.column(scope)[0]}) {self.random.choice(PAIRED).format(constant(), constant())}",
            lambda: f"likely({name} = {constant()})", lambda: "1", lambda: f"{constant()} IS NOT NULL",
        ))()  # fmt: skip

    def subquery_condition(self, scope: Scope, name: str) -> str:
        negated = self.random.choice(("", "NOT "))
        plain, _ = self.unqualified()
        table = self.last
        where = (
            f" WHERE {self.condition([(table.sql, table)], 2)}" if table.database == "main" else ""
        )
        one_column = [t for t in self.model.tables if len(t.columns) == 1]
        choices = [
            f"{negated}EXISTS (SELECT 1 FROM {self.correlated(scope)})",
            f"{name} {negated}IN (SELECT {plain} FROM {table.sql}{where})",
            f"{name} = (SELECT max({plain}) FROM {table.sql}{where})",
            f"{name} > (SELECT avg({plain}) FROM {table.sql})",
        ]
        if one_column:
            choices.append(f"{name} {negated}IN {self.random.choice(one_column).sql}")
        return self.random.choice(choices)

    def source(self) -> tuple[str, Scope]:
        """A FROM clause of one table or a few joined."""
        table = self.table()
        alias = self.alias()
        text = f"{table.sql} {self.random.choice(('AS ', ''))}{alias}"
        scope = [(alias, table)]
        while self.random.random() < (0.38 if len(scope) == 1 else 0.15):
            table, alias = self.table(), self.alias()
            join = self.random.choice(("JOIN", "INNER JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN",
                                       "FULL JOIN", "CROSS JOIN", ",", "NATURAL JOIN", "NATURAL LEFT JOIN"))  # fmt: skip
            shared = [
                c for c in table.columns if any(c.name == o.name for o in scope[0][1].columns)
            ]
            if "NATURAL" in join:
                text += f" {join} {table.sql} AS {alias}"
            elif join == ",":
                text += f", {table.sql} AS {alias}"
            elif shared and len(scope) == 1 and self.random.random() < 0.2 and "CROSS" not in join:
                text += f" {join} {table.sql} AS {alias} USING ({shared[0].sql})"
            else:
                left = self.column(scope)[0]
                right = f"{alias}.{self.random.choice(table.columns).sql}"
                on = f"{left} = {right}"
                if self.random.random() < 0.25:
                    on += f" AND {self.condition([*scope, (alias, table)], 2)}"
                text += f" {join} {table.sql} AS {alias} ON {on}"
            scope.append((alias, table))
        return text, scope

    def where(self, scope: Scope, chance: float = 0.7) -> str:
        return f" WHERE {self.condition(scope)}" if self.random.random() < chance else ""

    def outputs(self, scope: Scope) -> list[str]:
        count = self.random.randint(1, 3)
        return [self.expression(scope, self.random.choice((0, 2))) for _ in range(count)]

    def order(self, outputs: list[str], scope: Scope) -> str:
        """ORDER BY that determines the rows, perhaps with a LIMIT."""
        terms = [
            self.expression(scope, 2) + self.random.choice(DIRECTIONS)
            for _ in range(self.random.randint(1, 2))
        ]
        if self.random.random() < 0.35:
            return f" ORDER BY {', '.join(terms)}"
        terms += [f"quote({output})" for output in outputs]
        limit = ""
        if self.random.random() < 0.7:
            limit = f" LIMIT {self.parameters(self.random.choice((1, 2, 3, 5, 50, -1, 0)))}"
            if self.random.random() < 0.4:
                limit += f" OFFSET {self.parameters(self.random.choice((0, 1, 2)))}"
        return f" ORDER BY {', '.join(terms)}{limit}"

    def plain(self) -> str:
        """A SELECT of one row source, which may stand in a compound or a CTE."""
        text, scope = self.source()
        outputs = self.outputs(scope)
        distinct = "DISTINCT " if self.random.random() < 0.15 else ""
        order = self.order(outputs, scope) if not distinct and self.random.random() < 0.45 else ""
        if len(scope) == 1 and not distinct and self.random.random() < 0.25:
            return f"SELECT {self.random.choice(('*', scope[0][0] + '.*'))} FROM {text}{self.where(scope)}"
        return f"SELECT {distinct}{', '.join(outputs)} FROM {text}{self.where(scope)}{order}"
