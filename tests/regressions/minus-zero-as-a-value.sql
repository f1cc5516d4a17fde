-- about: a zero that changed its sign is another value, also to query_value
-- database: memory
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, x)
-- execute
INSERT INTO t VALUES (1, 0.0)
-- value
SELECT x FROM t WHERE id = 1
-- one
SELECT x FROM t WHERE id = 1
-- execute
UPDATE t SET x = -0.0
