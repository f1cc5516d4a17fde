"""All questions, in the order in which they are asked."""

from __future__ import annotations

from typing import Protocol

from benchmarks import (
    burst,
    disjoint_columns,
    field_const,
    grouped_panels,
    issue_views,
    keyed_streams,
    latest_50,
    owner_streams,
    sorted_rows,
    steady_writes,
)
from benchmarks.workload import Size, Workload


class Questions(Protocol):
    """A module of this folder that asks one question."""

    def workloads(self, size: Size) -> list[Workload]: ...


MODULES: tuple[Questions, ...] = (
    sorted_rows,
    issue_views,
    keyed_streams,
    owner_streams,
    disjoint_columns,
    latest_50,
    field_const,
    grouped_panels,
    burst,
    steady_writes,
)


def names(size: Size) -> list[str]:
    """Names of all workloads of that size."""
    return [workload.name for module in MODULES for workload in module.workloads(size)]


def find(name: str, size: Size) -> Workload:
    """The workload of that name.

    Raises:
        LookupError: there is none of that name at that size.
    """
    for module in MODULES:
        for workload in module.workloads(size):
            if workload.name == name:
                return workload
    raise LookupError(f"no workload {name!r} of size {size!r}; there are: {', '.join(names(size))}")
