"""A copy of a file before it is converted."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from reactive_sqlite import ReactiveDatabase
from smithers_db.clock import now
from smithers_db.owner import process_started

_PART = ".part"  # the suffix of a backup that is being made


def backup(db: ReactiveDatabase) -> Path:
    """A copy of the file beside it, as it was; it has its name once it is whole."""
    (file,) = (row[2] for row in db.execute("PRAGMA database_list").rows if row[1] == "main")
    stamp = now().replace(":", "").replace("-", "").replace(".", "")
    copy = Path(f"{file}.{stamp}-{os.getpid()}.backup")
    _remove_parts(Path(file))
    part = copy.with_suffix(_PART)
    try:
        db.execute("VACUUM INTO ?", (str(part),))
        os.replace(part, copy)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return copy


def _remove_parts(file: Path) -> None:
    """Removes what processes that died while making a backup of this file have left."""
    for part in file.parent.glob(f"{glob.escape(file.name)}.*{_PART}"):
        maker = part.name.removesuffix(_PART).rpartition("-")[2]
        if maker.isdigit() and process_started(int(maker)) is None:
            part.unlink(missing_ok=True)
            Path(f"{part}-journal").unlink(missing_ok=True)
