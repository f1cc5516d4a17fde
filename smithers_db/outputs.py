"""Tool outputs that are too large for a row: files, written and synced before a row names them."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

from smithers_db.clock import new_id
from smithers_db.errors import InvalidValue, OutputError
from smithers_db.rows import ToolCall

#: Outputs below this many bytes stay in their row, if no NUL is in them.
INLINE_BELOW = 1024


def git_blob_hash(data: bytes) -> str:
    """The hash that ``git hash-object`` gives this content.

    >>> git_blob_hash(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    header = b"blob %d\0" % len(data)
    return hashlib.sha1(header + data, usedforsecurity=False).hexdigest()


def encoded(output: str | bytes) -> tuple[bytes, str | None]:
    """The bytes of an output, and the encoding that makes it text again (None: it is bytes).

    Raises:
        InvalidValue: it is neither text nor bytes, or text that UTF-8 cannot write.
    """
    if isinstance(output, bytes | bytearray | memoryview):
        return bytes(output), None
    if not isinstance(output, str):
        raise InvalidValue(f"an output is str or bytes, not {type(output).__name__}")
    try:
        return output.encode(), "utf-8"
    except UnicodeEncodeError as error:
        raise InvalidValue(
            f"this output is not Unicode text ({error}); pass it as bytes"
        ) from error


def size_of(file: Path) -> int:
    """The bytes of a file; 0 when there is none, somebody having removed it meanwhile."""
    return _size(file) or 0


def _size(file: Path) -> int | None:
    """The bytes of a file; None when there is none, or no file can have this path."""
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a NUL is the ValueError
        return None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            return None
        raise
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _remove_own(folder: Path, process_id: int) -> None:
    if os.getpid() == process_id:  # not at the end of a child, whose parent goes on
        rmtree(folder, ignore_errors=True)


class Outputs:
    """The folder of output files of one database.

    It is made when the first file is written. A database in memory has a temporary one, which
    goes when the database is closed, or with the process.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._remove: Callable[[], object] | None = None

    @property
    def folder(self) -> Path | None:
        """Where the files are; None as long as a database in memory has none."""
        return self._folder

    def stage(self, data: bytes) -> Path:
        """Writes and syncs the content under a passing name; `place` gives it its own."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="smithers-outputs-"))
            self._remove = weakref.finalize(self, _remove_own, self._folder, os.getpid())
        self._folder.mkdir(parents=True, exist_ok=True)
        staged = self._folder / f".{new_id()}.tmp"
        try:
            with open(staged, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        return staged

    def path_of(self, tool_call_id: str) -> Path:
        """The path of a tool call's file, once staged."""
        if self._folder is None:
            raise OutputError("a database in memory has no output folder before its first file")
        name = f"{tool_call_id}.txt"
        if Path(name).name != name:
            raise OutputError(f"{tool_call_id!r} cannot be the name of a file")
        return self._folder / name

    def place(self, staged: Path, tool_call_id: str) -> None:
        """Gives a staged file its name, durably."""
        os.replace(staged, self.path_of(tool_call_id))
        directory = os.open(staged.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def found(self, path: str) -> Path | None:
        """The file that a row names, also after its database was moved with its folder."""
        named = Path(path)
        if self._folder is not None:
            beside = self._folder / named.name
            if _size(beside) is not None:
                return beside
            if not named.is_absolute():
                named = self._folder.parent.parent / named
        return named if _size(named) is not None else None

    def read(self, path: str, size: int | None, git_hash: str | None) -> bytes:
        """The content that a row names.

        Raises:
            OutputError: the file is missing, or is not the one that was written.
        """
        file = self.found(path)
        if file is None:
            raise OutputError(f"the output file {path} is missing")
        data = file.read_bytes()
        if size is not None and len(data) != size:
            raise OutputError(f"the output file {file} has {len(data)} bytes; {size} were written")
        if git_hash is not None and git_blob_hash(data) != git_hash:
            raise OutputError(
                f"the output file {file} was altered: its hash is no longer {git_hash}"
            )
        return data

    def of(self, call: ToolCall) -> str | bytes | None:
        """The output of a tool call, as it was given; None when there was none.

        Raises:
            OutputError: as `read` does; or the output was never kept (files of the original).
        """
        if call.output_inline is not None:
            return call.output_inline
        if call.output_path is None:
            if call.output_size_bytes:
                raise OutputError(
                    f"only a summary was ever kept of the {call.output_size_bytes} bytes "
                    f"of {call.id!r}"
                )
            return None
        data = self.read(call.output_path, call.output_size_bytes, call.output_git_hash)
        if call.output_encoding is None:
            return data
        try:
            return data.decode(call.output_encoding)
        except (UnicodeDecodeError, LookupError) as error:  # files of another program
            raise OutputError(
                f"the output file {call.output_path} is no {call.output_encoding} text: {error}"
            ) from error

    def remove(self, path: str) -> int | None:
        """Removes the file that a row named; returns its size in bytes, 0 when it was gone.

        Only files of the output folder are ever removed, whatever path a row holds: None if the
        file is in another one, for those to remove who keep their outputs there.
        """
        if self._folder is None:
            return 0
        file = self._folder / Path(path).name
        size = _size(file)
        if size is None:
            return None if self.is_elsewhere(path) else 0
        file.unlink(missing_ok=True)
        return size

    def room_of(self, path: str) -> int:
        """How many bytes `remove` would give back; 0 for a file in another folder."""
        if self._folder is None:
            return 0
        return size_of(self._folder / Path(path).name)

    def is_elsewhere(self, path: str) -> bool:
        """Whether the file that a row named is there, and in another folder."""
        named = Path(path)
        return named.is_absolute() and named.parent != self._folder and _size(named) is not None

    def files(self) -> Iterator[Path]:
        """The files that are there, staged ones too."""
        if self._folder is not None and self._folder.is_dir():
            yield from (file for file in self._folder.iterdir() if file.is_file())

    def close(self) -> None:
        """Removes the folder, if it is a temporary one."""
        if self._remove is not None:
            self._remove()
            self._folder = None
