"""Results kept from the changes of their tables instead of by running their query again.

`plan` finds a `Maintainer` for a statement; each commit that touches the result is applied to it;
`Following` decides when. SQLite evaluates every expression, for the changed rows only. When there
is any doubt it raises `NotMaintainable`, and the query is run again.
"""

from __future__ import annotations

from reactive_sqlite.liveness.incremental.decisive import Places
from reactive_sqlite.liveness.incremental.following import Following, Maintenance, Policy
from reactive_sqlite.liveness.incremental.patch import Patch, patch_of
from reactive_sqlite.liveness.incremental.plan import Maintainer, plan
from reactive_sqlite.liveness.incremental.step import Deferred, NotMaintainable, Step

__all__ = [
    "Deferred",
    "Following",
    "Maintainer",
    "Maintenance",
    "NotMaintainable",
    "Patch",
    "Places",
    "Policy",
    "Step",
    "patch_of",
    "plan",
]
