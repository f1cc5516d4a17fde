-- about: NATURAL LEFT JOIN reads the columns of the left table without the authorizer being told
-- database: memory
-- execute
CREATE TABLE w(id INTEGER PRIMARY KEY, a, n)
-- execute
CREATE TABLE u(id INTEGER PRIMARY KEY, a, n)
-- execute
CREATE VIEW v AS SELECT w.n FROM u NATURAL LEFT JOIN w
-- watch
SELECT x2.n FROM u x1 NATURAL LEFT JOIN w AS x2 WHERE NOT (x2.OID IS FALSE)
-- watch
SELECT n FROM v
-- watch
SELECT (SELECT count(n) FROM v)
-- execute
INSERT INTO u(id, n, a) VALUES (18, NULL, 1), (19, 5, 'A')
-- execute
INSERT INTO w(id, n, a) VALUES (19, 5, 'A')
-- execute
UPDATE u SET a = 'B'
