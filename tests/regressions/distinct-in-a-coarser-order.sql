-- about: rows that differ may be equal to an ORDER BY with a collation, and then come as they are met
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT)
-- execute
INSERT INTO t VALUES (1, 'b', 'x')
-- watch
SELECT DISTINCT a FROM t ORDER BY a COLLATE NOCASE
-- watch
SELECT DISTINCT a, b FROM t ORDER BY b, a COLLATE NOCASE DESC
-- watch
SELECT DISTINCT a FROM t ORDER BY a COLLATE RTRIM LIMIT 3
-- execute
INSERT INTO t VALUES (2, 'a', 'x')
-- execute
INSERT INTO t VALUES (3, 'A', 'x'), (4, 'a ', 'x')
-- execute
UPDATE t SET id = 5 WHERE a = 'a'
