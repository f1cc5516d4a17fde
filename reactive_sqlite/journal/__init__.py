"""The record that tells other processes what a commit changed, and how theirs are read."""
