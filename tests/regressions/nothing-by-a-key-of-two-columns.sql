-- about: a result without rows, of a table whose key is of two columns, and a change that may have touched it
-- database: memory
-- execute
CREATE TABLE t(a, b, c, PRIMARY KEY (a, b)) WITHOUT ROWID
-- execute
CREATE TABLE u(a, b, c, PRIMARY KEY (a, b))
-- watch
SELECT a, b, c FROM t WHERE length(a) = 9
-- watch
SELECT a, b, c || '!' FROM t WHERE length(a) = 9
-- watch
SELECT a, b, c FROM u WHERE length(a) = 9
-- watch
SELECT c FROM t
-- watch
SELECT c FROM u
-- execute
INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)
-- execute
INSERT INTO u VALUES (NULL, 1, 1), (NULL, 1, 1)
-- execute
UPDATE t SET c = 3 WHERE a = 1
-- execute
UPDATE u SET c = 3 WHERE rowid = 1
