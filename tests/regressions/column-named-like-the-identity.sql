-- about: a column with the name by which the rows of a derived table are told apart
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, "(rowid)", a)
-- execute
CREATE VIEW v AS SELECT "(rowid)", a FROM t WHERE id > 0
-- execute
CREATE VIEW w AS SELECT a FROM t WHERE id > 0
-- execute
INSERT INTO t VALUES (1, 3, 'x'), (2, 1, 'y'), (3, 2, 'z')
-- watch
SELECT "(rowid)", a FROM v ORDER BY "(rowid)"
-- watch
SELECT "(rowid)", a FROM w ORDER BY a
-- watch
SELECT "(RowId)", a FROM w ORDER BY a
-- watch
SELECT text, a FROM (SELECT "(rowid)" AS text, a FROM w) ORDER BY a
-- execute
UPDATE t SET a = 'xx' WHERE id = 1
-- execute
INSERT INTO t VALUES (9, 0, 'new')
-- execute
INSERT INTO t VALUES (8, 1.5, 'newer')
-- execute
DELETE FROM t WHERE id = 2
