"""I3: after every commit each live value equals a fresh run, order and types included.

Oracles: a plain engine that ran the same operations, and a second connection to the file.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from .drive import drive, fixed, programs
from .watch import Broken


@fixed(90)
@given(programs(5, 30))
def test_live_values_are_never_stale(told: tuple[int, list[int], bool]) -> None:
    drive(told)


def test_an_index_that_drops_an_owner_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test can fail: routing that forgets every third touched query is found out."""
    from reactive_sqlite.understanding.routing import RegionIndex

    honest = RegionIndex.touched

    def forgetful(self: Any, change: Any) -> list[Any]:
        return [owner for number, owner in enumerate(honest(self, change)) if number % 3]

    monkeypatch.setattr(RegionIndex, "touched", forgetful)
    with pytest.raises(Broken, match=r"stale|initial|I3"):
        for seed in range(40):
            drive((seed, [seed * 1000 + n for n in range(20)], False))
