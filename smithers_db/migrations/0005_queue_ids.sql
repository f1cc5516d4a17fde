-- The id of a queue item is not given to another when the newest item is gone: a worker may still hold it.

CREATE TEMP TABLE queued AS SELECT * FROM vcs_queue;
DROP TABLE vcs_queue;
CREATE TABLE vcs_queue (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
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

-- A run that is gone, and that another program has left an item of, must not keep the file from opening.
INSERT INTO conversion_notes (table_name, row_key, column_name, value, reason, created_at)
  SELECT 'vcs_queue', id, 'execution_id', execution_id, 'there is no such execution',
    strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  FROM queued WHERE execution_id NOT IN (SELECT id FROM executions);
INSERT INTO vcs_queue
  SELECT id, (SELECT e.id FROM executions e WHERE e.id = execution_id), operation, payload, status, attempts,
    lease_id, lease_until, created_at, started_at, completed_at, error FROM queued ORDER BY id;
DROP TABLE queued;
