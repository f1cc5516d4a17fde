-- about: what was indexed by a column that moved must not be asked any more
-- database: memory
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, c, gone, o)
-- watch
SELECT id FROM t ORDER BY c, id LIMIT 50 OFFSET 1
-- watch
SELECT c, o FROM t WHERE o IS 'A'
-- watch
SELECT c FROM t WHERE o > 5
-- watch
SELECT c FROM t WHERE o LIKE 'a%'
-- execute
ALTER TABLE t DROP COLUMN gone
-- execute
INSERT INTO t VALUES (1, 'B', 'A'), (6, 'C', 9)
