"""Numbered migrations: SQL files, applied in order, all or nothing, and remembered."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.clock import now
from smithers_db.errors import MigrationError
from smithers_db.migrations import conversion
from smithers_db.migrations.backup import backup
from smithers_db.progress import Progress, silent
from smithers_db.vacuum import make_incremental

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
            after one which is missing; or it remembers none, and holds the tables of something
            else.
    """
    remembered = applied(db)
    if not remembered and conversion.tables(db) and not conversion.is_original(db):
        names = ", ".join(sorted(conversion.tables(db))[:5])
        raise MigrationError(f"this is no Smithers database: it holds {names}, …")
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


def apply(db: ReactiveDatabase, migrations: Sequence[Migration]) -> None:
    """Applies migrations and remembers them; for use inside a transaction."""
    db.execute(_REMEMBERED)
    for migration in migrations:
        db.executescript(migration.sql)
    remember(db, migrations)


def remember(db: ReactiveDatabase, migrations: Sequence[Migration]) -> None:
    """Writes down that migrations are applied."""
    moment = now()
    db.executemany(
        "INSERT INTO schema_migrations (id, applied_at, checksum) VALUES (?, ?, ?)",
        [(migration.id, moment, migration.checksum) for migration in migrations],
    )


class Report(msgspec.Struct, frozen=True):
    """What a migration did: migrations applied, and of a conversion its backup and its notes."""

    applied: list[str]
    backup: str | None = None
    notes: int = 0


def migrate(db: ReactiveDatabase, progress: Progress = silent) -> Report:
    """Brings a file to this version's schema, whatever it is.

    What is pending is applied in one transaction, all or nothing; a file of the original is backed
    up and converted in one. Several processes may do this with one file at the same time: each
    looks again under the write lock.

    Raises:
        MigrationError: the file is newer, was made by a changed migration, or holds the tables of
            something else. It is left as it was.
    """
    missing = pending(db)
    if missing and not applied(db) and conversion.tables(db):
        return _convert(db, progress)
    if missing:
        with db.transaction():
            missing = pending(db)  # another process may have been faster
            apply(db, missing)
    return Report([migration.id for migration in missing])


def migrate_file(file: Path, *, progress: Progress = silent) -> Report:
    """Migrates the database in a file, and prepares it for incremental vacuum.

    ``progress`` is called with what is done, how much there is, and what is next.
    """
    with ReactiveDatabase(file) as db:
        report = migrate(db, progress)
        make_incremental(db)
    return report


def rehearse(file: Path, *, progress: Progress = silent) -> Report:
    """What `migrate_file` would do, tried on a copy; the file itself is not touched."""
    with tempfile.TemporaryDirectory(prefix="smithers-rehearsal-") as folder:
        copy = Path(folder) / file.name
        with ReactiveDatabase(file, readonly=True) as db:
            db.execute("VACUUM INTO ?", (str(copy),))
        return migrate_file(copy, progress=progress)


def _convert(db: ReactiveDatabase, progress: Progress) -> Report:
    while True:
        before = db.execute("PRAGMA data_version").rows
        if applied(db):  # another process was faster
            return migrate(db)
        progress(0, 1, "backup")
        copy = backup(db)
        try:
            with db.transaction():
                if applied(db) or db.execute("PRAGMA data_version").rows != before:
                    copy.unlink()  # written to since: the backup is not the last state
                    continue
                done = _convert_now(db, progress)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
        notes = int(db.execute("SELECT count(*) FROM conversion_notes").rows[0][0])
        return Report(done, str(copy), notes)


def _convert_now(db: ReactiveDatabase, progress: Progress) -> list[str]:
    tables, *others = known()
    converting = conversion.Conversion(db)
    converting.set_aside()
    db.execute(_REMEMBERED)
    db.executescript(tables.sql)
    converting.carry_over(progress)
    for migration in others:
        db.executescript(migration.sql)
    remember(db, known())
    converting.check()
    return [migration.id for migration in known()]
