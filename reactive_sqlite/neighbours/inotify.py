"""A hint from the kernel that somebody writes to a file (Linux). Watching by name opens nothing."""

from __future__ import annotations

import contextlib
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
        import ctypes  # only who watches a file pays for it

        self._libc = ctypes.CDLL(None, use_errno=True)
        self._paths = [os.fsencode(path) for path in paths]
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self.watch_again()

    def watch_again(self) -> None:
        """Watch what is there now; the same file twice is once, a file that is not there is not."""
        for path in self._paths:
            self._libc.inotify_add_watch(self._fd, path, _FLAGS)

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
