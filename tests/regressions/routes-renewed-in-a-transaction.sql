-- about: rows recorded before and after the routes were forgotten belong to the same table
-- database: memory
-- execute
CREATE TABLE w(id INTEGER PRIMARY KEY, a)
-- watch
SELECT a FROM w WHERE id = 1
-- watch
SELECT count(*) FROM w
-- begin
-- execute
INSERT INTO w VALUES (1, 1), (2, 2)
-- begin
-- execute
REINDEX
-- raise
-- execute
INSERT INTO w VALUES (3, 3)
-- end
-- execute
BEGIN
-- execute
UPDATE w SET a = 10 WHERE id = 1
-- execute
SAVEPOINT s
-- execute
CREATE TABLE x(a)
-- execute
ROLLBACK TO s
-- execute
UPDATE w SET a = 20 WHERE id = 2
-- execute
COMMIT
