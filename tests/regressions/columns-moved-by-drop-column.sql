-- about: after DROP COLUMN the columns that a region watches stand at other positions
-- database: memory
-- execute
CREATE TABLE g(n, a, b, gen AS (lower(a)) STORED, z INTEGER DEFAULT -1)
-- execute
INSERT INTO g(n, a, b, z) VALUES (1, 2, 3, -1), (4, 5, 6, -1)
-- watch {'p1': -1}
SELECT count(*) FROM g WHERE z = :p1
-- watch
SELECT a FROM g
-- watch {'p1': 2}
SELECT count(*) FROM g WHERE a = :p1
-- execute
ALTER TABLE g DROP COLUMN n
-- execute
UPDATE g SET b = 10 WHERE b = 3
-- execute
UPDATE g SET a = 9 WHERE a = 2
-- execute
UPDATE g SET z = 7 WHERE a = 5
