-- about: whether a failed statement keeps rows must not depend on PRAGMA case_sensitive_like
-- database: memory
-- execute
CREATE TABLE g(id INTEGER PRIMARY KEY, c)
-- execute
CREATE TRIGGER refuse AFTER INSERT ON g BEGIN SELECT RAISE(FAIL, 'refused') WHERE NEW.c = 7; END
-- watch
SELECT * FROM g
-- execute
PRAGMA case_sensitive_like = ON
-- execute
INSERT INTO g(c) VALUES (5), (8), (7), (9)
