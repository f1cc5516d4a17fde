"""The locks of this package: ``with lock:`` leaves none of them taken when Ctrl-C comes.

Those of ``threading`` are so, but in Python 3.14: Ctrl-C that is noticed there when ``__enter__``
has just taken the lock passes the ``with`` by, and nobody ever gives the lock back. Mended in 3.15:
https://github.com/python/cpython/issues/148874
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any


class InterruptibleLock(type(threading.RLock())):  # type: ignore[misc]  # it may be derived from
    """A lock that Ctrl-C in ``__enter__`` does not leave taken.

    What is called last there is written in Python: after its return nothing can come before the
    block begins. ``__exit__`` is in C, or it could be interrupted before it has begun.
    """

    __slots__ = ()

    def __enter__(self) -> bool:
        try:
            return bool(self.acquire())
        except BaseException:  # Ctrl-C when it was just acquired
            give_back(self)
            raise


def give_back(lock: Any) -> None:
    """Release a reentrant lock whose ``acquire`` was interrupted, if it was acquired by then.

    A thread that has the lock is given it again at once: so if it has it now, it has been given it.
    """
    if lock._is_owned():
        lock.release()


if TYPE_CHECKING or sys.version_info[:2] != (3, 14):
    from threading import Lock, RLock
else:
    Lock = RLock = InterruptibleLock

__all__ = ["InterruptibleLock", "Lock", "RLock", "give_back"]
