-- about: a partial index without a column of the query may still give its rows their order
-- database: memory
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, owner, x)
-- execute
CREATE INDEX i ON t(x) WHERE owner = 2
-- execute
INSERT INTO t VALUES (1, 2, 10), (2, 2, 20), (3, 2, 5)
-- watch
SELECT id FROM t WHERE owner = 2
-- execute
UPDATE t SET x = 100 WHERE id = 3
