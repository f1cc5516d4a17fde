"""The database file and its write-ahead log: who has locks on it, what is in it, where it is."""
