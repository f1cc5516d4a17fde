-- about: below a FROM a column named true is called after its place, and "true" is a text
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, "true", a)
-- execute
CREATE VIEW v AS SELECT * FROM t
-- execute
INSERT INTO t VALUES (1, NULL, 5), (2, 3, 4)
-- watch
SELECT id FROM v WHERE "true" <> 'A' ORDER BY id
-- watch
SELECT column2 FROM v WHERE id > 0 ORDER BY id
-- watch
SELECT column1 FROM (SELECT a AS "true", id FROM t) ORDER BY id
-- watch
SELECT "true", count(*) FROM (SELECT "true" FROM t) GROUP BY "true"
-- execute
INSERT INTO t VALUES (3, NULL, 1)
-- execute
UPDATE t SET "true" = 9 WHERE id = 2
-- execute
UPDATE t SET a = 9 WHERE id = 2
-- execute
DELETE FROM t WHERE id = 1
