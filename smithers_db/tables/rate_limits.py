"""Rate limits: what the providers allow, as last seen."""

from __future__ import annotations

from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.clock import new_id, now
from smithers_db.rows import RateLimitSnapshot
from smithers_db.table import Table


class RateLimits:
    """Providers' limits (``db.rate_limits``).

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> _ = db.rate_limits.record(provider="p", model="m", requests_limit=50, requests_remaining=3)
    >>> db.rate_limits.latest("p", "m").requests_remaining
    3
    """

    def __init__(self, db: ReactiveDatabase) -> None:
        self._table = Table(db, "rate_limit_snapshots", RateLimitSnapshot)

    def record(self, *, provider: str, model: str, **columns: Any) -> str:
        """Records limits just seen; returns the row's id.

        ``columns``: requests_limit, requests_remaining, requests_reset_at, the same of
        input_tokens and output_tokens, and tier.
        """
        snapshot_id = new_id()
        self._table.insert(
            **{"captured_at": now(), **columns}, id=snapshot_id, provider=provider, model=model
        )
        return snapshot_id

    def latest(self, provider: str, model: str) -> RateLimitSnapshot | None:
        """The limits of a model as last seen, or None."""
        return self._table.first(
            "WHERE provider = ? AND model = ? ORDER BY captured_at DESC, rowid DESC LIMIT 1",
            (provider, model),
        )
