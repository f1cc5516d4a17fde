"""The database of an AI-agent orchestrator: one file that remembers everything, live.

>>> from smithers_db import create_smithers_db
>>> with create_smithers_db() as db:
...     run = db.execution.start("nightly", ".smithers/main.tsx")
...     with db.phases.running("build"):
...         agent = db.agents.start("fix the tests")
...         db.agents.complete(agent, "done", tokens_input=10, tokens_output=5)
...     db.execution.complete(run)
...     db.execution.get(run).total_tokens_used
15
"""

from __future__ import annotations

from smithers_db.context import Context
from smithers_db.errors import (
    InvalidTransition,
    InvalidValue,
    MigrationError,
    NoActiveExecution,
    NotFound,
    OutputError,
    SmithersError,
)
from smithers_db.facade import SmithersDB, create_smithers_db

__all__ = [
    "create_smithers_db",
    "SmithersDB",
    "Context",
    "SmithersError",
    "NoActiveExecution",
    "NotFound",
    "InvalidTransition",
    "InvalidValue",
    "OutputError",
    "MigrationError",
]
