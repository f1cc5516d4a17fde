-- about: the names of the columns are part of the result
-- database: memory
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, a)
-- execute
INSERT INTO t VALUES (1, 2)
-- watch
SELECT * FROM t
-- one
SELECT * FROM t
-- execute
ALTER TABLE t RENAME COLUMN a TO b
