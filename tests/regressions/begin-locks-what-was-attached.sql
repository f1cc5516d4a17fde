-- about: a BEGIN IMMEDIATE that was prepared before the ATTACH did not lock what it attached
-- database: memory
-- execute
CREATE TABLE Tasks(c REAL, "é x" VARCHAR(9) DEFAULT x'61', "order" INTEGER)
-- execute {'p1': 'a%', 'p2': "it's", 'p3': 2.0, 'p4': '1e0', 'p5': 'a', 'p6': 6, 'p7': '-1', 'p8': 8, 'p9': 0.0, 'p10': b'', 'p11': 9.0, 'p12': 1.5, 'p13': 'b  '}
INSERT INTO Tasks(c, "é x", "order") VALUES (9007199254740992.0, @p1, @p2), (@p3, @p4, -1), (0.0, @p5, @p6), (0.1, @p7, @p8), (@p9, @p10, @p11), (@p12, @p13, 9)
-- execute
ATTACH ':memory:' AS aux
-- begin
-- execute
DETACH aux
