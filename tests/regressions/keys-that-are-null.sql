-- about: of a table with a rowid several rows may have the primary key NULL, so that it does not tell which is shown
-- database: memory
-- execute
CREATE TABLE t(a, b, c, PRIMARY KEY (a, b))
-- execute
CREATE TABLE u(a TEXT PRIMARY KEY, c, d)
-- watch
SELECT a, b, c FROM t
-- watch
SELECT a, c FROM u WHERE length(d) = 1
-- watch
SELECT a, c || '!' FROM u WHERE length(d) = 1
-- execute
INSERT INTO t VALUES (NULL, 1, 1), (NULL, 1, 1), (NULL, 1, 1)
-- execute
INSERT INTO u VALUES (NULL, 1, 'x'), (NULL, 1, 'xx'), ('a', 1, 'x')
-- execute
UPDATE t SET c = 2 WHERE rowid = 1
-- execute
UPDATE u SET c = 2 WHERE rowid = 2
-- execute
UPDATE u SET c = 3 WHERE rowid = 1
