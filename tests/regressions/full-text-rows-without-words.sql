-- about: FTS5 counts rows without words in memory; a rehearsal, which is rolled back, made it forget
-- database: file
-- execute
CREATE VIRTUAL TABLE ft USING fts5(title, content='', contentless_delete=1)
-- watch
SELECT rowid FROM ft WHERE ft MATCH 'one'
-- execute
INSERT INTO ft(rowid, title) VALUES (41, NULL)
-- execute
INSERT INTO ft(rowid, title) VALUES (31, 'ab one')
