"""The rows of each table as types: the Python statement of the schema, once.

A field is a column, in the schema's order; a test compares the two both ways. Timestamps are
ISO-8601 UTC text with milliseconds and ``Z``. A field of type `Json` holds the decoded value; one
of type `Count` is never negative.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

#: A column that holds JSON text, and is decoded when its row is read.
Json = Annotated[Any, "json"]
#: A count, a size, a duration in milliseconds, or a place in an order that begins with 0.
Count = Annotated[int, "count"]


class Execution(msgspec.Struct, frozen=True):
    """One orchestration run."""

    id: str
    name: str | None
    file_path: str
    status: str
    config: Json
    result: Json
    error: str | None
    end_summary: Json
    end_reason: str | None
    exit_code: int
    forked_from: str | None
    forked_transition: str | None
    started_at: str | None
    completed_at: str | None
    created_at: str
    duration_ms: Count | None
    total_iterations: Count
    total_agents: Count
    total_tool_calls: Count
    total_tokens_used: Count


class ExecutionOwner(msgspec.Struct, frozen=True):
    """Who works on an execution, and when it last showed a sign of life."""

    execution_id: str
    owner_id: str | None
    host: str
    process_id: int
    process_started: str
    acquired_at: str
    heartbeat_at: str


class Phase(msgspec.Struct, frozen=True):
    """A named stage of a run."""

    id: str
    execution_id: str
    name: str
    iteration: Count
    status: str
    error: str | None
    started_at: str | None
    completed_at: str | None
    created_at: str
    duration_ms: Count | None
    agents_count: Count


class Agent(msgspec.Struct, frozen=True):
    """One model run within a phase."""

    id: str
    execution_id: str
    phase_id: str | None
    model: str
    system_prompt: str | None
    prompt: str
    status: str
    scope_rev: str | None
    result: str | None
    result_structured: Json
    log_path: str | None
    stream_summary: str | None
    error: str | None
    started_at: str | None
    completed_at: str | None
    created_at: str
    duration_ms: Count | None
    tokens_input: Count | None
    tokens_output: Count | None
    tool_calls_count: Count


class AgentStreamEvent(msgspec.Struct, frozen=True):
    """One typed event of an agent's stream; `timestamp` is in milliseconds since 1970."""

    id: str
    agent_id: str
    event_type: str
    event_id: str | None
    tool_name: str | None
    content: str | None
    timestamp: int
    created_at: str


class ToolCall(msgspec.Struct, frozen=True):
    """One tool invocation of an agent; a large output is a file at `output_path`."""

    id: str
    agent_id: str
    execution_id: str
    tool_name: str
    input: Json
    output_inline: str | bytes | None
    output_path: str | None
    output_encoding: str | None
    output_git_hash: str | None
    output_summary: str | None
    output_size_bytes: Count | None
    status: str
    error: str | None
    started_at: str | None
    completed_at: str | None
    created_at: str
    duration_ms: Count | None


class DiscardedOutput(msgspec.Struct, frozen=True):
    """An output file whose row is deleted, to be removed."""

    path: str
    discarded_at: str


class StateEntry(msgspec.Struct, frozen=True):
    """One key of an execution's state."""

    execution_id: str
    key: str
    value: Json
    updated_at: str


class Transition(msgspec.Struct, frozen=True):
    """One change of one key of the state; `seq` is the true order."""

    seq: int
    id: str
    execution_id: str | None
    key: str
    old_value: Json
    new_value: Json
    deleted: bool
    trigger: str | None
    trigger_agent_id: str | None
    created_at: str


class Step(msgspec.Struct, frozen=True):
    """A fine-grained step of a phase."""

    id: str
    execution_id: str
    phase_id: str | None
    name: str | None
    status: str
    error: str | None
    started_at: str | None
    completed_at: str | None
    created_at: str
    duration_ms: Count | None
    snapshot_before: str | None
    snapshot_after: str | None
    commit_created: str | None


