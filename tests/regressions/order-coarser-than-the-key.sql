-- about: rows whose keys an ORDER BY by another collation leaves equal come in the order of an index
-- database: memory
-- execute
CREATE TABLE t(a TEXT PRIMARY KEY, b, c) WITHOUT ROWID
-- execute
CREATE INDEX t_c ON t(c, a)
-- execute
CREATE TABLE u(a TEXT COLLATE NOCASE, b, c, d, PRIMARY KEY (a COLLATE BINARY)) WITHOUT ROWID
-- execute
CREATE INDEX u_c ON u(c, a)
-- watch
SELECT a, c FROM t ORDER BY a COLLATE NOCASE
-- watch
SELECT a, c || '!' FROM t WHERE length(a) > 0 ORDER BY a COLLATE NOCASE
-- watch
SELECT a, c FROM u ORDER BY a
-- execute
INSERT INTO t VALUES ('a', 1, 1), ('A', 2, 2), ('b', 3, 3)
-- execute
INSERT INTO u SELECT a, b, c, zeroblob(1000) FROM t
-- execute
UPDATE t SET c = 5 WHERE b = 1
-- execute
UPDATE u SET c = 5 WHERE b = 1
-- execute
UPDATE t SET c = 0 WHERE b = 2
-- execute
UPDATE u SET c = 9 WHERE b = 2
