"""The watcher: one thread per process and database file that notices what others commit.

``PRAGMA data_version`` is the truth; a doorbell and the kernel's word that the file was written
only say when to look. Who does neither is caught by a look now and then.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextvars import Context
from typing import NamedTuple

from reactive_sqlite.driver.mutex import Lock
from reactive_sqlite.files.filesystem import Identity, why_lost
from reactive_sqlite.neighbours.doorbell import Doorbell, bells_of, sweep
from reactive_sqlite.neighbours.inotify import Inotify

logger = logging.getLogger("reactive_sqlite")

#: Seconds between two looks when the kernel tells of writes, and when it does not.
LOOK_WITH_HINTS = 0.25
LOOK_WITHOUT_HINTS = 0.02
#: A hint can come before the commit can be seen: look again after so many seconds.
LOOK_AGAIN = (0.001, 0.003, 0.008)


class Member(NamedTuple):
    """One database that wants to know. Both are called on the watcher's thread."""

    look: Callable[[], bool]
    """look whether another process has committed, and deliver what that changes; false when the
    database is in use just now, so that it could not look"""
    lost: Callable[[str], None]
    """the path names another file now, or none: why"""


class Watcher:
    """Watches one file for the databases of this process that have live queries on it."""

    def __init__(self, path: str, identity: Identity) -> None:
        self.path = path
        self.identity = identity
        self.members: tuple[Member, ...] = ()
        self.looks = 0
        """how often it has looked"""
        self._failed = ""
        """why the last look did, so that each look into a spoilt file is not logged"""
        self._stopping = False
        # All that it needs is opened here, where it can be refused: nobody would hear the thread.
        with contextlib.ExitStack() as opened:
            self._wake, self._woken = map(opened.enter_context, socket.socketpair())
            self._wake.setblocking(False)
            self._woken.setblocking(False)
            self._all_news = opened.enter_context(selectors.DefaultSelector())
            self._calls = opened.enter_context(selectors.DefaultSelector())
            self.bell = self._hang_bell()
            self.hints = self._watch_file()
            for source in (self.bell, self.hints):
                if source is not None:
                    opened.callback(source.close)
                    self._all_news.register(source, selectors.EVENT_READ)
            self._all_news.register(self._woken, selectors.EVENT_READ)
            self._calls.register(self._woken, selectors.EVENT_READ)
            if self.bell is not None:
                self._calls.register(self.bell, selectors.EVENT_READ)
            self._opened = opened.pop_all()
        # In a context of its own: a thread may begin with that of who has started it.
        self.thread = threading.Thread(
            target=Context().run,
            args=(self._run,),
            name=f"reactive-sqlite watcher of {path}",
            daemon=True,
        )

    def _hang_bell(self) -> Doorbell | None:
        directory = bells_of(*self.identity)
        try:
            return None if directory is None else Doorbell(directory)
        except OSError as error:
            logger.debug("no doorbell for %s: %s", self.path, error)
            return None

    def _watch_file(self) -> Inotify | None:
        try:
            return Inotify(self.path, self.path + "-wal")
        except OSError as error:
            logger.debug("no inotify for %s: %s", self.path, error)
            return None

    def wake(self) -> None:
        """Look now. From any thread."""
        with contextlib.suppress(OSError):  # full: it is awake; closed: it has stopped
            self._wake.send(b"!")

    def stop(self) -> None:
        """End the thread, soon. From any thread."""
        self._stopping = True
        self.wake()

    def close(self) -> None:
        """Close all that it watches with. By its thread, or where that does not run."""
        self._opened.close()

    # -- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            sweep()
            self._watch()
        finally:
            self.close()

    def _watch(self) -> None:
        """Wait and look, until stopped.

        After a hint, hints wake nobody for a moment: they may tell of this process's own writes,
        and be many. What they tell of is seen by the looks that follow anyway.
        """
        again: list[float] = []
        checked = 0.0
        while True:
            if again:
                self._calls.select(again.pop())
            else:
                hints = self.hints is not None and self.hints.complete
                self._all_news.select(LOOK_WITH_HINTS if hints else LOOK_WITHOUT_HINTS)
            hinted = self._drain()
            if self._stopping:
                return
            if hinted and not again:
                again = list(reversed(LOOK_AGAIN))
            if not self._look():
                again.append(0.0)
            if time.monotonic() - checked > LOOK_WITH_HINTS:
                self._check_file()
                checked = time.monotonic()

    def _drain(self) -> bool:
        """Take what woke the thread; whether a hint was among it."""
        if self.bell is not None:
            self.bell.drain()
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(64):
                pass
        return False if self.hints is None else self.hints.drain()

    def _look(self) -> bool:
        """Have all members look; whether all could."""
        self.looks += 1
        looked, failed = True, ""
        for member in self.members:
            try:
                looked &= member.look()
            except Exception as error:
                # The watcher serves all databases of the file, and nobody would start another one.
                failed += repr(error)
                level = logging.DEBUG if self._failed.startswith(failed) else logging.ERROR
                message = "could not look for other processes' commits to %s"
                logger.log(level, message, self.path, exc_info=error)
        if looked or failed:
            self._failed = failed
        return looked

    def _check_file(self) -> None:
        """Notice when the path names another file now, or none."""
        if self.hints is not None:
            self.hints.watch_again()
        why = why_lost(self.path, self.identity) if self.members else None
        if why is not None:
            logger.error("%s; its live queries show the file of before", why)
            with _lock:
                members, self.members = self.members, ()
            for member in members:
                member.lost(why)


_lock = Lock()
_watchers: dict[Identity, Watcher] = {}


@atexit.register
def _stop_all() -> None:
    """At the end of the process: take the bells down, which nobody answers any more."""
    with _lock:
        watchers = list(_watchers.values())
    for watcher in watchers:
        watcher.stop()
        watcher.thread.join(timeout=1)


def _start_anew() -> None:
    """In a child made by fork: the parent's watchers have no threads here, and need nothing.

    A bell that the child kept would be answered, by nobody, after the parent was killed.
    """
    for watcher in _watchers.values():
        watcher.close()
    _watchers.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_start_anew
    )


def join(path: str, identity: Identity, member: Member) -> Watcher:
    """Have the file watched for this member, by the process's one watcher of the file.

    ``identity`` is that of the file which the member has open, whatever the path names by now.
    Raises OSError where there are no descriptors left for it, RuntimeError for no threads.
    """
    with _lock:
        watcher = _watchers.get(identity)
        if watcher is None:
            watcher = Watcher(path, identity)
            watcher.members = (member,)
            try:
                watcher.thread.start()
            except RuntimeError as error:
                if isinstance(error.__context__, KeyboardInterrupt):  # while `start` waited
                    watcher.stop()
                    raise error.__context__ from None
                watcher.close()
                raise
            except BaseException:  # Ctrl-C: with or without a thread
                watcher.stop()
                raise
            _watchers[identity] = watcher
        else:
            watcher.members = (*watcher.members, member)
        return watcher


def leave(watcher: Watcher, member: Member) -> None:
    """The member wants to know no more; with the last one the thread ends."""
    with _lock:
        watcher.members = tuple(kept for kept in watcher.members if kept is not member)
        if not watcher.members:
            if _watchers.get(watcher.identity) is watcher:
                del _watchers[watcher.identity]
            watcher.stop()
