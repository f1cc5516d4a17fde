"""Numbered migrations: SQL files, applied in order, all or nothing, and remembered."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.clock import now
from smithers_db.errors import MigrationError
from smithers_db.file import make_incremental, number
from smithers_db.migrations import original
from smithers_db.migrations.backup import copy_again, passing_copy
from smithers_db.migrations.conversion import Conversion
from smithers_db.progress import Progress, silent

_REMEMBERED = (
    "CREATE TABLE IF NOT EXISTS schema_migrations "
    "(id TEXT PRIMARY KEY NOT NULL, applied_at TEXT NOT NULL, checksum TEXT NOT NULL)"
)
_TABLE = "schema_migrations"
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
    if not {"id", "checksum"} <= {column.name for column in original.columns_of(db, _TABLE)}:
        raise MigrationError(f"the file has a table {_TABLE!r} of another program")
    return dict(map(tuple, db.execute("SELECT id, checksum FROM schema_migrations").rows))


def pending(db: ReactiveDatabase) -> list[Migration]:
    """The migrations that a file still needs, in order.

    Raises:
        MigrationError: it remembers one that is unknown here, or was changed since, or that comes
            after one which is missing; or it remembers none, and holds the tables of something
            else.
    """
    remembered = applied(db)
    if not remembered and original.tables(db) and not original.is_original(db):
        names = ", ".join(sorted(original.tables(db))[:5])
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
    """What a migration did: migrations applied, and of a conversion its backup and its notes.

    ``dangling`` are references to no row, which another program must have left in the file: they
    keep it from nothing, and the doctor says which they are.
    """

    applied: list[str]
    backup: str | None = None
    notes: int = 0
    dangling: int = 0


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
    if missing and not applied(db) and original.tables(db):
        return _convert(db, progress)
    dangling = 0
    if missing:
        with db.transaction():
            missing = pending(db)  # another process may have been faster
            apply(db, missing)
        dangling = len(db.execute("PRAGMA foreign_key_check").rows)
    return Report([migration.id for migration in missing], dangling=dangling)


def check(path: str | os.PathLike[str], progress: Progress = silent) -> None:
    """Finds out whether a file can be brought to this version's schema, and leaves it alone.

    To open a file for writing may already change it: a file of the original that has no
    write-ahead log gets one. So that one is converted as a copy first.

    Raises:
        MigrationError: as `migrate` does.
    """
    file = Path(path)
    if not file.is_file() or not file.stat().st_size:
        return
    if Path(f"{file}-journal").exists():  # of a writer that died: only a writer can roll it back
        return
    with ReactiveDatabase(file, readonly=True) as db:
        if db.execute("PRAGMA journal_mode").rows[0][0] == "wal":
            return  # a rollback of `migrate` leaves no trace in it
        if not pending(db) or applied(db) or not original.tables(db):
            return
        original.check(db, _names())
        progress(0, 1, "trial")
        with passing_copy(db) as copy, ReactiveDatabase(copy) as tried, tried.transaction():
            if not applied(tried):  # else another process was faster
                _converted(tried, silent)


def migrate_file(file: Path, *, progress: Progress = silent) -> Report:
    """Migrates the database in a file, and prepares it for incremental vacuum.

    ``progress`` is called with what is done, how much there is, and what is next.
    """
    check(file, progress)
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
    before = db.execute("PRAGMA data_version").rows
    if applied(db):  # another process was faster
        return migrate(db)
    original.check(db, _names())
    progress(0, 1, "backup")
    with passing_copy(db) as part:
        copy = part.with_suffix(".backup")
        try:
            with db.transaction():
                done = None
                if not applied(db):
                    if db.execute("PRAGMA data_version").rows != before:
                        copy_again(db, part)  # written to since: it was not the last state
                    done = _converted(db, progress)
                    # Last of all: a process that is killed before leaves no backup, however often.
                    os.replace(part, copy)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
    if done is None:  # another process was faster
        return migrate(db)
    return Report(done, str(copy), number(db, "SELECT count(*) FROM conversion_notes"))


def _converted(db: ReactiveDatabase, progress: Progress) -> list[str]:
    try:
        return _convert_now(db, progress)
    except MigrationError:
        raise
    except Exception as error:
        raise MigrationError(
            f"the file cannot be converted, and is left as it was: {error}"
        ) from error


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """The names of all tables and indexes of this version's schema, in lower case."""
    with ReactiveDatabase() as new:
        apply(new, known())
        rows = new.execute("SELECT lower(name) FROM sqlite_schema").rows
    return frozenset(row[0] for row in rows)


def _convert_now(db: ReactiveDatabase, progress: Progress) -> list[str]:
    tables, *others = known()
    converting = Conversion(db)
    converting.set_aside(_names())
    db.execute(_REMEMBERED)
    db.executescript(tables.sql)
    converting.carry_over(progress)
    for migration in others:
        db.executescript(migration.sql)
    remember(db, known())
    converting.check()
    return [migration.id for migration in known()]
