-- about: a setting of the database under test is one of its oracles, too
-- database: file
-- execute
CREATE TABLE parts(id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES nowhere(id) ON DELETE SET NULL)
-- watch
SELECT count(*) FROM parts
-- execute
PRAGMA foreign_keys = OFF
-- foreign
INSERT INTO parts VALUES (3, 1)
-- execute
PRAGMA foreign_keys = ON
-- foreign
INSERT INTO parts VALUES (4, 1)
