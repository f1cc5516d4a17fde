-- about: a sort key that changes without moving the row, or a join partner without effect, is no new value
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, owner INTEGER, n REAL, x)
-- execute
CREATE TABLE o(id INTEGER PRIMARY KEY, name TEXT)
-- watch
SELECT id FROM t ORDER BY n
-- watch
SELECT t.id, t.x, o.name FROM t LEFT JOIN o ON o.id = t.owner ORDER BY t.x, t.id
-- execute
INSERT INTO t VALUES (1, 8, 0.0, 6), (2, 3, 5.0, 7)
-- execute
UPDATE t SET n = 2.0 WHERE id = 1
-- execute
UPDATE t SET owner = 7 WHERE id = 1
-- execute
INSERT INTO o VALUES (3, NULL)
-- execute
DELETE FROM o WHERE id = 3
