"""Live queries: what they keep, how they are brought up to date, how values are handed out."""
