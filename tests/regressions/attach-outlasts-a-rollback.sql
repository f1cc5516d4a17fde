-- about: a database stays attached when the transaction is undone, and with it the pragmas that show it
-- database: memory
-- watch
SELECT name FROM pragma_database_list ORDER BY seq
-- begin
-- execute
ATTACH ':memory:' AS aux
-- raise
