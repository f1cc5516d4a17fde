-- Rollups: agents, tool calls and tokens per execution, agents per phase, tool calls per agent. Each is
-- a difference applied where a row appears, goes or moves, whoever wrote it.

CREATE TRIGGER agents_counted AFTER INSERT ON agents BEGIN
  UPDATE executions SET total_agents = total_agents + 1,
    total_tokens_used = total_tokens_used + coalesce(new.tokens_input, 0) + coalesce(new.tokens_output, 0)
    WHERE id = new.execution_id;
  UPDATE phases SET agents_count = agents_count + 1 WHERE id = new.phase_id;
END;

CREATE TRIGGER agents_uncounted AFTER DELETE ON agents BEGIN
  UPDATE executions SET total_agents = total_agents - 1,
    total_tokens_used = total_tokens_used - coalesce(old.tokens_input, 0) - coalesce(old.tokens_output, 0)
    WHERE id = old.execution_id;
  UPDATE phases SET agents_count = agents_count - 1 WHERE id = old.phase_id;
END;

CREATE TRIGGER agents_recounted AFTER UPDATE OF tokens_input, tokens_output ON agents
WHEN old.execution_id = new.execution_id
  AND (old.tokens_input IS NOT new.tokens_input OR old.tokens_output IS NOT new.tokens_output) BEGIN
  UPDATE executions SET total_tokens_used = total_tokens_used
      + coalesce(new.tokens_input, 0) + coalesce(new.tokens_output, 0)
      - coalesce(old.tokens_input, 0) - coalesce(old.tokens_output, 0)
    WHERE id = new.execution_id;
END;

CREATE TRIGGER agents_moved AFTER UPDATE OF execution_id ON agents
WHEN old.execution_id <> new.execution_id BEGIN
  UPDATE executions SET total_agents = total_agents - 1,
    total_tokens_used = total_tokens_used - coalesce(old.tokens_input, 0) - coalesce(old.tokens_output, 0)
    WHERE id = old.execution_id;
  UPDATE executions SET total_agents = total_agents + 1,
    total_tokens_used = total_tokens_used + coalesce(new.tokens_input, 0) + coalesce(new.tokens_output, 0)
    WHERE id = new.execution_id;
END;

CREATE TRIGGER agents_rephased AFTER UPDATE OF phase_id ON agents
WHEN old.phase_id IS NOT new.phase_id BEGIN
  UPDATE phases SET agents_count = agents_count - 1 WHERE id = old.phase_id;
  UPDATE phases SET agents_count = agents_count + 1 WHERE id = new.phase_id;
END;

CREATE TRIGGER tool_calls_counted AFTER INSERT ON tool_calls BEGIN
  UPDATE executions SET total_tool_calls = total_tool_calls + 1 WHERE id = new.execution_id;
  UPDATE agents SET tool_calls_count = tool_calls_count + 1 WHERE id = new.agent_id;
END;

CREATE TRIGGER tool_calls_uncounted AFTER DELETE ON tool_calls BEGIN
  UPDATE executions SET total_tool_calls = total_tool_calls - 1 WHERE id = old.execution_id;
  UPDATE agents SET tool_calls_count = tool_calls_count - 1 WHERE id = old.agent_id;
END;

CREATE TRIGGER tool_calls_moved AFTER UPDATE OF execution_id, agent_id ON tool_calls
WHEN old.execution_id <> new.execution_id OR old.agent_id <> new.agent_id BEGIN
  UPDATE executions SET total_tool_calls = total_tool_calls - 1 WHERE id = old.execution_id;
  UPDATE executions SET total_tool_calls = total_tool_calls + 1 WHERE id = new.execution_id;
  UPDATE agents SET tool_calls_count = tool_calls_count - 1 WHERE id = old.agent_id;
  UPDATE agents SET tool_calls_count = tool_calls_count + 1 WHERE id = new.agent_id;
END;

-- The iterations of an execution are what its state's counter says, as long as that is a whole number.
CREATE TRIGGER iterations_set AFTER INSERT ON state
WHEN new.key = 'iteration' AND json_valid(new.value) AND json_type(new.value) = 'integer' BEGIN
  UPDATE executions SET total_iterations = json_extract(new.value, '$') WHERE id = new.execution_id;
END;

CREATE TRIGGER iterations_changed AFTER UPDATE OF value ON state
WHEN new.key = 'iteration' AND json_valid(new.value) AND json_type(new.value) = 'integer' BEGIN
  UPDATE executions SET total_iterations = json_extract(new.value, '$') WHERE id = new.execution_id;
END;

-- A transition is the write: it carries itself into the state.
CREATE TRIGGER transitions_applied AFTER INSERT ON transitions
WHEN new.deleted = 0 AND new.execution_id IS NOT NULL BEGIN
  INSERT INTO state (execution_id, key, value, updated_at)
    VALUES (new.execution_id, new.key, new.new_value, new.created_at)
    ON CONFLICT (execution_id, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at;
END;

CREATE TRIGGER transitions_deleted AFTER INSERT ON transitions
WHEN new.deleted <> 0 AND new.execution_id IS NOT NULL BEGIN
  DELETE FROM state WHERE execution_id = new.execution_id AND key = new.key;
END;

-- A deleted row leaves its output file behind: remember which.
CREATE TRIGGER tool_calls_discarded AFTER DELETE ON tool_calls
WHEN old.output_path IS NOT NULL BEGIN
  INSERT OR IGNORE INTO discarded_outputs (path, discarded_at)
    VALUES (old.output_path, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
END;
