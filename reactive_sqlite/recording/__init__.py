"""What a transaction has changed: row by row, and in the end its net effect."""
