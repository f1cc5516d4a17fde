-- about: two rows of the key NULL, and a subquery that is linked to them by another column
-- database: memory
-- maintain: always
-- execute
CREATE TABLE t(k TEXT PRIMARY KEY, owner INTEGER, x)
-- execute
CREATE TABLE n(id INTEGER PRIMARY KEY, owner INTEGER)
-- execute
INSERT INTO t VALUES (NULL, 1, 'a'), (NULL, 1, 'b'), ('c', 2, 'c')
-- watch
SELECT k, owner, (SELECT count(*) FROM n WHERE n.owner = t.owner), quote(x) FROM t ORDER BY x LIMIT 9
-- watch
SELECT k, owner, (SELECT count(*) FROM n WHERE n.owner = t.k || '') FROM t ORDER BY owner
-- watch
SELECT k, quote(x) FROM t ORDER BY owner
-- execute
INSERT INTO n(owner) VALUES (1)
-- execute
INSERT INTO n(owner) VALUES (2)
-- execute
UPDATE t SET x = 'd' WHERE k = 'c'
-- execute
UPDATE t SET x = 'd' WHERE x = 'b'
