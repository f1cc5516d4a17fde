-- about: a pragma of the connection is not undone with the transaction in which it was set
-- database: memory
-- execute
CREATE TABLE t(a)
-- execute
INSERT INTO t VALUES ('A')
-- watch
SELECT count(*) FROM t WHERE a LIKE 'a'
-- begin
-- execute
PRAGMA case_sensitive_like = ON
-- raise
-- begin
-- begin
-- execute
PRAGMA case_sensitive_like = OFF
-- raise
-- execute
INSERT INTO t VALUES ('b')
-- end
