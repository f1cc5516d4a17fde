-- The tables of a Smithers database. Timestamps are ISO-8601 UTC text with milliseconds and Z, JSON is
-- kept as text, booleans are 0 or 1. Lists are ordered by rowid: the order in which rows were recorded.

CREATE TABLE executions (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT,
  file_path TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending',
  config TEXT DEFAULT '{}',
  result TEXT,
  error TEXT,
  end_summary TEXT,
  end_reason TEXT,
  exit_code INTEGER NOT NULL DEFAULT 0,
  forked_from TEXT,
  forked_transition TEXT,
  started_at TEXT,
  completed_at TEXT,
  created_at TEXT NOT NULL,
  duration_ms INTEGER,
  total_iterations INTEGER NOT NULL DEFAULT 0,
  total_agents INTEGER NOT NULL DEFAULT 0,
  total_tool_calls INTEGER NOT NULL DEFAULT 0,
  total_tokens_used INTEGER NOT NULL DEFAULT 0
);
-- An equality on one constant leaves the rowid order intact, so the unfinished ones come out sorted.
CREATE INDEX executions_unfinished ON executions(completed_at) WHERE completed_at IS NULL;

-- Who works on an execution. A beat updates this one row and leaves the execution's own row alone.
CREATE TABLE execution_owners (
  execution_id TEXT PRIMARY KEY NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  owner_id TEXT,
  host TEXT NOT NULL,
  process_id INTEGER NOT NULL,
  process_started TEXT NOT NULL,
  acquired_at TEXT NOT NULL,
  heartbeat_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE phases (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  iteration INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT 'pending',
  error TEXT,
  started_at TEXT,
  completed_at TEXT,
  created_at TEXT NOT NULL,
  duration_ms INTEGER,
  agents_count INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX phases_execution ON phases(execution_id);

CREATE TABLE agents (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  phase_id TEXT REFERENCES phases(id) ON DELETE SET NULL,
  model TEXT NOT NULL DEFAULT 'sonnet',
  system_prompt TEXT,
  prompt TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending',
  scope_rev TEXT,
  result TEXT,
  result_structured TEXT,
  log_path TEXT,
  stream_summary TEXT,
  error TEXT,
  started_at TEXT,
  completed_at TEXT,
  created_at TEXT NOT NULL,
  duration_ms INTEGER,
  tokens_input INTEGER,
  tokens_output INTEGER,
  tool_calls_count INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX agents_execution ON agents(execution_id);
CREATE INDEX agents_phase ON agents(phase_id) WHERE phase_id IS NOT NULL;

CREATE TABLE agent_stream_events (
  id TEXT PRIMARY KEY NOT NULL,
  agent_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  event_type TEXT NOT NULL,
  event_id TEXT,
  tool_name TEXT,
  content TEXT,
  timestamp INTEGER NOT NULL,
  created_at TEXT NOT NULL
);
CREATE INDEX agent_stream_events_agent ON agent_stream_events(agent_id);

CREATE TABLE tool_calls (
  id TEXT PRIMARY KEY NOT NULL,
  agent_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  tool_name TEXT NOT NULL,
  input TEXT NOT NULL,
  output_inline TEXT,
  output_path TEXT,
  output_encoding TEXT,
  output_git_hash TEXT,
  output_summary TEXT,
  output_size_bytes INTEGER,
  status TEXT NOT NULL DEFAULT 'pending',
  error TEXT,
  started_at TEXT,
  completed_at TEXT,
  created_at TEXT NOT NULL,
  duration_ms INTEGER
);
CREATE INDEX tool_calls_agent ON tool_calls(agent_id);
CREATE INDEX tool_calls_execution ON tool_calls(execution_id);

-- Output files whose row is gone: written by a trigger in the deleting transaction, emptied once the
-- files are removed, so that no way of deleting a run, and no crash, forgets a file.
CREATE TABLE discarded_outputs (
  path TEXT PRIMARY KEY NOT NULL,
  discarded_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE state (
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (execution_id, key)
) WITHOUT ROWID;

-- The ledger of the state: a trigger carries each transition into state, so the two cannot part.
CREATE TABLE transitions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  execution_id TEXT REFERENCES executions(id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  old_value TEXT,
  new_value TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  trigger TEXT,
  trigger_agent_id TEXT REFERENCES agents(id) ON DELETE SET NULL,
  created_at TEXT NOT NULL
);
CREATE INDEX transitions_execution ON transitions(execution_id);
CREATE INDEX transitions_execution_key ON transitions(execution_id, key);
CREATE INDEX transitions_agent ON transitions(trigger_agent_id) WHERE trigger_agent_id IS NOT NULL;

CREATE TABLE steps (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  phase_id TEXT REFERENCES phases(id) ON DELETE SET NULL,
  name TEXT,
  status TEXT NOT NULL DEFAULT 'pending',
  error TEXT,
  started_at TEXT,
  completed_at TEXT,
  created_at TEXT NOT NULL,
  duration_ms INTEGER,
  snapshot_before TEXT,
  snapshot_after TEXT,
  commit_created TEXT
);
CREATE INDEX steps_execution ON steps(execution_id);
CREATE INDEX steps_phase ON steps(phase_id) WHERE phase_id IS NOT NULL;

CREATE TABLE tasks (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  iteration INTEGER NOT NULL DEFAULT 0,
  scope_id TEXT,
  scope_rev TEXT,
  component_type TEXT NOT NULL,
  component_name TEXT,
  status TEXT NOT NULL DEFAULT 'running',
  error TEXT,
  started_at TEXT,
  completed_at TEXT,
  duration_ms INTEGER
);
CREATE INDEX tasks_execution ON tasks(execution_id);
CREATE INDEX tasks_execution_iteration_status ON tasks(execution_id, iteration, status);

CREATE TABLE memories (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  category TEXT NOT NULL,
  scope TEXT NOT NULL DEFAULT 'global',
  key TEXT NOT NULL,
  content TEXT NOT NULL,
  confidence REAL NOT NULL DEFAULT 1.0,
  source TEXT,
  source_execution_id TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  accessed_at TEXT NOT NULL,
  expires_at TEXT,
  UNIQUE (category, key, scope)
);
CREATE INDEX memories_category ON memories(category);

CREATE TABLE build_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  status TEXT NOT NULL DEFAULT 'passing',
  fixer_agent_id TEXT,
  broken_since TEXT,
  last_check TEXT
);

CREATE TABLE artifacts (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  agent_id TEXT REFERENCES agents(id) ON DELETE SET NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  file_path TEXT NOT NULL,
  git_hash TEXT,
  git_commit TEXT,
  summary TEXT,
  line_count INTEGER,
  byte_size INTEGER,
  metadata TEXT DEFAULT '{}',
  created_at TEXT NOT NULL
);
CREATE INDEX artifacts_execution ON artifacts(execution_id);
CREATE INDEX artifacts_agent ON artifacts(agent_id) WHERE agent_id IS NOT NULL;

CREATE TABLE reports (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  agent_id TEXT REFERENCES agents(id) ON DELETE SET NULL,
  type TEXT NOT NULL,
  title TEXT NOT NULL,
  content TEXT NOT NULL,
  data TEXT,
  severity TEXT NOT NULL DEFAULT 'info',
  created_at TEXT NOT NULL
);
CREATE INDEX reports_execution ON reports(execution_id);
CREATE INDEX reports_agent ON reports(agent_id) WHERE agent_id IS NOT NULL;

CREATE TABLE rate_limit_snapshots (
  id TEXT PRIMARY KEY NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  requests_limit INTEGER,
  requests_remaining INTEGER,
  requests_reset_at TEXT,
  input_tokens_limit INTEGER,
  input_tokens_remaining INTEGER,
  input_tokens_reset_at TEXT,
  output_tokens_limit INTEGER,
  output_tokens_remaining INTEGER,
  output_tokens_reset_at TEXT,
  tier TEXT,
  captured_at TEXT NOT NULL
);
CREATE INDEX rate_limit_snapshots_model ON rate_limit_snapshots(provider, model, captured_at);

CREATE TABLE commits (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  agent_id TEXT REFERENCES agents(id) ON DELETE SET NULL,
  vcs_type TEXT NOT NULL,
  commit_hash TEXT NOT NULL,
  change_id TEXT,
  message TEXT NOT NULL,
  author TEXT,
  files_changed TEXT,
  insertions INTEGER,
  deletions INTEGER,
  smithers_metadata TEXT,
  created_at TEXT NOT NULL,
  UNIQUE (commit_hash, vcs_type)
);
CREATE INDEX commits_execution ON commits(execution_id);
CREATE INDEX commits_agent ON commits(agent_id) WHERE agent_id IS NOT NULL;

CREATE TABLE snapshots (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  change_id TEXT NOT NULL,
  commit_hash TEXT,
  description TEXT,
  files_modified TEXT,
  files_added TEXT,
  files_deleted TEXT,
  has_conflicts INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL
);
CREATE INDEX snapshots_execution ON snapshots(execution_id);

CREATE TABLE reviews (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  agent_id TEXT REFERENCES agents(id) ON DELETE SET NULL,
  target_type TEXT NOT NULL,
  target_ref TEXT,
  approved INTEGER NOT NULL,
  summary TEXT NOT NULL,
  issues TEXT NOT NULL,
  approvals TEXT,
  reviewer_model TEXT,
  blocking INTEGER NOT NULL DEFAULT 0,
  posted_to_github INTEGER NOT NULL DEFAULT 0,
  posted_to_git_notes INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL
);
CREATE INDEX reviews_execution ON reviews(execution_id);
CREATE INDEX reviews_agent ON reviews(agent_id) WHERE agent_id IS NOT NULL;

CREATE TABLE human_interactions (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  type TEXT NOT NULL,
  prompt TEXT NOT NULL,
  options TEXT,
  status TEXT NOT NULL DEFAULT 'pending',
  response TEXT,
  session_config TEXT,
  session_transcript TEXT,
  session_duration INTEGER,
  error TEXT,
  created_at TEXT NOT NULL,
  resolved_at TEXT
);
CREATE INDEX human_interactions_execution_status ON human_interactions(execution_id, status);
CREATE INDEX human_interactions_pending ON human_interactions(status) WHERE status = 'pending';

CREATE TABLE render_frames (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  sequence_number INTEGER NOT NULL,
  tree_xml TEXT NOT NULL,
  iteration INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  UNIQUE (execution_id, sequence_number)
);

CREATE TABLE vcs_queue (
  id INTEGER PRIMARY KEY,
  execution_id TEXT REFERENCES executions(id) ON DELETE CASCADE,
  operation TEXT NOT NULL,
  payload TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending',
  attempts INTEGER NOT NULL DEFAULT 0,
  lease_id TEXT,
  lease_until TEXT,
  created_at TEXT NOT NULL,
  started_at TEXT,
  completed_at TEXT,
  error TEXT
);
CREATE INDEX vcs_queue_open ON vcs_queue(completed_at) WHERE completed_at IS NULL;
CREATE INDEX vcs_queue_execution ON vcs_queue(execution_id) WHERE execution_id IS NOT NULL;

CREATE TABLE supersmithers_modules (
  module_hash TEXT PRIMARY KEY NOT NULL,
  scope TEXT NOT NULL,
  module_abs_path TEXT NOT NULL,
  export_name TEXT NOT NULL DEFAULT 'default',
  created_at TEXT NOT NULL
);

CREATE TABLE supersmithers_analyses (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
  module_hash TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  trigger TEXT NOT NULL,
  tree_xml TEXT,
  metrics_json TEXT,
  errors_json TEXT,
  analysis_result_json TEXT,
  rewrite_recommended INTEGER NOT NULL DEFAULT 0,
  recommendation TEXT,
  model TEXT,
  created_at TEXT NOT NULL
);
CREATE INDEX supersmithers_analyses_execution ON supersmithers_analyses(execution_id);
CREATE INDEX supersmithers_analyses_module ON supersmithers_analyses(module_hash);

CREATE TABLE supersmithers_versions (
  version_id TEXT PRIMARY KEY NOT NULL,
  module_hash TEXT NOT NULL,
  parent_version_id TEXT,
  created_at TEXT NOT NULL,
  code_tsx TEXT NOT NULL,
  code_sha256 TEXT NOT NULL,
  overlay_rel_path TEXT NOT NULL,
  trigger TEXT NOT NULL,
  analysis_json TEXT,
  metrics_json TEXT,
  vcs_kind TEXT,
  vcs_commit_id TEXT
);
CREATE INDEX supersmithers_versions_module ON supersmithers_versions(module_hash);

CREATE TABLE supersmithers_active_overrides (
  module_hash TEXT PRIMARY KEY NOT NULL,
  active_version_id TEXT REFERENCES supersmithers_versions(version_id) ON DELETE SET NULL,
  updated_at TEXT NOT NULL
);
CREATE INDEX supersmithers_active_overrides_version
  ON supersmithers_active_overrides(active_version_id);

CREATE TABLE tickets (
  id TEXT PRIMARY KEY NOT NULL,
  priority INTEGER NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  deps TEXT DEFAULT '[]',
  acceptance TEXT NOT NULL,
  smallest_step_hint TEXT NOT NULL,
  relevant_files TEXT DEFAULT '[]',
  requires_e2e INTEGER NOT NULL DEFAULT 0,
  budgets TEXT,
  tags TEXT DEFAULT '[]',
  status TEXT NOT NULL DEFAULT 'todo',
  progress_notes TEXT DEFAULT '[]',
  blocked_reason TEXT,
  last_run_at TEXT,
  last_report_path TEXT,
  last_review_dir TEXT,
  last_ticket_goal TEXT,
  source TEXT NOT NULL DEFAULT 'seed',
  source_report_id TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
);
CREATE INDEX tickets_priority ON tickets(priority);
CREATE INDEX tickets_status_priority ON tickets(status, priority);

CREATE TABLE ticket_reports (
  id TEXT PRIMARY KEY NOT NULL,
  execution_id TEXT NOT NULL,
  ticket_id TEXT NOT NULL,
  step_name TEXT NOT NULL,
  run_id TEXT NOT NULL,
  report_type TEXT NOT NULL,
  title TEXT NOT NULL,
  content TEXT NOT NULL,
  data TEXT,
  triaged INTEGER NOT NULL DEFAULT 0,
  triage_action TEXT,
  triage_result_id TEXT,
  created_at TEXT NOT NULL
);
CREATE INDEX ticket_reports_ticket ON ticket_reports(ticket_id);
CREATE INDEX ticket_reports_run ON ticket_reports(run_id);
CREATE INDEX ticket_reports_type ON ticket_reports(report_type);
CREATE INDEX ticket_reports_untriaged ON ticket_reports(triaged) WHERE triaged = 0;

-- What a conversion of an older file could not carry over as it was: the value, and why.
CREATE TABLE conversion_notes (
  id INTEGER PRIMARY KEY,
  table_name TEXT NOT NULL,
  row_key TEXT,
  column_name TEXT,
  value TEXT,
  reason TEXT NOT NULL,
  created_at TEXT NOT NULL
);
