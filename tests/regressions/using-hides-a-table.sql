-- about: the authorizer does not name a table of which only USING columns are read
-- database: memory
-- execute
CREATE TABLE w(e, n, c, PRIMARY KEY (e, n)) WITHOUT ROWID
-- execute
CREATE TABLE u(id INTEGER PRIMARY KEY, n)
-- execute
INSERT INTO w VALUES ('x', 5, 'a'), ('y', 6, 'b')
-- watch
SELECT u.id FROM w FULL JOIN u USING (n) ORDER BY 1
-- watch
SELECT count(*) FROM u NATURAL LEFT JOIN w
-- watch
SELECT u.n FROM w NATURAL JOIN u
-- execute
INSERT INTO u VALUES (1, 5)
-- execute
DELETE FROM w
