"""The header of the wal-index: SQLite's own count of commits, and where the last one ends.

The wal-index is the memory that all users of a file in WAL mode share. The format of its header:
https://sqlite.org/walformat.html#the_wal_index_header. It is read where SQLite itself has mapped
it, through the open connection's file object (https://sqlite.org/c3ref/io_methods.html, xShmMap):
the ``-shm`` file is never opened, because closing it would drop the locks that SQLite holds on it
(https://sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

#: Version, unused, commits, is it valid, two small numbers, frames, pages; sums and salts.
_HEADER = struct.Struct("=IIIBBHII2I8s2I")
_BYTES = 2 * _HEADER.size
_REGION_BYTES = 32768
_SHM_MAP = 13  # the place of xShmMap among the pointers of sqlite3_io_methods, after iVersion
_BIG_ENDIAN = struct.Struct(">2I")


class Position(NamedTuple):
    """A state of the database: the frame of the write-ahead log that ends its last commit.

    The checksum runs over all frames of one generation of the log, which is known by its salts,
    so that a frame with the same number and checksum is the same state.
    """

    commits: int
    """SQLite's counter, of 32 bits, which goes up by one with each commit"""
    salts: tuple[int, int]
    frames: int
    """frames of this generation that are committed"""
    checksum: tuple[int, int]


def position(header: bytes) -> Position | None:
    """What the header says; None while somebody is writing it, or when a crash left it torn."""
    size = _HEADER.size
    if len(header) < _BYTES or header[:size] != header[size:]:
        return None
    _, _, commits, valid, _, _, frames, _, *checksum, salts, _, _ = _HEADER.unpack_from(header)
    if not valid:
        return None
    one, two = _BIG_ENDIAN.unpack(salts)
    return Position(commits, (one, two), frames, (checksum[0], checksum[1]))


def mapped(file_control: Callable[[str, int, int], bool], file_pointer: int) -> Callable[[], bytes]:
    """What reads the header, twice as it is there, of a connection that is in WAL mode.

    ``file_pointer`` is the code SQLITE_FCNTL_FILE_POINTER. The result must be called only while
    the connection is in WAL mode, and not after it is closed. It gives nothing where the header
    cannot be had, as on a read-only file system.
    """
    try:
        import ctypes  # only who watches a file pays for it
    except ImportError:  # a Python without it
        return bytes
    file = ctypes.c_void_p()
    file_control("main", file_pointer, ctypes.addressof(file))
    if not file.value:
        return bytes
    methods = ctypes.c_void_p.from_address(file.value).value
    if not methods or ctypes.c_int.from_address(methods).value < 2:  # a VFS without shared memory
        return bytes
    step = ctypes.sizeof(ctypes.c_void_p)
    kinds = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int)
    shm_map = ctypes.PYFUNCTYPE(*kinds, ctypes.POINTER(ctypes.c_void_p))(
        ctypes.c_void_p.from_address(methods + _SHM_MAP * step).value or 0
    )
    pointer, byref, string_at, length = ctypes.c_void_p, ctypes.byref, ctypes.string_at, _BYTES

    def read() -> bytes:
        region = pointer()
        shm_map(file, 0, _REGION_BYTES, 0, byref(region))
        return string_at(region.value, length) if region.value else b""

    return read
