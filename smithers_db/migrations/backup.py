"""A copy of a file before it is converted."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reactive_sqlite import ReactiveDatabase
from smithers_db.clock import now
from smithers_db.errors import MigrationError
from smithers_db.file import path_of
from smithers_db.owner import process_started

_PART = ".part"  # the suffix of a backup that is being made
_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite keeps beside a file


@contextmanager
def passing_copy(db: ReactiveDatabase) -> Iterator[Path]:
    """A copy of the file beside it, as it was; removed at the end unless it has been renamed.

    Raises:
        MigrationError: there is no room for it, or nothing can be written there.
    """
    file = path_of(db)
    stamp = now().replace(":", "").replace("-", "").replace(".", "")
    _remove_parts(Path(file))
    part = Path(f"{file}.{stamp}-{os.getpid()}{_PART}")
    try:
        try:
            db.execute("VACUUM INTO ?", (str(part),))
        except Exception as error:
            raise MigrationError(
                f"no copy of the file can be made beside it, which comes first: {error}"
            ) from error
        yield part
    finally:
        for suffix in ("", *_BESIDE):
            Path(f"{part}{suffix}").unlink(missing_ok=True)


def copy_again(db: ReactiveDatabase, part: Path) -> None:
    """Makes a copy anew inside a transaction of this database, in which nobody else can write."""
    part.unlink()
    # By another connection: VACUUM is no part of a transaction.
    with ReactiveDatabase(path_of(db), readonly=True) as reading:
        reading.execute("VACUUM INTO ?", (str(part),))


def _remove_parts(file: Path) -> None:
    """Removes what processes that died while making a backup of this file have left."""
    for part in file.parent.glob(f"{glob.escape(file.name)}.*{_PART}"):
        maker = part.name.removesuffix(_PART).rpartition("-")[2]
        if maker.isdigit() and process_started(int(maker)) is None:
            for suffix in ("", *_BESIDE):
                Path(f"{part}{suffix}").unlink(missing_ok=True)
