-- about: a table that took the name of an attached one was not read: SQLite prepares nothing anew for it
-- database: file
-- script
CREATE TABLE u(id INTEGER PRIMARY KEY, a); INSERT INTO u VALUES (1, 2); CREATE TABLE w AS SELECT * FROM u
-- execute
ATTACH ':memory:' AS aux
-- script
CREATE TABLE aux.t(id INTEGER PRIMARY KEY, a); CREATE TABLE aux.v(id INTEGER PRIMARY KEY, a)
-- watch
SELECT id, a FROM t ORDER BY id
-- watch
SELECT count(*) FROM v
-- execute
ALTER TABLE u RENAME TO t
-- execute
UPDATE t SET a = 3
-- begin
-- execute
CREATE VIEW v AS SELECT * FROM w
-- execute
INSERT INTO w VALUES (2, 2)
-- end
