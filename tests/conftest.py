"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# A failing example is printed so that it can be replayed; no test depends on how fast a machine is.
settings.register_profile("reactive-sqlite", deadline=None, print_blob=True)
settings.load_profile("reactive-sqlite")
