"""When the write-ahead log is written back into the file, and a word when a reader prevents it.

https://sqlite.org/wal.html#ckpt
"""

from __future__ import annotations

import logging

from reactive_sqlite.locks import locks_on, processes

logger = logging.getLogger("reactive_sqlite")

#: Pages in the log from which on each commit tries to write them back, as SQLite does by itself.
CHECKPOINT_PAGES = 1000
#: Pages from which on a log that cannot be written back is worth a warning.
WARN_PAGES = 10 * CHECKPOINT_PAGES


class Checkpoints:
    """The care of one connection for the logs of its databases."""

    def __init__(self) -> None:
        self._chosen: int | None = None
        self.pages = CHECKPOINT_PAGES
        """a log of so many is to be written back; never for 0 and less"""
        self._warned_at = WARN_PAGES

    def choose(self, pages: int) -> None:
        """From now on write back from so many pages on."""
        self._chosen = self.pages = pages

    def scale(self, times: int) -> None:
        """Commits write so many times what they are about, unless somebody chose a number."""
        if self._chosen is None:
            self.pages = times * CHECKPOINT_PAGES

    def made(self, path: str, log: int, written: int) -> None:
        """A checkpoint was made: of ``log`` pages so many are written back."""
        if log == written:
            self._warned_at = WARN_PAGES
        elif log >= self._warned_at:
            self._warned_at = 2 * log
            logger.warning(
                "the write-ahead log of %s has grown to %d pages: a read transaction keeps it from "
                "being written back. Process: %s",
                path,
                log,
                processes(locks_on(path).readers) or "unknown",
            )
