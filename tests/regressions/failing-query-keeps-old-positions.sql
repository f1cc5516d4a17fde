-- about: a query that fails since its column was dropped must not be asked about rows by the old positions
-- database: memory
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, gone, o)
-- watch
SELECT gone FROM t WHERE o = 5
-- watch
SELECT gone, o FROM t ORDER BY o
-- execute
ALTER TABLE t DROP COLUMN gone
-- execute
INSERT INTO t VALUES (1, 5)
-- execute
UPDATE t SET o = 6
