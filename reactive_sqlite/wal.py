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
from typing import NamedTuple

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoints, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page, database size after a commit or 0, two salts, two checksums
_32_BITS = 0xFFFFFFFF
_MAGIC = (0x377F0682, 0x377F0683)


class Position(NamedTuple):
    """A state of the database: the frame that ends its last commit.

    The checksum runs over all frames of the generation, so that a frame with the same number and
    checksum is the same state. With 0 frames it is the start of a generation of which only the
    first salt is known yet.
    """

    salts: tuple[int, int]
    frames: int
    checksum: tuple[int, int]


#: The start of a log that has no header yet: of a new one, or one that was emptied.
_NEW = Position((-1, -1), 0, (0, 0))


class _Log:
    """The ``-wal`` file, open to be read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        header = os.pread(descriptor, _HEADER.size, 0)
        self.empty = not header
        self.salts = (0, 0)
        self.checkpoints = 0
        self._frame_size = 0
        if len(header) == _HEADER.size:
            magic, _, page_size, checkpoints, one, two, _, _ = _HEADER.unpack(header)
            if magic in _MAGIC:
                self.salts = (one, two)
                self.checkpoints = checkpoints
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

    def following_generation(self) -> int | None:
        """The first salt of the generation that begins when no frame is published.

        The one of the header if that has no commit yet: its first writer is at work.
        """
        if not self._frame_size:
            return None
        number = 1
        while (frame := self.frame(number)) is not None and frame[1] == self.salts:
            if frame[0]:
                return (self.salts[0] + 1) & _32_BITS
            number += 1
        return self.salts[0]

    def whole_frames(self) -> bool:
        """Whether the file ends where a frame ends, as it does unless it was cut short."""
        size = os.fstat(self._descriptor).st_size
        return (size - _HEADER.size) % self._frame_size == 0


class Step(NamedTuple):
    """From one position to a later one."""

    position: Position | None
    """the later one; None when it cannot be known"""
    commits: int | None
    """commits on the way; None when they cannot be known"""


def step(path: str, base: Position | None, frames: int) -> Step:
    """The position that ends with the published frame ``frames``, and the commits since ``base``.

    ``path`` is that of the database. Never reads past ``frames`` in the present generation:
    what follows is not committed. A log that was started over once since is followed as long as
    it still has all that came after ``base``; otherwise the number of commits is not known.
    """
    try:
        descriptor = os.open(path + "-wal", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return Step(None, None)
    try:
        log = _Log(descriptor)
        if frames == 0:
            return _started_over(log, base)
        last = log.frame(frames)
        if last is None or last[0] == 0 or last[1] != log.salts:
            return Step(None, None)
        position = Position(log.salts, frames, last[2])
        return Step(position, None if base is None else _commits(log, base, position))
    finally:
        os.close(descriptor)


def _commits(log: _Log, base: Position, now: Position) -> int | None:
    if base.frames == 0:
        # A new file's first generation comes after no checkpoint.
        same = log.checkpoints == 0 if base == _NEW else base.salts[0] == now.salts[0]
        return _commits_between(log, now.salts, 0, now.frames) if same else None
    if not log.holds(base):
        return None
    if base.salts == now.salts:
        return _commits_between(log, now.salts, base.frames, now.frames)
    if now.salts[0] != (base.salts[0] + 1) & _32_BITS or now.frames >= base.frames:
        return None
    new = _commits_between(log, now.salts, 0, now.frames)
    old = _commits_to_the_end(log, base)
    return None if new is None or old is None else new + old


def _started_over(log: _Log, base: Position | None) -> Step:
    """No frame is published: somebody is about to write the first one of a new generation."""
    if log.empty:
        return Step(_NEW, 0 if base == _NEW else None)
    if base == _NEW:
        return Step(None, None)
    following = log.following_generation()
    if following is None:
        return Step(None, None)
    position = Position((following, 0), 0, (0, 0))
    if base is None:
        return Step(position, None)
    expected = base.salts[0] if base.frames == 0 else (base.salts[0] + 1) & _32_BITS
    if following != expected:
        return Step(None, None)  # the first commit is just being published: look again
    if base.frames == 0:
        return Step(position, 0)
    return Step(position, _commits_to_the_end(log, base) if log.holds(base) else None)


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
