"""What a statement reads and writes, by the word of SQLite and by its text."""
