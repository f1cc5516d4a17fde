"""The public names, their signatures, and that each is documented with an example that runs.

A change of what users see shows up here as a change of this file.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterator
from enum import Enum
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pytest

import reactive_sqlite
import smithers_db
from reactive_sqlite import LiveQuery, ReactiveDatabase

PACKAGES = (reactive_sqlite, smithers_db)

REACTIVE_SQLITE = """
    ReactiveDatabase LiveQuery Mutation Result Row State Delta Stats
    Statement StatementKind Region TableRegion ChangeSet RowChange ChangesSince
    Trace Wake Difference
    ReactiveSqliteError ClosedError NotAQuery NotAMutation TransactionError
    use_database current_database query query_one query_value mutation
"""
SMITHERS_DB = """
    create_smithers_db SmithersDB Context
    SmithersError NoActiveExecution NotFound InvalidTransition InvalidValue
    MigrationError OutputError UnreadableRow
"""
# What its methods return: values, described by their fields.
SMITHERS_VALUES = """
    Unresolved Incomplete BuildDecision MemoryStats Drift PruneReport DatabaseStats
    TableStats RunStats Execution ExecutionOwner Phase Agent AgentStreamEvent ToolCall
    DiscardedOutput StateEntry Transition Step Task Memory BuildState Artifact Report
    RateLimitSnapshot Commit Snapshot Review HumanInteraction RenderFrame VcsQueueItem
    SupersmithersModule SupersmithersAnalysis SupersmithersVersion
    SupersmithersActiveOverride Ticket TicketReport ConversionNote
"""

SIGNATURES = """
    ReactiveDatabase(path=':memory:', *, readonly=False, busy_timeout=30.0, maintain='auto',
        journal=None, verify=0.0, on_difference=None)
    ReactiveDatabase.execute(self, sql, params=())
    ReactiveDatabase.executemany(self, sql, seq)
    ReactiveDatabase.executescript(self, sql)
    ReactiveDatabase.transaction(self)
    ReactiveDatabase.query(self, sql, params=(), row=None, *, max_rate=None)
    ReactiveDatabase.query_one(self, sql, params=(), row=None, *, max_rate=None)
    ReactiveDatabase.query_value(self, sql, params=(), *, max_rate=None)
    ReactiveDatabase.mutation(self, sql, on_success=None, on_error=None, invalidates=())
    ReactiveDatabase.observe(self, function, *args, **kwargs)
    ReactiveDatabase.analyze(self, sql)
    ReactiveDatabase.invalidate(self, *tables)
    ReactiveDatabase.flush(self)
    ReactiveDatabase.look(self)
    ReactiveDatabase.would_wake(self, sql, params=())
    ReactiveDatabase.changes_since(self, version=-1)
    ReactiveDatabase.wait_until(self, sql, params=(), predicate=<class 'bool'>, timeout=None)
    ReactiveDatabase.create_function(self, name, function, nargs=-1, *, deterministic=False)
    ReactiveDatabase.create_collation(self, name, compare)
    ReactiveDatabase.close(self)
    LiveQuery.get(self)
    LiveQuery.changes(self)
    LiveQuery.states(self)
    Mutation.__call__(self, *params, **named)
    use_database(database)
    current_database()
    query(sql, params=(), row=None, *, max_rate=None)
    query_one(sql, params=(), row=None, *, max_rate=None)
    query_value(sql, params=(), *, max_rate=None)
    mutation(sql, on_success=None, on_error=None, invalidates=())
"""
LINES = [line.strip() for line in re.sub(r",\n {8}", ", ", SIGNATURES).strip().split("\n")]
PROPERTIES = {"commits", "is_closed", "stats", "traces", "transaction_thread", "version"}


def is_exception_or_enum(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, Exception | Enum)


def modules() -> Iterator[str]:
    for package in PACKAGES:
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            yield module.name


@pytest.mark.parametrize(
    ("package", "names"),
    [(reactive_sqlite, REACTIVE_SQLITE), (smithers_db, SMITHERS_DB + SMITHERS_VALUES)],
)
def test_exported_names(package: ModuleType, names: str) -> None:
    assert sorted(package.__all__) == sorted(names.split())
    for name in package.__all__:
        assert getattr(package, name).__doc__, name


def bare_signature(function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def public(cls: type) -> dict[str, object]:
    return {name: member for name, member in vars(cls).items() if not name.startswith("_")}


@pytest.mark.parametrize("line", LINES)
def test_signatures(line: str) -> None:
    path, _, parameters = line.partition("(")
    assert bare_signature(attrgetter(path)(reactive_sqlite)) == "(" + parameters


def test_no_method_is_public_by_accident() -> None:
    listed = {line.partition("(")[0] for line in LINES}
    for cls in (ReactiveDatabase, LiveQuery):
        methods = {f"{cls.__name__}.{name}" for name in public(cls).keys() - PROPERTIES}
        assert methods == {name for name in listed if name.startswith(cls.__name__ + ".")}


CALLABLE = [
    *((name, getattr(reactive_sqlite, name)) for name in reactive_sqlite.__all__),
    *((name, getattr(smithers_db, name)) for name in smithers_db.__all__),
    *(
        (f"{cls.__name__}.{name}", member)
        for cls in (ReactiveDatabase, LiveQuery)
        for name, member in public(cls).items()
        if name not in PROPERTIES - {"commits"}
    ),
]


@pytest.mark.parametrize(
    ("name", "member"),
    [
        (name, member)
        for name, member in CALLABLE
        if not is_exception_or_enum(member) and name not in SMITHERS_VALUES.split()
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_documented_with_an_example(name: str, member: object) -> None:
    assert ">>>" in (inspect.getdoc(member) or ""), f"{name} has no example"


def test_entry_points_lead_to_functions() -> None:
    pyproject = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    for target in pyproject["project"]["scripts"].values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("module", sorted(modules()))
def test_examples_run(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(importlib.import_module(module), optionflags=flags)
    assert result.failed == 0, capsys.readouterr().out
