-- about: an unordered result comes in the order of the index that covers it, whose columns it does not name
-- database: memory
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, x UNIQUE, y)
-- execute
INSERT INTO t VALUES (20, 'ab', ' 1'), (3, 'b', NULL), (4, -2, 'done')
-- watch
SELECT id FROM t
-- watch
SELECT count(*) FROM t
-- execute
CREATE INDEX ty ON t(y, id)
-- watch
SELECT id FROM t WHERE id > 1
-- watch
SELECT y FROM t ORDER BY y IS NULL
-- execute
UPDATE t SET x = 'zz' WHERE id = 4
-- execute
UPDATE t SET y = 'zz' WHERE id = 20
