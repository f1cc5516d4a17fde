"""What everything else speaks of: changes, regions, rows. No database in here."""
