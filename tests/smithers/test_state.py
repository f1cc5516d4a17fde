"""State: per run, atomic with its transitions, in true order, any value equal or refused."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from smithers_db import InvalidValue, NotFound, SmithersDB, create_smithers_db
from smithers_db.values import DEEPEST, Unresolved, decode, encode


class Colour(enum.Enum):
    RED = 1
    BLUE = "blue"


class Shade(str, enum.Enum):  # noqa: UP042  a StrEnum is another thing
    DARK = "dark"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    tags: set[str]
    when: datetime


@dataclasses.dataclass
class Counted:
    given: int
    doubled: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.doubled = self.given * 2


MOMENT = datetime(2026, 1, 18, 10, 0, 1, 123456, tzinfo=timezone(timedelta(hours=2)))
STORABLE = [
    None,
    True,
    0,
    -1,
    2**63,
    2**70,
    1.5,
    -0.0,
    "",
    "naïve ✓ \0 \u2028",
    [],
    {},
    [1, [2, {"b": None}]],
    {"$type": "datetime", "value": "not one"},
    {"": {"$type": 1}},
    (1, (2,)),
    {1, 2},
    frozenset({"a"}),
    b"\x00\xff",
    MOMENT,
    datetime(2026, 1, 1),
    date(2026, 1, 1),
    time(1, 2, 3),
    UUID(int=7),
    Path("/a/b"),
    Colour.RED,
    Colour.BLUE,
    Level.HIGH,
    Point(1, {"a"}, MOMENT),
    Counted(4),
    {Shade.DARK: Shade.DARK, "b": {Shade.DARK: {1}}},
    {"deep": [Point(1, set(), MOMENT), {"u": UUID(int=1)}]},
]
REFUSED = [
    math.nan,
    math.inf,
    [math.nan],
    {1: 2},
    {("a",): 1},
    object(),
    "\ud800",
    1 + 2j,
    print,
    Point,
]


@pytest.mark.parametrize("value", STORABLE, ids=repr)
def test_a_value_comes_back_equal(db: SmithersDB, run: str, value: Any) -> None:
    db.state.set("key", value)
    found = db.state.get("key", "default")
    assert found == value
    assert type(found) is type(value)
    assert db.state.history("key")[0].new_value == value


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: ascii(value)[:16])
def test_or_is_refused_and_nothing_is_changed(db: SmithersDB, run: str, value: Any) -> None:
    db.state.set("key", 1)
    with pytest.raises(InvalidValue):
        db.state.set("key", value)
    assert db.state.get("key") == 1
    assert len(db.state.history("key")) == 1


def nested(kind: str, depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = {
            "list": lambda held: [held],
            "dict": lambda held: {"key": held},
            "tuple": lambda held: (held,),
            "tag": lambda held: {"$type": held},
            "mixed": lambda held: ([held], {"k": held}, (held,), Point(1, set(), held))[level % 4],  # noqa: B023
        }[kind](value)
    return value


@pytest.mark.parametrize("kind", ["list", "dict", "tuple", "tag", "mixed"])
def test_a_deep_value_is_read_from_any_stack_or_refused(kind: str) -> None:
    value = nested(kind, 99)
    text = encode(value)

    def deeper(levels: int) -> Any:
        return deeper(levels - 1) if levels else decode(text)

    used = len(inspect.stack())
    for levels in (0, 300, 600, 900 - used, 960 - used):
        assert deeper(levels) == value
    for depth in (102, 500, 5000):
        with pytest.raises(InvalidValue, match="deep"):
            encode(nested(kind, depth))


def test_text_that_looks_like_a_very_deep_value_is_text() -> None:
    for text in ("[" * 100_000, *("[" * n + "]" * n for n in (300, 5000, 100_000))):
        assert decode(text) == text


def test_the_deepest_values_come_back() -> None:
    deepest: Any = "x"
    for level in range(DEEPEST):
        deepest = (deepest,) if level % 2 else {"$type": deepest}
    assert decode(encode(deepest)) == deepest
    with pytest.raises(InvalidValue, match="nested more than"):
        encode((deepest,))


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidValue, match="contains itself"):
        encode(loop)


def test_a_class_that_is_not_imported_is_said_to_be_so() -> None:
    text = encode(Colour.RED).replace(":Colour", ":NoSuchColour")
    assert decode(text) == Unresolved("enum", f"{__name__}:NoSuchColour", "RED")
    assert encode(decode(text)) == text
    point = encode(Point(1, {"a"}, MOMENT)).replace(":Point", ":NoSuchPoint")
    assert encode(decode(point)) == point

    class Local(enum.Enum):
        A = 1

    with pytest.raises(InvalidValue, match="found again by its name"):
        encode(Local.A)


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes(timezones=st.just(UTC))
    | st.uuids()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "$type", "value", ""]), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(json)
@settings(max_examples=300)
def test_encoding_is_undone_by_decoding(value: Any) -> None:
    assert decode(encode(value)) == value


def test_none_is_a_value_and_a_missing_key_is_not(db: SmithersDB, run: str) -> None:
    db.state.set("key", None)
    assert db.state.has("key")
    assert db.state.get("key", "default") is None
    assert not db.state.has("other")
    assert db.state.get("other", "default") == "default"
    assert db.state.delete("key")
    assert not db.state.delete("key")
    assert not db.state.has("key")


def test_runs_do_not_share_state(db: SmithersDB) -> None:
    first = db.execution.start("1", "f")
    db.state.set("key", "of the first")
    second = db.execution.start("2", "f")
    assert db.state.get("key") is None
    db.state.set("key", "of the second")
    db.state.reset()
    assert db.state.get("key", execution_id=first) == "of the first"
    assert db.state.get_all(execution_id=second) == {
        "data": None,
        "iteration": 0,
        "phase": "initial",
    }


def test_set_and_its_transition_are_one(db: SmithersDB, run: str) -> None:
    db.db.execute(
        "CREATE TRIGGER no BEFORE INSERT ON state WHEN new.key = 'bad' "
        "BEGIN SELECT raise(ABORT, 'refused'); END"
    )
    before = db.state.history()
    with pytest.raises(Exception, match="refused"):
        db.state.set("bad", 1)
    with pytest.raises(Exception, match="refused"):
        db.state.set_many({"good": 1, "bad": 2})
    assert db.state.history() == before
    assert not db.state.has("good")


def test_set_of_an_unknown_run(db: SmithersDB) -> None:
    with pytest.raises(NotFound):
        db.state.set("key", 1, execution_id="nobody")


def test_fifty_quick_changes_come_back_in_order(db: SmithersDB, run: str) -> None:
    for number in range(50):
        db.state.set("key", number)
    history = db.state.history("key")
    assert [row.new_value for row in history] == list(range(49, -1, -1))
    assert [row.old_value for row in history] == [*range(48, -1, -1), None]
    assert [row.new_value for row in db.state.history("key", limit=3)] == [49, 48, 47]


def test_transitions_say_who_and_why(db: SmithersDB, run: str) -> None:
    agent = db.agents.start("a")
    db.state.set("key", 1, "agent_finished")
    (row,) = db.state.history("key")
    assert (row.trigger, row.trigger_agent_id, row.execution_id) == ("agent_finished", agent, run)


def test_the_agent_of_a_change_can_be_given(db: SmithersDB, run: str) -> None:
    given = db.agents.start("a")
    ambient = db.agents.start("b")
    db.state.set("key", 1, agent_id=given)
    db.state.set_many({"key": 2}, agent_id=given)
    db.state.delete("key", agent_id=given)
    db.state.set("key", 3)
    found = [row.trigger_agent_id for row in db.state.history("key")]
    assert found == [ambient, given, given, given]
    other = db.execution.start("other", "f")
    for wrong in (given, "nobody"):
        with pytest.raises(NotFound, match=f"no agent_id '{wrong}' of the execution '{other}'"):
            db.state.set("key", 1, agent_id=wrong)
        with pytest.raises(NotFound):
            db.state.delete("data", agent_id=wrong)
    assert db.state.get_all() == {"data": None, "iteration": 0, "phase": "initial"}


def test_reset_is_recorded(db: SmithersDB, run: str) -> None:
    db.state.set_many({"a": 1, "iteration": 4})
    before = db.state.history()[0].id
    db.state.reset()
    assert {(row.key, row.deleted) for row in db.state.history() if row.trigger == "reset"} == {
        ("a", True),
        ("phase", False),
        ("iteration", False),
        ("data", False),
    }
    assert db.state.at(before) == {"a": 1, "data": None, "iteration": 4, "phase": "initial"}


class StateMachine(RuleBasedStateMachine):
    """State against a dict, and `at` against every state there ever was."""

    def __init__(self) -> None:
        super().__init__()
        self.db = create_smithers_db()
        self.runs = [self.db.execution.start(str(n), "f") for n in range(2)]
        self.model: dict[str, dict[str, Any]] = {}
        for run in self.runs:
            self.model[run] = {"phase": "initial", "iteration": 0, "data": None}
        self.past: list[tuple[str, dict[str, Any]]] = []

    keys = st.sampled_from(["a", "b", "iteration"])
    which = st.integers(0, 1)
    entries = st.tuples(st.sampled_from(["a", "b"]), json) | st.tuples(
        st.just("iteration"), st.integers(0, 2**53 - 1)
    )

    def remember(self, run: str) -> None:
        latest = self.db.state.history(execution_id=run)[0].id
        self.past.append((latest, dict(self.model[run])))

    @rule(which=which, entry=entries)
    def set(self, which: int, entry: tuple[str, Any]) -> None:
        key, value = entry
        run = self.runs[which]
        self.db.state.set(key, value, execution_id=run)
        self.model[run][key] = value
        self.remember(run)

    @rule(which=which, key=keys)
    def delete(self, which: int, key: str) -> None:
        run = self.runs[which]
        was_there = key in self.model[run]
        assert self.db.state.delete(key, execution_id=run) == was_there
        self.model[run].pop(key, None)
        self.remember(run)

    @rule(which=which)
    def reset(self, which: int) -> None:
        run = self.runs[which]
        self.db.state.reset(execution_id=run)
        self.model[run] = {"phase": "initial", "iteration": 0, "data": None}
        self.remember(run)

    @rule(which=which, entry=entries)
    def undone(self, which: int, entry: tuple[str, Any]) -> None:
        with pytest.raises(KeyboardInterrupt), self.db.db.transaction():
            self.db.state.set(*entry, execution_id=self.runs[which])
            raise KeyboardInterrupt

    @rule(which=which)
    def fork(self, which: int) -> None:
        forked = self.db.execution.fork(self.runs[which])
        assert self.db.state.get_all(execution_id=forked) == self.model[self.runs[which]]

    @invariant()
    def the_state_is_the_models(self) -> None:
        for run in self.runs:
            assert self.db.state.get_all(execution_id=run) == self.model[run]
        for transition, state in self.past:
            assert self.db.state.at(transition) == state

    def teardown(self) -> None:
        self.db.close()


StateMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=15)
TestState = StateMachine.TestCase


def test_any_past_state_is_found_by_its_transition_only(db: SmithersDB, run: str) -> None:
    with pytest.raises(NotFound):
        db.state.at(str(uuid4()))
