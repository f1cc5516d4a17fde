-- about: a column more makes the table wider than an index, which then gives the rows their order
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(a, b)
-- execute
CREATE INDEX i ON t(b, a)
-- watch
SELECT b FROM t
-- execute
INSERT INTO t VALUES (1, 'c'), (2, 'd')
-- execute
INSERT INTO t VALUES (3, 'e')
-- execute
ALTER TABLE t ADD COLUMN c DEFAULT 5
-- execute
DELETE FROM t
-- execute
INSERT INTO t VALUES (4, 'x', 1), (5, 'a', 1)
