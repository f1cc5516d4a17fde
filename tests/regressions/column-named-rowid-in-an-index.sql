-- about: without a rowid, a column of that name is one like others, and its index may be walked
-- database: memory
-- execute
CREATE TABLE t(k TEXT PRIMARY KEY, rowid INT, x, y) WITHOUT ROWID
-- execute
CREATE INDEX t_rowid ON t(rowid, x)
-- execute
INSERT INTO t VALUES ('a', 1, 'one', zeroblob(500)), ('b', 2, 'two', zeroblob(500)), ('c', 3, 'three', zeroblob(500))
-- watch
SELECT k, x FROM t
-- watch
SELECT k FROM t
-- execute
UPDATE t SET rowid = 0 WHERE k = 'c'
