-- about: a column by which two keys are equal groups rows of different other columns
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(a TEXT COLLATE NOCASE NOT NULL, n, PRIMARY KEY (a COLLATE BINARY))
-- execute
CREATE TABLE u(a TEXT COLLATE NOCASE NOT NULL, n, PRIMARY KEY (a COLLATE BINARY)) WITHOUT ROWID
-- watch
SELECT a, count(*) FROM t GROUP BY a HAVING n - 9 ORDER BY a
-- watch
SELECT a, count(*) FROM u GROUP BY a HAVING n - 9 ORDER BY a
-- execute
INSERT INTO t VALUES ('a', 1), ('b', 7)
-- execute
INSERT INTO u VALUES ('a', 1), ('b', 7)
-- execute
UPDATE t SET n = 2 WHERE a = 'b'
-- execute
UPDATE u SET n = 2 WHERE a = 'b'
-- execute
INSERT INTO t VALUES ('A', 9)
-- execute
INSERT INTO u VALUES ('A', 9)
