-- about: a subquery in an ON may make any rows come or go when its table changes, one of the join
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, a)
-- execute
CREATE TABLE u(id INTEGER PRIMARY KEY, a)
-- execute
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)
-- execute
INSERT INTO u VALUES (1, 1), (2, 2), (3, 3)
-- watch
SELECT t.id, u.id FROM t JOIN u ON u.a = (SELECT a FROM u ORDER BY a DESC LIMIT 1) ORDER BY t.id, u.id
-- watch
SELECT t.id, u.id FROM t LEFT JOIN u ON u.a > (SELECT a FROM t ORDER BY id LIMIT 1) ORDER BY t.id, u.id
-- watch
SELECT t.id, count(*) FROM t JOIN u ON u.a = (SELECT a FROM u ORDER BY a DESC LIMIT 1) GROUP BY t.id
-- execute
INSERT INTO u VALUES (4, 0)
-- execute
UPDATE u SET a = 4 WHERE id = 2
-- execute
UPDATE t SET a = 9 WHERE id = 1
-- execute
DELETE FROM u WHERE id = 2