class Task(msgspec.Struct, frozen=True):
    """A component task of one iteration."""

    id: str
    execution_id: str
    iteration: Count
    scope_id: str | None
    scope_rev: str | None
    component_type: str
    component_name: str | None
    status: str
    error: str | None
    started_at: str | None
    completed_at: str | None
    duration_ms: Count | None


class Memory(msgspec.Struct, frozen=True):
    """A fact, learning or preference that agents keep across runs."""

    seq: int
    id: str
    category: str
    scope: str
    key: str
    content: str
    confidence: float
    source: str | None
    source_execution_id: str | None
    created_at: str
    updated_at: str
    accessed_at: str
    expires_at: str | None


class BuildState(msgspec.Struct, frozen=True):
    """The one row that says who fixes a broken build."""

    id: int
    status: str
    fixer_agent_id: str | None
    broken_since: str | None
    last_check: str | None


class Artifact(msgspec.Struct, frozen=True):
    """A file that a run produced."""

    id: str
    execution_id: str
    agent_id: str | None
    name: str
    type: str
    file_path: str
    git_hash: str | None
    git_commit: str | None
    summary: str | None
    line_count: Count | None
    byte_size: Count | None
    metadata: Json
    created_at: str


class Report(msgspec.Struct, frozen=True):
    """Something that an agent reports."""

    id: str
    execution_id: str
    agent_id: str | None
    type: str
    title: str
    content: str
    data: Json
    severity: str
    created_at: str


class RateLimitSnapshot(msgspec.Struct, frozen=True):
    """A provider's limits as last seen."""

    id: str
    provider: str
    model: str
    requests_limit: Count | None
    requests_remaining: Count | None
    requests_reset_at: str | None
    input_tokens_limit: Count | None
    input_tokens_remaining: Count | None
    input_tokens_reset_at: str | None
    output_tokens_limit: Count | None
    output_tokens_remaining: Count | None
    output_tokens_reset_at: str | None
    tier: str | None
    captured_at: str


