-- about: a rowid that no name is left for is a reason to run the query again, and no error
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(rowid TEXT PRIMARY KEY, _rowid_, oid, a)
-- execute
INSERT INTO t VALUES ('x', 1, 1, 1), ('y', 1, 1, 2)
-- watch
SELECT rowid, quote(a) FROM t ORDER BY oid, rowid
-- execute
UPDATE t SET a = 3 WHERE rowid = 'x'
-- execute
UPDATE t SET a = 4 WHERE rowid = 'y'
