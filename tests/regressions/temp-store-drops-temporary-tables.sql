-- about: PRAGMA temp_store deletes all temporary tables
-- database: memory
-- execute
CREATE TEMP TABLE t(a)
-- watch
SELECT count(*) FROM t
-- execute
PRAGMA temp_store = MEMORY
