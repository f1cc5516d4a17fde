"""Connections to SQLite, and who may use them. APSW is here and nowhere else."""
