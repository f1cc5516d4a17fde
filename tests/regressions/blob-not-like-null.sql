-- about: a blob is not like anything, not even like NULL
-- database: memory
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, x)
-- watch {'p': None}
SELECT id FROM t WHERE x NOT LIKE :p
-- watch
SELECT id FROM t WHERE NOT x GLOB NULL
-- watch {'p': None}
SELECT id FROM t WHERE x NOT LIKE 'a%' ESCAPE :p
-- watch {'p': None, 'q': b'a'}
SELECT id FROM t WHERE x NOT LIKE :q ESCAPE :p
-- watch {'p': None}
SELECT id FROM t WHERE x LIKE :p
-- execute
INSERT INTO t VALUES (1, x'31'), (2, 'text'), (3, NULL), (4, 5)
-- execute
UPDATE t SET x = x'00' WHERE id = 2
