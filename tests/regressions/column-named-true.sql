-- about: true is a column where there is one, also below a FROM
-- database: memory
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, true, current_user)
-- execute
INSERT INTO t VALUES (1, 0, 0), (2, 0, 0)
-- execute
CREATE VIEW v AS SELECT id, true AS yes FROM t
-- watch
SELECT id FROM (SELECT id FROM t WHERE (true, 1) IN (VALUES (1, 1)))
-- watch
SELECT count(*) FROM (SELECT id, true FROM t) WHERE true IN (SELECT 1)
-- watch
SELECT yes FROM v
-- watch
SELECT max(who) FROM (SELECT current_user AS who FROM t)
-- execute
UPDATE t SET true = 1 WHERE id = 2
-- execute
UPDATE t SET current_user = 1 WHERE id = 2
