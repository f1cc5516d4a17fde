-- about: DROP TABLE deletes rows before foreign keys refuse it; those rows are still there
-- database: memory
-- execute
CREATE TABLE g(id INTEGER PRIMARY KEY, a)
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, p REFERENCES g(id) ON DELETE RESTRICT)
-- execute
INSERT INTO g VALUES (3, 1), (4, 2)
-- execute
INSERT INTO t VALUES (1, 4)
-- watch
SELECT * FROM g
-- watch
SELECT count(*), sum(a) FROM g
-- execute
SAVEPOINT s
-- execute
DROP TABLE g
-- execute
COMMIT
