"""Numbered migrations: SQL files, applied in order, each in one transaction, and remembered."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.clock import now
from smithers_db.errors import MigrationError

_REMEMBERED = (
    "CREATE TABLE IF NOT EXISTS schema_migrations "
    "(id TEXT PRIMARY KEY NOT NULL, applied_at TEXT NOT NULL, checksum TEXT NOT NULL)"
)
_EXISTS = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'"


class Migration(msgspec.Struct, frozen=True):
    """One numbered SQL file; its id is the file's name without the suffix."""

    id: str
    sql: str
    checksum: str

    @property
    def number(self) -> int:
        """Its place in the order."""
        return int(self.id.partition("_")[0])


@lru_cache(maxsize=1)
def known() -> tuple[Migration, ...]:
    """The migrations of this version of the package, in order."""
    found = []
    for file in files(__name__).iterdir():
        if file.name.endswith(".sql"):
            sql = file.read_text(encoding="utf-8")
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            found.append(Migration(file.name.removesuffix(".sql"), sql, checksum))
    return tuple(sorted(found, key=lambda migration: migration.number))


def applied(db: ReactiveDatabase) -> dict[str, str]:
    """The ids of the migrations that a file remembers, and their checksums."""
    if not db.execute(_EXISTS).rows:
        return {}
    return dict(map(tuple, db.execute("SELECT id, checksum FROM schema_migrations").rows))


def pending(db: ReactiveDatabase) -> list[Migration]:
    """The migrations that a file still needs, in order.

    Raises:
        MigrationError: it remembers one that is unknown here, or was changed since, or that comes
            after one which is missing.
    """
    remembered = applied(db)
    migrations = known()
    newer = sorted(remembered.keys() - {migration.id for migration in migrations})
    if newer:
        raise MigrationError(
            f"the file was made by a newer version of smithers_db: it has {', '.join(newer)}; "
            "upgrade the package"
        )
    for migration in migrations:
        checksum = remembered.get(migration.id)
        if checksum is not None and checksum != migration.checksum:
            raise MigrationError(
                f"migration {migration.id} is not the one that this file was made with "
                f"(checksum {checksum[:12]}… then, {migration.checksum[:12]}… now); "
                "install the version of smithers_db that made it"
            )
    missing = [migration for migration in migrations if migration.id not in remembered]
    if missing and len(missing) + len(remembered) == len(migrations):
        first = missing[0].number
        after = [m.id for m in migrations if m.id in remembered and m.number > first]
        if after:
            raise MigrationError(f"the file has {after[0]} but not {missing[0].id} before it")
    return missing


def apply(db: ReactiveDatabase, migration: Migration) -> None:
    """Applies one migration and remembers it; for use inside a transaction."""
    db.execute(_REMEMBERED)
    db.executescript(migration.sql)
    db.execute(
        "INSERT INTO schema_migrations (id, applied_at, checksum) VALUES (?, ?, ?)",
        (migration.id, now(), migration.checksum),
    )


def migrate(db: ReactiveDatabase) -> list[str]:
    """Applies what is pending, each migration in its own transaction; returns the ids applied.

    Several processes may do this with one file at the same time: each looks again under the
    write lock.
    """
    done = []
    while pending(db):
        with db.transaction():
            missing = pending(db)
            if missing:
                apply(db, missing[0])
                done.append(missing[0].id)
    return done
