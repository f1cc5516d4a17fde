-- about: "q" in WHERE or ON means the alias, if no column has that name; in a text without it, a string
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, g, u)
-- execute
CREATE TABLE u(id INTEGER PRIMARY KEY, x)
-- execute
INSERT INTO u VALUES (1, 1), (2, 5)
-- execute
INSERT INTO t VALUES (1, 5, 1)
-- watch
SELECT g AS "q", count(*) FROM t WHERE "q" > 1 GROUP BY g ORDER BY g
-- watch
SELECT DISTINCT g AS "q" FROM t WHERE "q" > 1 ORDER BY 1
-- watch
SELECT t.g AS "q", count(*) FROM t JOIN u ON u.id = t.u AND "q" > 1 GROUP BY t.g ORDER BY 1
-- watch
SELECT t.id, u.x AS "q" FROM t LEFT JOIN u ON u.id = t.u AND "q" = 5 ORDER BY t.id
-- execute
UPDATE t SET g = 6
-- execute
UPDATE t SET g = 7
-- execute
INSERT INTO t VALUES (2, 0, 2)
-- execute
UPDATE u SET x = 6
-- execute
UPDATE u SET x = 5
