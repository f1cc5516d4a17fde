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
    UnreadableRow,
)
from smithers_db.facade import SmithersDB, create_smithers_db
from smithers_db.growth import DatabaseStats, PruneReport, RunStats, TableStats
from smithers_db.owner import Incomplete
from smithers_db.rollups import Drift
from smithers_db.rows import (
    Agent,
    AgentStreamEvent,
    Artifact,
    BuildState,
    Commit,
    ConversionNote,
    DiscardedOutput,
    Execution,
    ExecutionOwner,
    HumanInteraction,
    Memory,
    Phase,
    RateLimitSnapshot,
    RenderFrame,
    Report,
    Review,
    Snapshot,
    StateEntry,
    Step,
    SupersmithersActiveOverride,
    SupersmithersAnalysis,
    SupersmithersModule,
    SupersmithersVersion,
    Task,
    Ticket,
    TicketReport,
    ToolCall,
    Transition,
    VcsQueueItem,
)
from smithers_db.tables.build_state import BuildDecision
from smithers_db.tables.memories import MemoryStats
from smithers_db.values import Unresolved

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
    "UnreadableRow",
    "MigrationError",
    "Unresolved",
    "Incomplete",
    "BuildDecision",
    "MemoryStats",
    "Drift",
    "PruneReport",
    "DatabaseStats",
    "TableStats",
    "RunStats",
    "Execution",
    "ExecutionOwner",
    "Phase",
    "Agent",
    "AgentStreamEvent",
    "ToolCall",
    "DiscardedOutput",
    "StateEntry",
    "Transition",
    "Step",
    "Task",
    "Memory",
    "BuildState",
    "Artifact",
    "Report",
    "RateLimitSnapshot",
    "Commit",
    "Snapshot",
    "Review",
    "HumanInteraction",
    "RenderFrame",
    "VcsQueueItem",
    "SupersmithersModule",
    "SupersmithersAnalysis",
    "SupersmithersVersion",
    "SupersmithersActiveOverride",
    "Ticket",
    "TicketReport",
    "ConversionNote",
]
