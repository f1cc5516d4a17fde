-- about: the name of a function may stand in quotes
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)
-- execute
INSERT INTO t VALUES (1, 1, 5), (2, 2, 4)
-- execute
CREATE VIEW v AS SELECT id, "max"(b) AS m FROM t
-- watch
SELECT a, "count"(a) FROM t GROUP BY a ORDER BY a
-- watch
SELECT id, [max](b), (SELECT count(*) FROM t AS n WHERE n.a = t.id) FROM t ORDER BY id
-- watch
SELECT id, count(*) FROM v GROUP BY id ORDER BY id
-- execute
UPDATE t SET b = 6 WHERE id = 1
-- execute
INSERT INTO t VALUES (3, 1, 9)
-- execute
UPDATE t SET b = 99 WHERE id = 1
-- execute
UPDATE t SET b = 100 WHERE id = 2
