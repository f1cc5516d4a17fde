-- about: what was known of a plan before another program made an index
-- database: file
-- maintain: always
-- execute
CREATE TABLE t(a, b, c)
-- watch
SELECT a FROM t WHERE b = 1
-- execute
INSERT INTO t VALUES (1, 1, 0), (2, 1, 0)
-- execute
INSERT INTO t VALUES (3, 1, 0)
-- foreign
CREATE INDEX ix ON t(b, a)
-- execute
INSERT INTO t VALUES (9, 1, 0)
-- execute
INSERT INTO t VALUES (0, 1, 0)
-- execute
INSERT INTO t VALUES (-1, 1, 0)
