-- about: GROUP BY a, b over an index (b, a), or with the rowid among its terms, comes in that order
-- database: memory
-- maintain: always
-- execute
CREATE TABLE w(n TEXT, status INTEGER)
-- execute
CREATE INDEX other_way_round ON w(status, n)
-- watch
SELECT n, rowid, max(status) FROM w WHERE status > 0 GROUP BY n, rowid
-- watch
SELECT n, status, count(*) FROM w GROUP BY n, status
-- execute
INSERT INTO w VALUES ('b', 8), ('c', 5)
-- execute
INSERT INTO w VALUES ('a', 9), ('d', 1)
-- execute
INSERT INTO w VALUES ('A', 7), ('a', 9)
