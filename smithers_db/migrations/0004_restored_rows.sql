-- Rows that are put in with counters of their own (INSERT OR REPLACE, an export that is read back): what
-- they count is what is there. What comes after them is counted when it comes.

CREATE TRIGGER executions_restored AFTER INSERT ON executions
WHEN new.total_agents <> 0 OR new.total_tool_calls <> 0 OR new.total_tokens_used <> 0 BEGIN
  UPDATE executions SET
    total_agents = (SELECT count(*) FROM agents WHERE execution_id = new.id),
    total_tool_calls = (SELECT count(*) FROM tool_calls WHERE execution_id = new.id),
    total_tokens_used = (SELECT coalesce(sum(coalesce(tokens_input, 0) + coalesce(tokens_output, 0)), 0)
      FROM agents WHERE execution_id = new.id)
    WHERE id = new.id;
END;

CREATE TRIGGER phases_restored AFTER INSERT ON phases WHEN new.agents_count <> 0 BEGIN
  UPDATE phases SET agents_count = (SELECT count(*) FROM agents WHERE phase_id = new.id)
    WHERE id = new.id;
END;

CREATE TRIGGER agents_restored AFTER INSERT ON agents WHEN new.tool_calls_count <> 0 BEGIN
  UPDATE agents SET tool_calls_count = (SELECT count(*) FROM tool_calls WHERE agent_id = new.id)
    WHERE id = new.id;
END;

-- The iterations as before, but also when a key comes to be called so, and never a number beyond 64 bits.
DROP TRIGGER iterations_set;
CREATE TRIGGER iterations_set AFTER INSERT ON state
WHEN new.key = 'iteration' AND length(new.value) < 19
  AND json_valid(new.value) AND json_type(new.value) = 'integer' BEGIN
  UPDATE executions SET total_iterations = json_extract(new.value, '$') WHERE id = new.execution_id;
END;

DROP TRIGGER iterations_changed;
CREATE TRIGGER iterations_changed AFTER UPDATE OF execution_id, key, value ON state
WHEN new.key = 'iteration' AND length(new.value) < 19
  AND json_valid(new.value) AND json_type(new.value) = 'integer' BEGIN
  UPDATE executions SET total_iterations = json_extract(new.value, '$') WHERE id = new.execution_id;
END;
