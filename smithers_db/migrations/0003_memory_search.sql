-- Full-text search over memories. The text itself stays in memories; this holds the index only.

CREATE VIRTUAL TABLE memories_fts USING fts5(
  key, content, content='memories', content_rowid='seq', tokenize='unicode61 remove_diacritics 2'
);

CREATE TRIGGER memories_indexed AFTER INSERT ON memories BEGIN
  INSERT INTO memories_fts (rowid, key, content) VALUES (new.seq, new.key, new.content);
END;

CREATE TRIGGER memories_unindexed AFTER DELETE ON memories BEGIN
  INSERT INTO memories_fts (memories_fts, rowid, key, content)
    VALUES ('delete', old.seq, old.key, old.content);
END;

CREATE TRIGGER memories_reindexed AFTER UPDATE OF seq, key, content ON memories BEGIN
  INSERT INTO memories_fts (memories_fts, rowid, key, content)
    VALUES ('delete', old.seq, old.key, old.content);
  INSERT INTO memories_fts (rowid, key, content) VALUES (new.seq, new.key, new.content);
END;

INSERT INTO memories_fts (memories_fts) VALUES ('rebuild');
INSERT OR IGNORE INTO build_state (id, status) VALUES (1, 'passing');
