"""When the write-ahead log is written back into the file, and a word when a reader prevents it.

https://sqlite.org/wal.html#ckpt
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from reactive_sqlite.files.locks import LockWait, locks_on, processes

logger = logging.getLogger("reactive_sqlite")

#: Pages in the log from which on each commit tries to write them back, as SQLite does by itself.
CHECKPOINT_PAGES = 1000
#: Pages from which on a log that cannot be written back is worth waiting, or else a warning.
WARN_PAGES = 10 * CHECKPOINT_PAGES
#: Bytes of the log that are kept when it begins from its start. No whole number of frames, whatever
#: the size of a page: so it shows that the rest was cut off (`wal._Log.whole_frames`).
KEPT_BYTES = 1 << 24
#: Seconds to wait then for those who read.
PATIENCE = 0.2
_PASSIVE, _RESTART = 0, 2  # https://sqlite.org/c3ref/c_checkpoint_full.html


class Checkpoints:
    """The care of one connection for the logs of its databases.

    ``checkpoint`` makes one, and gives the pages in the log and those written back; ``set_wait``
    sets what waits for a lock, which is ``wait`` usually.
    """

    def __init__(
        self,
        checkpoint: Callable[[str, int], tuple[int, int]],
        set_wait: Callable[[LockWait], None],
        wait: LockWait,
    ) -> None:
        self._checkpoint = checkpoint
        self._set_wait = set_wait
        self.wait_by(wait)
        self._chosen: int | None = None
        self.pages = CHECKPOINT_PAGES
        """a log of so many is to be written back; never for 0 and less"""
        self._warned_at = WARN_PAGES

    def choose(self, pages: int) -> None:
        """From now on write back from so many pages on."""
        self._chosen = self.pages = pages

    def wait_by(self, wait: LockWait) -> None:
        """From now on wait like this for a lock."""
        self.wait = wait
        self._set_wait(wait)

    def scale(self, times: int) -> None:
        """Commits write so many times what they are about, unless somebody chose a number."""
        if self._chosen is None:
            self.pages = times * CHECKPOINT_PAGES

    def make(self, database: str, path: str) -> None:
        """Write the log of a database back. Raises SQLite's error when that cannot be now."""
        log, written = self._checkpoint(database, _PASSIVE)
        if log < WARN_PAGES:
            self._warned_at = WARN_PAGES
        elif log >= self._warned_at:
            self._warned_at = 2 * log
            self._restart(database, path, log, all_written=log == written)

    def _restart(self, database: str, path: str, log: int, *, all_written: bool) -> None:
        """Have the log begin from its start again: wait for those who read it.

        Where there is always somebody who reads a state of before, however shortly, the log is
        never done with unless writers wait once.
        https://sqlite.org/wal.html#avoiding_excessively_large_wal_files
        """
        done = all_written
        self._set_wait(LockWait(PATIENCE))
        try:
            self._checkpoint(database, _RESTART)
            done = True
        finally:
            self._set_wait(self.wait)
            if not done:
                logger.warning(
                    "the write-ahead log of %s has grown to %d pages: a read transaction keeps it "
                    "from being written back. Process: %s",
                    path,
                    log,
                    processes(locks_on(path).readers) or "unknown",
                )
