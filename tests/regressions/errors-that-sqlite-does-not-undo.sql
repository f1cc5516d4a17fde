-- about: inside a transaction SQLite keeps the rows before an error that it did not expect: no FAIL is in play
-- database: memory
-- execute
CREATE TABLE typed(id INTEGER PRIMARY KEY, n INTEGER) STRICT
-- execute
CREATE TABLE t(id, a)
-- execute
CREATE TABLE s(x, g)
-- execute
INSERT INTO s VALUES (1, 1), (9223372036854775807, 2), (9223372036854775807, 2), ('{', 3)
-- watch
SELECT id, n FROM typed
-- watch
SELECT count(*) FROM t
-- watch
SELECT a FROM t WHERE id = 1
-- watch
SELECT x FROM s WHERE g = 1
-- begin
-- execute
INSERT INTO typed(n) VALUES (1), ('x')
-- end
-- begin
-- execute
INSERT OR IGNORE INTO typed(n) VALUES (2), ('x')
-- execute
INSERT INTO t SELECT g, sum(x) FROM s GROUP BY g
-- end
-- execute
SAVEPOINT a
-- execute
INSERT INTO t SELECT s.g + 10, value FROM s, json_each(s.x) WHERE s.g IN (1, 3)
-- execute
UPDATE s SET x = (SELECT sum(b.x) + 1 FROM s AS b WHERE b.g = s.g)
-- execute
RELEASE a
-- execute
INSERT INTO t SELECT g + 20, sum(x) FROM s GROUP BY g
