"""Who works on an execution: this process, another one, or one that is gone."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from smithers_db.clock import later, new_id
from smithers_db.rows import ExecutionOwner


def process_started(process_id: int) -> str | None:
    """When a process of this host started, in the kernel's ticks; None when there is none.

    Together with the process id this names a process for good: ids are used again.
    """
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _without_proc(process_id)
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]  # a zombie works on nothing


def _without_proc(process_id: int) -> str | None:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""


class Owner:
    """One open database object of one process, as the owner of the executions it runs."""

    def __init__(self) -> None:
        self.id = new_id()
        self.host = socket.gethostname()
        self.process_id = os.getpid()
        self.process_started = process_started(self.process_id) or ""


def is_abandoned(owner: ExecutionOwner | None, host: str, stale_ms: int) -> bool:
    """Whether nobody works on an unfinished execution any more.

    On this host the process itself is asked: a beat may be late, a dead process is dead. For
    another host only the heartbeat speaks.
    """
    if owner is None or owner.owner_id is None:
        return True
    if owner.host == host:
        return process_started(owner.process_id) != owner.process_started
    return owner.heartbeat_at < later(-stale_ms)
