-- about: an index that SQLite makes for a join may hold columns that nobody reads
-- database: memory
-- execute
CREATE TABLE t(y, id INTEGER PRIMARY KEY, x, g AS (x) STORED)
-- execute
CREATE TABLE u(id INTEGER PRIMARY KEY, x)
-- execute
INSERT INTO u VALUES (1, 'one'), (2, 'two')
-- execute
INSERT INTO t(id, x, y) VALUES (1, 'one', 5), (2, 'one', 7), (3, 'one', 6)
-- watch
SELECT u.id, t.id FROM u CROSS JOIN t ON t.g = u.x
-- execute
UPDATE t SET y = 9 WHERE id = 1
-- execute
CREATE TABLE far(c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20, c21,
  c22, c23, c24, c25, c26, c27, c28, c29, c30, c31, c32, c33, c34, c35, c36, c37, c38, c39, c40, c41, c42, c43,
  c44, c45, c46, c47, c48, c49, c50, c51, c52, c53, c54, c55, c56, c57, c58, c59, c60, c61, c62, c63, c64, c65)
-- execute
INSERT INTO far(c0, c64, c65) VALUES ('one', 1, 'a'), ('one', 3, 'b'), ('one', 2, 'c')
-- watch
SELECT u.id, far.c65 FROM u CROSS JOIN far ON far.c0 = u.x
-- execute
UPDATE far SET c64 = 9 WHERE c65 = 'a'