class Commit(msgspec.Struct, frozen=True):
    """A version-control commit."""

    id: str
    execution_id: str
    agent_id: str | None
    vcs_type: str
    commit_hash: str
    change_id: str | None
    message: str
    author: str | None
    files_changed: Json
    insertions: Count | None
    deletions: Count | None
    smithers_metadata: Json
    created_at: str


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot of the working copy."""

    id: str
    execution_id: str
    change_id: str
    commit_hash: str | None
    description: str | None
    files_modified: Json
    files_added: Json
    files_deleted: Json
    has_conflicts: bool
    created_at: str


class Review(msgspec.Struct, frozen=True):
    """A code review."""

    id: str
    execution_id: str
    agent_id: str | None
    target_type: str
    target_ref: str | None
    approved: bool
    summary: str
    issues: Json
    approvals: Json
    reviewer_model: str | None
    blocking: bool
    posted_to_github: bool
    posted_to_git_notes: bool
    created_at: str


class HumanInteraction(msgspec.Struct, frozen=True):
    """A question to a person, and the answer."""

    id: str
    execution_id: str
    type: str
    prompt: str
    options: Json
    status: str
    response: Json
    session_config: Json
    session_transcript: str | None
    session_duration: Count | None
    error: str | None
    created_at: str
    resolved_at: str | None


class RenderFrame(msgspec.Struct, frozen=True):
    """A numbered frame of the workflow tree."""

    id: str
    execution_id: str
    sequence_number: Count
    tree_xml: str
    iteration: Count
    created_at: str


class VcsQueueItem(msgspec.Struct, frozen=True):
    """A version-control operation waiting for its turn; leased while it is worked on."""

    id: int
    execution_id: str | None
    operation: str
    payload: Json
    status: str
    attempts: Count
    lease_id: str | None
    lease_until: str | None
    created_at: str
    started_at: str | None
    completed_at: str | None
    error: str | None


class SupersmithersModule(msgspec.Struct, frozen=True):
    """A self-rewriting plan module."""

    module_hash: str
    scope: str
    module_abs_path: str
    export_name: str
    created_at: str


class SupersmithersAnalysis(msgspec.Struct, frozen=True):
    """An analysis of such a module."""

    id: str
    execution_id: str
    module_hash: str
    iteration: Count
    trigger: str
    tree_xml: str | None
    metrics_json: Json
    errors_json: Json
    analysis_result_json: Json
    rewrite_recommended: bool
    recommendation: str | None
    model: str | None
    created_at: str


class SupersmithersVersion(msgspec.Struct, frozen=True):
    """A rewritten version of such a module."""

    version_id: str
    module_hash: str
    parent_version_id: str | None
    created_at: str
    code_tsx: str
    code_sha256: str
    overlay_rel_path: str
    trigger: str
    analysis_json: Json
    metrics_json: Json
    vcs_kind: str | None
    vcs_commit_id: str | None


class SupersmithersActiveOverride(msgspec.Struct, frozen=True):
    """Which version of a module is active."""

    module_hash: str
    active_version_id: str | None
    updated_at: str


class Ticket(msgspec.Struct, frozen=True):
    """A project ticket: catalogue entry and progress; a lower priority number comes first."""

    id: str
    priority: int
    title: str
    description: str
    deps: Json
    acceptance: Json
    smallest_step_hint: str
    relevant_files: Json
    requires_e2e: bool
    budgets: Json
    tags: Json
    status: str
    progress_notes: Json
    blocked_reason: str | None
    last_run_at: str | None
    last_report_path: str | None
    last_review_dir: str | None
    last_ticket_goal: str | None
    source: str
    source_report_id: str | None
    created_at: str
    updated_at: str


class TicketReport(msgspec.Struct, frozen=True):
    """What one step of a run reports on a ticket."""

    id: str
    execution_id: str
    ticket_id: str
    step_name: str
    run_id: str
    report_type: str
    title: str
    content: str
    data: Json
    triaged: bool
    triage_action: str | None
    triage_result_id: str | None
    created_at: str


class ConversionNote(msgspec.Struct, frozen=True):
    """A value that a conversion could not carry over as it was, and why."""

    id: int
    table_name: str
    row_key: str | None
    column_name: str | None
    value: str | None
    reason: str
    created_at: str


#: The row type of each table.
ROW_TYPES: dict[str, type[msgspec.Struct]] = {
    "executions": Execution,
    "execution_owners": ExecutionOwner,
    "phases": Phase,
    "agents": Agent,
    "agent_stream_events": AgentStreamEvent,
    "tool_calls": ToolCall,
    "discarded_outputs": DiscardedOutput,
    "state": StateEntry,
    "transitions": Transition,
    "steps": Step,
    "tasks": Task,
    "memories": Memory,
    "build_state": BuildState,
    "artifacts": Artifact,
    "reports": Report,
    "rate_limit_snapshots": RateLimitSnapshot,
    "commits": Commit,
    "snapshots": Snapshot,
    "reviews": Review,
    "human_interactions": HumanInteraction,
    "render_frames": RenderFrame,
    "vcs_queue": VcsQueueItem,
    "supersmithers_modules": SupersmithersModule,
    "supersmithers_analyses": SupersmithersAnalysis,
    "supersmithers_versions": SupersmithersVersion,
    "supersmithers_active_overrides": SupersmithersActiveOverride,
    "tickets": Ticket,
    "ticket_reports": TicketReport,
    "conversion_notes": ConversionNote,
}

#: The columns that tell the rows of a table apart.
KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(ROW_TYPES, ("id",)),
    "execution_owners": ("execution_id",),
    "discarded_outputs": ("path",),
    "state": ("execution_id", "key"),
    "supersmithers_modules": ("module_hash",),
    "supersmithers_versions": ("version_id",),
    "supersmithers_active_overrides": ("module_hash",),
}
