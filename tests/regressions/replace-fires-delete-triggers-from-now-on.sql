-- about: with recursive_triggers a statement that was analysed before writes more tables; its bulk form tells of them only by name
-- database: memory
-- listens: no
-- execute
CREATE TABLE t(id INTEGER PRIMARY KEY)
-- execute
CREATE TABLE gone(id INTEGER)
-- execute
CREATE TRIGGER went AFTER DELETE ON t BEGIN INSERT INTO gone VALUES (old.id); END
-- watch
SELECT count(*) FROM gone WHERE id = 250
-- execute
INSERT INTO gone VALUES (-1)
-- execute
INSERT OR REPLACE INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 300) SELECT i FROM s
-- execute
PRAGMA recursive_triggers = ON
-- execute
INSERT OR REPLACE INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 300) SELECT i FROM s
