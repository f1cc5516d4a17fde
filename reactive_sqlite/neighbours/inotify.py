"""A hint from the kernel that somebody writes to a file (Linux). Watching by name opens nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

_IN_MODIFY = 0x00000002
_IN_MOVE_SELF = 0x00000800
_IN_DELETE_SELF = 0x00000400
_FLAGS = _IN_MODIFY | _IN_MOVE_SELF | _IN_DELETE_SELF


class Inotify:
    """Becomes readable when one of the files is written. https://man7.org/linux/man-pages/man7/inotify.7.html

    Raises OSError where the platform has no inotify, or no more of it for this user.
    """

    def __init__(self, *paths: str) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError("no inotify on this platform")
        try:
            import ctypes  # only who watches a file pays for it
        except ImportError as error:  # Python can be built without it
            raise OSError(f"no inotify without ctypes: {error}") from error
        self._errno = ctypes.get_errno
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._paths = [os.fsencode(path) for path in paths]
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(self._errno(), "inotify_init1")
        self.complete = True
        """all that is there is watched; false where the kernel has no watch left for this user"""
        self.watch_again()

    def watch_again(self) -> None:
        """Watch what is there now; the same file twice is once, a file that is not there is not."""
        refused = [path for path in self._paths if not self._watch(path)]
        self.complete = not refused

    def _watch(self, path: bytes) -> bool:
        added = self._libc.inotify_add_watch(self._fd, path, _FLAGS)
        return added >= 0 or self._errno() == errno.ENOENT

    def fileno(self) -> int:
        """For `select`."""
        return int(self._fd)

    def drain(self) -> bool:
        """Take all events; whether there was any."""
        stirred = False
        with contextlib.suppress(BlockingIOError):
            while os.read(self._fd, 4096):
                stirred = True
        return stirred

    def close(self) -> None:
        """Stop watching."""
        os.close(self._fd)
