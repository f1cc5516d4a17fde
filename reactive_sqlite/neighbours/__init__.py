"""Other processes with the same file open: hearing of their commits, and telling them of ours.

`Neighbours` is what one database has to do with it. A file is watched from its first live query
on until the last one is gone; a program without live queries pays nothing for it.
"""

from __future__ import annotations

import logging
import threading
from time import monotonic

from reactive_sqlite.driver.errors import SPOILT, BusyError
from reactive_sqlite.driver.mutex import Lock
from reactive_sqlite.engine.engine import Engine
from reactive_sqlite.errors import ReactiveSqliteError
from reactive_sqlite.files.filesystem import Identity, identity_of
from reactive_sqlite.liveness.publisher import Publisher
from reactive_sqlite.neighbours.doorbell import Doorbells, bells_of
from reactive_sqlite.neighbours.watcher import Member, Watcher, join, leave

logger = logging.getLogger("reactive_sqlite")

#: Seconds for which the watcher waits for a connection in use before it tries again.
PATIENCE = 0.05
#: Seconds after which it is tried again to watch a file that could not be watched.
TRY_AGAIN = 0.5


class Neighbours:
    """The other databases that have one file open, here and in other processes.

    Watches the file while the publisher has an audience; what is found is delivered on the
    watcher's thread.
    """

    def __init__(self, engine: Engine, publisher: Publisher) -> None:
        self._engine = engine
        self._publisher = publisher
        assert engine.identity is not None
        self._path, self._identity = engine.filename, engine.identity
        self._member = Member(self._glance, self._lost)
        self._bells = Doorbells(bells_of(*self._identity))
        if engine.journal is not None:
            engine.journal.audience = self._has_audience
        self._lock = Lock()
        self._watcher: Watcher | None = None
        self._beside = Member(self._glance, self._lost)
        """of attached files; not the same, as the file itself may be attached too"""
        self._attached: dict[str, Watcher] = {}
        """of the files that are attached, by their paths"""
        self._deaf = False
        """there are live queries, but the file could not be watched so far"""
        self._tries_again = False
        self._closed = False

    def watch(self) -> None:
        """Watch the file, or do not, as there are live queries or none."""
        with self._lock:
            wanted = self._publisher.has_audience and not self._closed
            watcher = self._watcher
            if wanted and watcher is None:
                watcher = self._watcher = self._join(self._path, self._identity, self._member)
                if watcher is None:
                    self._deaf = True
                    return
                self._bells.own = None if watcher.bell is None else watcher.bell.name
                if self._deaf:
                    self._deaf = False
                    watcher.wake()  # there are values: what was committed until now is news
                else:
                    self._start_here()
                self._bells.forget()
            elif not wanted:
                self._deaf = False
                if watcher is not None:
                    leave(watcher, self._member)
                    self._watcher = self._bells.own = None
                    self._bells.forget()
            attached = self._engine.attached if wanted else frozenset()
            if attached != self._attached.keys():
                self._watch_attached(attached)

    def _watch_attached(self, paths: frozenset[str]) -> None:
        for path in self._attached.keys() - paths:
            leave(self._attached.pop(path), self._beside)
        for path in paths - self._attached.keys():
            watcher = self._join(path, None, self._beside)
            if watcher is not None:
                self._attached[path] = watcher

    def _join(self, path: str, identity: Identity | None, member: Member) -> Watcher | None:
        """The watcher of a file; None where there can be none now, which is tried again."""
        try:
            return join(path, identity or identity_of(path), member)
        except (OSError, RuntimeError) as error:  # no descriptors, no threads left
            level = logging.DEBUG if self._tries_again else logging.ERROR
            logger.log(level, "%s cannot be watched for other processes: %s", path, error)
        self._tries_again = self._tries_again or self._try_soon()
        return None

    def _try_soon(self) -> bool:
        try:
            self._publisher.timer.at(monotonic() + TRY_AGAIN, self._try_again)
        except RuntimeError as error:  # the next one who subscribes will try
            logger.debug("no thread to try again: %s", error)
            return False
        return True

    def _try_again(self) -> None:
        self.watch()
        with self._lock:
            wanted = self._publisher.has_audience and not self._closed
            watched = self._watcher is not None and self._engine.attached == self._attached.keys()
            self._tries_again = wanted and not watched and self._try_soon()

    def _start_here(self) -> None:
        """Nobody has a value yet, so that what was committed until now is no news."""
        lock = self._engine.lock
        if lock.try_acquire():
            try:
                if not (lock.closed or lock.refreshing or lock.transaction):
                    self._engine.reads.start()
            except BusyError:
                pass  # the first look will find more than there is
            finally:
                lock.release()

    # -- looking --------------------------------------------------------------------------------

    def look(self) -> bool:
        """Look now whether somebody else has committed, and deliver what that changes.

        True if so. Waits for the writing connection; inside a transaction there is nothing to
        see.
        """
        try:
            with self._engine.lock:
                return not self._engine.lock.in_own_transaction and self._refresh()
        finally:
            self._publisher.deliver()

    def _glance(self) -> bool:
        """`look` for the watcher, which must not wait for long: whether it could look."""
        lock = self._engine.lock
        if not lock.try_acquire(PATIENCE):
            return False
        try:
            if not lock.closed and lock.transaction is None:
                self._refresh()
        except BusyError:
            return False
        finally:
            lock.release()
            self._publisher.deliver()
        return True

    def _refresh(self) -> bool:
        """Under the lock."""
        reads, writes = self._engine.reads, self._engine.writes
        # A first value that is read beside this may be newer than the state that is looked at.
        writes.begun += 1
        try:
            # Nothing is refreshed unless others have committed, and then all in that snapshot.
            found = reads.begin_refresh(several=False)
            try:
                if found is not None:
                    self._publisher.refresh(found)
            except BaseException:  # Ctrl-C too: what was read may not have been refreshed
                reads.look_again()
                raise
            finally:
                try:
                    reads.end_refresh()
                except BaseException:  # Ctrl-C: nobody could write any more
                    reads.end_refresh()
                    raise
        except SPOILT as error:
            self._publisher.unable(error)
            reads.read_anew()
            raise
        finally:
            writes.done = writes.begun
        return found is not None

    def _lost(self, why: str) -> None:
        self._publisher.fail(ReactiveSqliteError(why))

    # -- being heard ----------------------------------------------------------------------------

    def _has_audience(self) -> bool:
        """Whether somebody else watches the file, as of a few milliseconds ago."""
        watcher = self._watcher
        return bool(self._bells.names()) or (watcher is not None and len(watcher.members) > 1)

    def ring(self) -> None:
        """Tell everybody who watches the file that there is something to see."""
        self._bells.ring()
        watcher = self._watcher
        if watcher is not None and len(watcher.members) > 1:
            watcher.wake()

    def close(self) -> None:
        """Watch no more; when it returns, no look is under way that this one asked for."""
        with self._lock:
            self._closed = True
            watchers = (self._watcher, *self._attached.values())
        self.watch()
        for watcher in watchers:
            if watcher is None or watcher.members:
                continue
            if watcher.thread is not threading.current_thread():
                watcher.thread.join(timeout=5)

    def reopen(self) -> None:
        """The database could not be closed: watch again, and hear of what was missed meanwhile."""
        with self._lock:
            self._closed = False
            self._deaf = self._watcher is None
        self.watch()

    def fall_silent(self) -> None:
        """Ring no more: no commit can be made any more."""
        self._bells.close()
