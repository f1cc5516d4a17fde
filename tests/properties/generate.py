"""The generator: one random operation at a time, written for the database as it is now."""

# ruff: noqa: E501 - one form of SQL per line is easier to read than broken forms

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

import apsw

from . import model as models
from . import schemas, shapes, writes
from .model import Model
from .oracle import Engine
from .program import Op
from .values import Parameters

SAMPLES = 12


class Generator:
    """Draws operations from `random` for the database that `engine` shows.

    With `keys_only` all live queries are by key: of rows that none of them names, the database
    need not look at the images.
    """

    def __init__(self, engine: Engine, *, keys_only: bool = False) -> None:
        self.engine = engine
        self.keys_only = keys_only
        self._known: tuple[Any, Model] | None = None

    @property
    def model(self) -> Model:
        """The schema now; read anew only when one of the databases has changed its schema."""
        databases = [row[1] for row in self.engine.execute("PRAGMA database_list")]
        state = tuple(
            (d, *self.engine.execute(f"PRAGMA {d}.schema_version").fetchall()) for d in databases
        )
        if self._known is None or self._known[0] != state:
            self._known = (state, models.load(self.engine))
        return self._known[1]

    def samples(self, random: Random, model: Model) -> dict[str, list[Any]]:
        """A few values that columns hold now, so that conditions hit."""
        found: dict[str, list[Any]] = {}
        for table in random.sample(model.plain, min(3, len(model.plain))):
            try:
                rows = self.engine.run(f"SELECT * FROM {table.sql} LIMIT {SAMPLES}")
            except apsw.Error:
                continue
            for position, column in enumerate(table.columns):
                if rows and position < len(rows[0]):
                    found.setdefault(column.name, []).extend(row[position] for row in rows)
            if len(rows) == SAMPLES:
                found["#" + table.name] = [len(rows)]
        return found

    def opening(self, random: Random) -> Iterator[Op]:
        """The operations that make a schema and a little content; run each before the next."""
        names = random.sample(schemas.TABLE_NAMES, random.randint(2, 4))
        parents: list[str] = []
        for name in names:
            made = schemas.table(random, name, parents)
            yield from (Op("execute", sql) for sql in made)
            if " PRIMARY KEY" in made[0] and "DESC" not in made[0] and "(id " in made[0]:
                parents.append(name)
        if random.random() < 0.3:
            for sql in schemas.full_text(random, self.model):
                yield Op("execute", sql)
            if random.random() < 0.4:
                yield Op("execute", schemas.vocabulary())
        if random.random() < 0.15:
            yield from (Op("execute", sql) for sql in schemas.rtree())
        for _ in range(random.randint(0, 3)):
            yield Op("execute", schemas.view(random, self.model))
        for _ in range(random.randint(0, 3)):
            yield Op("execute", schemas.trigger(random, self.model))
        for table in self.model.plain:
            for _ in range(2):
                writer = writes.WriteWriter(random, self.model, self.samples(random, self.model))
                yield Op("execute", *writer.parameters.render(writer.fill(table)))
        for _ in range(random.randint(1, 4)):
            yield self.write(random)
        for _ in range(random.randint(2, 6)):
            yield self.query(random)

    def query(self, random: Random) -> Op:
        """A live query that works now (one in thirty may not)."""
        model = self.model
        for attempt in itertools.count():
            samples = self.samples(random, model)
            shape = shapes.point if self.keys_only else None
            sql, params = shapes.query(random, model, samples, shape)
            if attempt < 12 and not (attempt == 0 and random.random() < 0.03):
                try:
                    self.engine.run(sql, params)
                except (apsw.Error, OverflowError):
                    continue
            kind = random.choices(("watch", "one", "value", "observe"), (80, 7, 9, 4))[0]
            return Op(kind, sql, params)
        raise AssertionError("unreachable")

    def write(self, random: Random) -> Op:
        """A statement that writes rows."""
        model = self.model
        if not model.plain:
            return Op("execute", schemas.table(random, "t", [])[0])
        writer = writes.WriteWriter(random, model, self.samples(random, model))
        pick = random.random()
        if pick < 0.07:
            return writes.many(writer)
        if pick < 0.13:
            writer.parameters = Parameters(random, style="")
            return Op("script", ";\n".join(writer.dml() for _ in range(random.randint(2, 4))))
        if pick < 0.2:
            writer.parameters = Parameters(random, style="")
            sql = writer.dml()
            return Op("execute", sql)
        return Op("execute", *writer.parameters.render(writer.dml()))

    def next(self, random: Random) -> Op:
        """Any operation."""
        pick = random.random()
        model = self.model
        if pick < 0.62 or not model.plain:
            return self.write(random)
        writer = writes.WriteWriter(random, model, {})
        writer.parameters = Parameters(random, style="")
        if pick < 0.70:
            return Op(random.choice(("begin", "begin", "end", "end", "raise")))
        if pick < 0.77:
            return Op("execute", random.choice(TRANSACTION_TEXT))
        if pick < 0.84:
            return Op("execute", writer.ddl())
        if pick < 0.87:
            return Op("execute", writer.upkeep())
        if pick < 0.88:
            body = [writer.dml() for _ in range(random.randint(1, 3))]
            return Op("script", ";\n".join(random.choice(SCRIPTS)(body)))
        if pick < 0.91 and not self.engine.in_transaction:
            return Op("foreign", writer.dml())
        if pick < 0.97:
            return self.query(random)
        if pick < 0.985:
            return Op("unwatch", params=(random.randrange(8),))
        return Op("get", params=(random.randrange(8),))


TRANSACTION_TEXT = (
    "BEGIN", "BEGIN IMMEDIATE", "begin exclusive transaction", "COMMIT", "COMMIT", "END TRANSACTION", "ROLLBACK",
    "SAVEPOINT s", 'SAVEPOINT "S 2"', "RELEASE s", "RELEASE SAVEPOINT s", "ROLLBACK TO s",
    "ROLLBACK TRANSACTION TO SAVEPOINT s", 'rollback to "S 2"', 'RELEASE "s 2"', "COMMIT", "RELEASE s",
)  # fmt: skip

SCRIPTS = (
    lambda body: ["BEGIN", *body, "COMMIT"],
    lambda body: ["BEGIN", *body, "ROLLBACK"],
    lambda body: ["SAVEPOINT z", *body, "ROLLBACK TO z", *body, "RELEASE z"],
    lambda body: [*body, "SELECT * FROM no_such_table", *body],
    lambda body: ["BEGIN", *body, "INSERT INTO no_such_table VALUES (1)", "COMMIT"],
    lambda body: ["-- a comment; with a semicolon\n" + body[0], "/* ; */", *body[1:], ""],
)
