-- about: 0.0 and -0.0 are equal numbers and different values
-- database: memory
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY, x)
-- execute
INSERT INTO t VALUES (4, 0.0)
-- watch
SELECT id, x FROM t
-- watch
SELECT CAST(x AS TEXT) FROM t WHERE id = 4
-- execute (-0.0,)
UPDATE t SET x = ?
