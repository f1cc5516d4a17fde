"""How many commits lie between two states of a file in WAL mode, told from the ``-wal`` file.

The format: https://sqlite.org/fileformat2.html#the_write_ahead_log. A frame whose header has a
size ends a commit; frames of one generation of the log carry the same salts, and the first salt
goes up by one from a generation to the next. Only the ``-wal`` file is ever opened here: opening
and closing the database or its ``-shm`` file would drop the locks that SQLite holds on them
(https://sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import os
import struct

from reactive_sqlite.files.walindex import Position

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoints, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page, database size after a commit or 0, two salts, two checksums
_32_BITS = 0xFFFFFFFF
_MAGIC = (0x377F0682, 0x377F0683)


class _Log:
    """The ``-wal`` file, open to be read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        header = os.pread(descriptor, _HEADER.size, 0)
        self._frame_size = 0
        if len(header) == _HEADER.size:
            magic, _, page_size, *_ = _HEADER.unpack(header)
            if magic in _MAGIC:
                self._frame_size = _FRAME.size + page_size

    def frame(self, number: int) -> tuple[int, tuple[int, int], tuple[int, int]] | None:
        """Size after commit, salts and checksum of a frame, counted from 1; None past the end."""
        if not self._frame_size:
            return None
        start = _HEADER.size + (number - 1) * self._frame_size
        header = os.pread(self._descriptor, _FRAME.size, start)
        if len(header) < _FRAME.size:
            return None
        _, size, *rest = _FRAME.unpack(header)
        return size, (rest[0], rest[1]), (rest[2], rest[3])

    def holds(self, position: Position) -> bool:
        """Whether the frame that ends this state is still there."""
        found = self.frame(position.frames)
        return found is not None and found[1:] == (position.salts, position.checksum)

    def whole_frames(self) -> bool:
        """Whether the file ends where a frame ends, as it does unless it was cut short."""
        size = os.fstat(self._descriptor).st_size
        return (size - _HEADER.size) % self._frame_size == 0


def commits(path: str, base: Position, now: Position) -> int | None:
    """How many commits lead from one state to a later one; None when that is not known for sure.

    ``path`` is that of the database. Both witnesses are asked: SQLite's counter and the frames in
    the log, as far as they are still there. They disagree after a crash that made SQLite build
    the wal-index anew, with another count.
    """
    counted = (now.commits - base.commits) & _32_BITS
    told = _told_by_the_log(path, base, now)
    return counted if told is None or told == counted else None


def _told_by_the_log(path: str, base: Position, now: Position) -> int | None:
    """Commits by the frames that end one; None when some of the frames are not there any more.

    Never reads past the last frame of ``now``: what follows is not committed. A log that was
    started over once is followed as long as it has all that came after ``base``.
    """
    try:
        descriptor = os.open(path + "-wal", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _told(_Log(descriptor), base, now)
    finally:
        os.close(descriptor)


def _told(log: _Log, base: Position, now: Position) -> int | None:
    if base.frames and not log.holds(base):
        return None
    if base.salts == now.salts:
        return _commits_between(log, now.salts, base.frames, now.frames)
    if now.salts[0] != (base.salts[0] + 1) & _32_BITS or now.frames >= base.frames:
        return None
    new = _commits_between(log, now.salts, 0, now.frames)
    old = _commits_to_the_end(log, base)
    return None if new is None or old is None else new + old


def _commits_between(log: _Log, salts: tuple[int, int], start: int, end: int) -> int | None:
    commits = 0
    for number in range(start + 1, end + 1):
        frame = log.frame(number)
        if frame is None or frame[1] != salts:
            return None
        commits += frame[0] != 0
    return commits


def _commits_to_the_end(log: _Log, base: Position) -> int | None:
    """Commits after ``base`` in its generation, which is not the present one any more.

    The frames of the present one are written over them from the front, without gaps: what is
    still there right after ``base``, before and after counting, is there as a whole.
    """
    before = log.frame(base.frames + 1)
    commits, number = 0, base.frames + 1
    frame = before
    while frame is not None and frame[1] == base.salts:
        commits += frame[0] != 0
        number += 1
        frame = log.frame(number)
    if frame is None:
        ended = log.whole_frames()
    else:  # what the generation before, or an older one, has left
        ended = 0 < (base.salts[0] - frame[1][0]) & _32_BITS < 1 << 31
    return commits if ended and log.frame(base.frames + 1) == before else None
