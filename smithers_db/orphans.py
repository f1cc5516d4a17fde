"""Output files that no row names: what a crash or an undone transaction left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from reactive_sqlite import ReactiveDatabase
from smithers_db.outputs import Outputs, size_of

#: A staged file of a live writer is younger than this, in seconds.
STAGED_FOR = 3600.0


def is_forsaken(staged: Path) -> bool:
    """Whether the writer of a staged file must have died over it."""
    try:
        return time.time() - staged.stat().st_mtime >= STAGED_FOR
    except FileNotFoundError:  # it has got its name meanwhile
        return False


def sweep_unnamed(db: ReactiveDatabase, outputs: Outputs, *, dry_run: bool) -> int:
    """Removes the files of calls that name none, and forsaken ones; returns their bytes.

    A file of which no row knows anything stays: it may be a neighbour's, or of a younger copy of
    this database. The doctor judges those.
    """
    # The files before the rows: else one could get its row in between.
    files = list(outputs.files())
    named = {
        row[0] for row in db.execute("SELECT id FROM tool_calls WHERE output_path IS NOT NULL").rows
    }
    suspects = [file for file in files if file.stem not in named]
    if not suspects:
        return 0
    # Under the write lock nobody can be between placing a file and committing its row.
    with db.transaction():
        found = list(_unnamed(db, suspects))
        room = sum(map(size_of, found))
        if not dry_run:
            for file in found:
                file.unlink(missing_ok=True)
    return room


def _unnamed(db: ReactiveDatabase, suspects: list[Path]) -> Iterator[Path]:
    for file in suspects:
        rows = db.execute("SELECT output_path FROM tool_calls WHERE id = ?", (file.stem,)).rows
        if is_forsaken(file) if file.suffix == ".tmp" else rows and rows[0][0] is None:
            yield file
