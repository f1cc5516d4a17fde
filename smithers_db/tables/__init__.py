"""One module for each family of tables."""

from __future__ import annotations
