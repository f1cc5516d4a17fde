"""The doorbell: whoever commits sends a datagram to each process that watches the same file.

It makes news fast and carries none: a bell that rings for nothing, or one that nobody hears, does
no harm. `reactive_sqlite.neighbours.watcher` looks by itself now and then.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import socket
import stat
import time
from time import monotonic
from weakref import finalize

logger = logging.getLogger("reactive_sqlite")

#: Seconds for which the list of bells is taken as it was. Who comes later than that looks first.
LIST_FOR = 0.005
#: A directory that changed so lately may change again without its time being another one.
_SETTLED = 0.05
#: The longest path of a UNIX socket, less a little: https://man7.org/linux/man-pages/man7/unix.7.html
_LONGEST = 100


def runtime_directory() -> str | None:
    """The directory of this user's bells; None where there can be none.

    It belongs to the user alone: nobody else can put a socket into it or wait at one.
    """
    if not hasattr(socket, "AF_UNIX") or not hasattr(os, "getuid"):
        return None
    user = os.getuid()
    own = f"/run/user/{user}"
    path = f"{own}/reactive-sqlite" if os.path.isdir(own) else f"/tmp/reactive-sqlite-{user}"
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        found = os.lstat(path)
    except OSError as error:
        logger.debug("no doorbells: %s", error)
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
        logger.warning("no doorbells: %s is not a directory of this user alone", path)
        return None
    return path


_swept = False


def sweep() -> None:
    """Once for each process: remove the bells of processes that were killed, at all files."""
    global _swept
    base = None if _swept else runtime_directory()
    _swept = True
    if base is None:
        return
    for folder, _, names in os.walk(base, topdown=False):
        for name in names:
            path = f"{folder}/{name}"
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller:
                    caller.connect(path)
            except ConnectionRefusedError:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            except OSError as error:
                logger.debug("%s: %s", path, error)
        if folder != base:
            with contextlib.suppress(OSError):  # not empty: somebody watches that file
                os.rmdir(folder)


def bells_of(device: int, inode: int) -> str | None:
    """The directory of the bells at one file, which may not be there; None for no bells at all."""
    base = runtime_directory()
    return None if base is None else f"{base}/{device:x}-{inode:x}"


class Doorbells:
    """The bells at one database file, as one database rings them."""

    def __init__(self, directory: str | None) -> None:
        self.directory = directory
        self.own: str | None = None
        """the name of this process's own bell, which it need not ring"""
        self._names: tuple[str, ...] = ()
        self._listed_at = 0.0
        self._changed: int | None = None
        self._socket: socket.socket | None = None

    def names(self) -> tuple[str, ...]:
        """The bells of others, as they were at most `LIST_FOR` seconds ago."""
        if monotonic() - self._listed_at >= LIST_FOR:
            self._list()
        return self._names

    def _list(self) -> None:
        self._listed_at = monotonic()
        if self.directory is None:
            return
        try:
            changed = os.stat(self.directory).st_mtime_ns
            if changed != self._changed:
                names = os.listdir(self.directory)
                self._names = tuple(name for name in names if name != self.own)
                settled = abs(time.time() - changed / 1e9) > _SETTLED
                self._changed = changed if settled else None
        except OSError:  # nobody has ever watched, or the last one has gone
            self._names, self._changed = (), None

    def forget(self) -> None:
        """List anew next time."""
        self._listed_at, self._changed = 0.0, None

    def ring(self) -> None:
        """Ring all bells but the own one. Never blocks; bells that nobody holds are removed."""
        if monotonic() - self._listed_at >= LIST_FOR:  # `names`, without a call: each commit rings
            self._list()
        for name in self._names:
            path = f"{self.directory}/{name}"
            try:
                if self._socket is None:
                    self._socket = self._open()
                self._socket.sendto(b"!", path)
            except (BlockingIOError, InterruptedError):
                pass  # so many rings wait there already that one more says nothing
            except ConnectionRefusedError:  # its process was killed
                with contextlib.suppress(OSError):
                    os.unlink(path)
                self.forget()
            except FileNotFoundError:
                self.forget()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    logger.debug("cannot ring %s: %s", path, error)

    def _open(self) -> socket.socket:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # Should nobody close the database, the collector may come to the socket first, which warns.
        finalize(self, opened.close)
        opened.setblocking(False)
        return opened

    def close(self) -> None:
        """Ring no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Doorbell:
    """The own bell, at which `select` can wait."""

    def __init__(self, directory: str) -> None:
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._path = f"{directory}/{self.name}"
        if len(os.fsencode(self._path)) > _LONGEST:
            raise OSError(errno.ENAMETOOLONG, "too long for a socket", self._path)
        self._pid = os.getpid()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._bind(directory)
        except OSError:
            self._socket.close()
            raise

    def _bind(self, directory: str) -> None:
        while True:
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory, 0o700)
            try:
                self._socket.bind(self._path)
                return
            except FileNotFoundError:
                pass  # the last one to leave has taken the directory away: make it again

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Take all rings; whether there was any."""
        rung = False
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(16):
                rung = True
        return rung

    def close(self) -> None:
        """Take the bell down, and the directory with it if it was the last one."""
        self._socket.close()
        if self._pid == os.getpid():  # else it is the parent's
            with contextlib.suppress(OSError):
                os.unlink(self._path)
                os.rmdir(os.path.dirname(self._path))
