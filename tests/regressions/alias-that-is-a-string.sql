-- about: an alias may be a string without AS: an ORDER BY of that name means it, and no column
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, n, m)
-- execute
INSERT INTO t VALUES (1, 1, -1)
-- watch
SELECT id, m 'n' FROM t ORDER BY n
-- watch
SELECT id, (m + 0) 'it''s' FROM t ORDER BY "it's"
-- watch
SELECT id, m 'n' FROM t ORDER BY n LIMIT 2
-- execute
UPDATE t SET n = 2, m = -2
-- execute
UPDATE t SET n = 3, m = -3
-- execute
INSERT INTO t VALUES (4, 4, -4)
-- execute
INSERT INTO t VALUES (5, 5, -5)
-- execute
INSERT INTO t VALUES (6, 6, -6)
