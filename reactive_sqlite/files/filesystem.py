"""What the file system says of a database file: whether it may be used, and where it lies.

On a file system shared over a network, write-ahead logging is unsafe.

https://sqlite.org/wal.html#overview: "All processes using a database must be on the same host
computer; WAL does not work over a network filesystem."
"""

from __future__ import annotations

import errno
import logging
import os
import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

logger = logging.getLogger("reactive_sqlite")

_NETWORK = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.glusterfs", "fuse.sshfs"),
        *("fuse.s3fs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2"),
        *("orangefs", "smb2", "smb3", "smbfs", "vboxsf"),
    }
)
_MOUNTS = "/proc/mounts"
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")  # \040 stands for a space


class Identity(NamedTuple):
    """Which file a path names."""

    device: int
    inode: int


def identity_of(path: str) -> Identity:
    """Asks the directory; the file itself is not opened. Raises OSError when there is none."""
    found = os.stat(path)
    return Identity(found.st_dev, found.st_ino)


def why_lost(path: str, identity: Identity) -> str | None:
    """Why a path does not name the file any more that it did, as a sentence; None if it does."""
    try:
        if identity_of(path) == identity:
            return None
        why = "was replaced"
    except OSError:
        why = "was deleted or moved"
    return f"{path} {why} while it was open"


def network_file_system(path: str, mounts: str = _MOUNTS) -> str | None:
    """The name of the network file system that the file lies on; None for a local one.

    None also where the platform has no list of mounts.
    """
    try:
        with open(mounts, "rb") as lines:  # paths are bytes, whatever the locale
            listed = [line.split(b" ") for line in lines]
    except OSError:
        return None
    real = os.path.realpath(path)
    best, kind = "", None
    for fields in listed:
        point = os.fsdecode(_ESCAPED.sub(_unescaped, fields[1]))
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # later mounts hide earlier ones
            best, kind = point, os.fsdecode(fields[2])
    return kind if kind in _NETWORK else None


def _unescaped(octal: re.Match[bytes]) -> bytes:
    return bytes([int(octal[1], 8)])


def warn_if_shared(path: str) -> None:
    """Log a warning when others may use the file in a way that is unsafe.

    As on a network file system, or by another name, which has another write-ahead log:
    https://sqlite.org/howtocorrupt.html, 2.5.
    """
    names = os.stat(path).st_nlink
    if names > 1:
        logger.warning(
            "%s has %d names (hard links): whoever opens it by another one does not see its "
            "write-ahead log, and damages it",
            path,
            names,
        )
    kind = network_file_system(path)
    if kind is not None:
        logger.warning(
            "%s lies on a network file system (%s), where write-ahead logging is unsafe: "
            "https://sqlite.org/wal.html",
            path,
            kind,
        )


def why_not_opened(name: str) -> str:
    """What the file system says of a path or ``file:`` URI that SQLite could not open."""
    path = path_of(name)
    folder = os.path.dirname(os.path.abspath(path))
    if _no_descriptors():
        return ": too many open files in this process or on this machine"
    if os.path.isdir(path):
        return ": it is a directory"
    try:
        os.stat(os.path.join(folder, "."))
    except PermissionError:
        return f": no permission to go to {folder!r}"
    except OSError:
        return f": there is no directory {folder!r}"
    if not os.path.exists(path):
        return ": there is no such file, or it cannot be created"
    if not os.access(path, os.R_OK):
        return ": no permission to read it"
    writable = os.access(folder, os.W_OK)
    journal = f"{path}-journal"
    if _holds_pages(journal):
        how = "open it" if writable else "copy both to where it can be opened"
        return (
            f": if {journal!r} is of a writer that died, it is rolled back first: {how} for writing"
        )
    if not writable:
        why = (
            f": {folder!r} cannot be written to, and write-ahead logging needs two files there, "
            "also to read: copy the database elsewhere"
        )
        # Not with a log, which would not be read: what was committed last may be there only.
        if not os.path.exists(f"{path}-wal"):
            uri = f"file:{quote(os.path.abspath(path))}?immutable=1"
            why += f" or, if nobody writes to it, open {uri!r} with readonly=True"
        return why
    return "" if os.access(path, os.W_OK) else ": no permission to write to it"


def _holds_pages(journal: str) -> bool:
    """Whether a rollback journal is one to go by: https://sqlite.org/fileformat2.html#rollbackjournal"""
    try:
        with open(journal, "rb") as file:
            return file.read(8) == b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
    except OSError:
        return False


def _no_descriptors() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False


def path_of(name: str) -> str:
    """The path that a name stands for, which may be a URI: https://sqlite.org/uri.html."""
    if not name.startswith("file:"):
        return name
    return unquote(urlsplit(name).path)


def one_more_name(name: str, path: str) -> str:
    """The name for one more connection, to read, to the file that was opened by a name.

    ``path`` is where that has led, whatever the working directory is by now. What a URI says of
    how the file is to be used holds for each connection, except that this one only reads.
    """
    query = urlsplit(name).query if name.startswith("file:") else ""
    kept = [part for part in query.split("&") if part and not part.startswith(("mode=", "cache="))]
    return f"file:{quote(path)}?{'&'.join(kept)}" if kept else path
