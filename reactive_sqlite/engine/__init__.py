"""Statements, transactions and scripts on one database; nothing here knows of live queries."""
