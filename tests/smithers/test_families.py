"""The families that differ: memories, people, queue, build, tickets, frames, commits, limits."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smithers_db import InvalidTransition, InvalidValue, NotFound, SmithersDB, create_smithers_db
from smithers_db.clock import later

from .tour import ticket

# -- memories ---------------------------------------------------------------------------------


def test_the_nearer_scope_comes_first(db: SmithersDB) -> None:
    for scope in ("other", "global", "project", "session"):
        db.memories.add("fact", "sky", f"{scope} sky", scope=scope)
    for scope in ("session", "project", "global", "other"):
        found = db.memories.get("fact", "sky")
        assert found is not None
        assert found.scope == scope
        assert db.memories.get("fact", "sky", scope) == found
        db.memories.delete(found.id)
    assert db.memories.get("fact", "sky") is None


def test_adding_again_replaces_and_keeps_the_id(db: SmithersDB) -> None:
    first = db.memories.add("fact", "sky", "blue", source="agent")
    assert db.memories.add("fact", "sky", "grey", confidence=0.5) == first
    (row,) = db.memories.list()
    assert (row.content, row.confidence, row.source) == ("grey", 0.5, "agent")


def test_what_a_second_add_of_a_memory_leaves_out_stays(db: SmithersDB) -> None:
    expiry, never = "2199-01-01T00:00:00.000Z", None
    first = db.memories.add("fact", "sky", "blue", confidence=0.5, expires_at=expiry)
    assert db.memories.add("fact", "sky", "grey") == first
    row = db.memories.list("fact")[0]
    assert (row.content, row.confidence, row.expires_at) == ("grey", 0.5, expiry)
    db.memories.add("fact", "sky", "black", confidence=1.0)
    row = db.memories.list("fact")[0]
    assert (row.content, row.confidence, row.expires_at) == ("black", 1.0, expiry)
    db.memories.add("fact", "sky", "red", expires_at="2198-01-01T00:00:00.000Z")
    row = db.memories.list("fact")[0]
    assert (row.confidence, row.expires_at) == (1.0, "2198-01-01T00:00:00.000Z")
    db.memories.add("fact", "sea", "deep")
    row = db.memories.list("fact")[1]
    assert (row.confidence, row.expires_at) == (1.0, never)


def test_a_memory_that_has_expired_is_seen_when_it_is_added_again(db: SmithersDB) -> None:
    db.memories.add("fact", "sky", "blue", expires_at=later(-1))
    db.memories.add("fact", "sky", "grey")
    assert [(row.content, row.expires_at) for row in db.memories.list()] == [("grey", None)]


def test_expired_memories_are_not_returned(db: SmithersDB) -> None:
    db.memories.add("fact", "old", "the old sky", expires_at=later(-1))
    db.memories.add("fact", "new", "the new sky", expires_at=later(60_000))
    assert db.memories.get("fact", "old") is None
    assert [row.key for row in db.memories.list()] == ["new"]
    assert [row.key for row in db.memories.search("sky")] == ["new"]
    assert db.memories.stats().total == 1


def test_search_ranks_and_finds_beginnings_of_words(db: SmithersDB) -> None:
    db.memories.add_fact("a", "a long text about many things, one of them being the database")
    db.memories.add_learning("b", "database database database")
    db.memories.add_fact("c", "nothing of the kind")
    assert [row.key for row in db.memories.search("databa")] == ["b", "a"]
    assert [row.key for row in db.memories.search("DATABASE", category="fact")] == ["a"]
    assert [row.key for row in db.memories.search("database", limit=1)] == ["b"]
    db.memories.update(db.memories.list("learning")[0].id, content="something else")
    assert [row.key for row in db.memories.search("database")] == ["a"]
    assert [row.key for row in db.memories.search("many NOT long", syntax=True)] == []


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "a OR b",
        "NEAR(a b)",
        "a*",
        "-a",
        "key:a",
        "^a",
        "(",
        "a AND",
        "'",
        "\0",
        "",
        "  ",
        "{}",
        "a\nb",
    ],
)
def test_user_text_is_never_syntax(db: SmithersDB, text: str) -> None:
    db.memories.add_fact("k", f"before {text.replace(chr(0), '')} after")
    found = db.memories.search(text)
    has_word = any(character.isalnum() for character in text)
    assert len(found) == (1 if has_word else 0)


@given(st.lists(st.text(max_size=30), min_size=30))
@settings(max_examples=5)
def test_no_text_breaks_the_search(texts: list[str]) -> None:
    with create_smithers_db() as db:
        db.memories.add_fact("k", "some content")
        for text in texts:
            db.memories.search(text)


def test_punctuation_parts_the_words_of_a_search_as_white_space_does(db: SmithersDB) -> None:
    db.memories.add_fact("sky", "the sky over naïve cafés is blue-green, see sky_map.txt")
    for text in ("blue,sky", "green/blue", "sk.bl", "gree-caf", "txt_map", "naive;sky", "'sea'"):
        assert bool(db.memories.search(text)) is (text != "'sea'"), text
    assert not db.memories.search("blue,red")


def test_reading_does_not_write(db: SmithersDB) -> None:
    db.memories.add_fact("sky", "blue")
    db.db.execute("UPDATE memories SET accessed_at = '2000-01-01T00:00:00.000Z'")
    before = db.db.version
    read = db.memories.get("fact", "sky")
    db.memories.list()
    db.memories.search("blue")
    assert db.db.version == before
    assert read is not None
    assert read.accessed_at.startswith("2000")
    db.memories.add_fact("sea", "deep")
    assert not db.memories.list()[0].accessed_at.startswith("2000")


def test_a_subscriber_that_reads_memories_is_called_once_a_change(db: SmithersDB) -> None:
    seen: list[int] = []
    db.observe(db.memories.list).subscribe(lambda rows: seen.append(len(rows)))
    db.memories.add_fact("a", "1")
    db.memories.add_fact("b", "2")
    assert seen[0] == 0
    assert seen[-1] == 2
    assert len(seen) <= 5


def test_a_run_without_spaces_is_found_by_its_beginning(db: SmithersDB) -> None:
    db.memories.add_fact("castle", "大阪城は、東京にはない")
    for text, found in (("大阪", True), ("大阪城", True), ("東京", True), ("阪城", False)):
        assert bool(db.memories.search(text)) is found, text


# -- people -----------------------------------------------------------------------------------


def test_a_question_is_answered_once(db: SmithersDB, run: str) -> None:
    question = db.human.request("confirmation", "deploy?", ["yes", "no"])
    seen: list[Any] = []
    db.observe(db.human.get, question).subscribe(lambda row: seen.append(row.status))
    assert [row.options for row in db.human.list_pending()] == [["yes", "no"]]
    db.human.resolve(question, "approved", {"by": "me"})
    for again in (
        lambda: db.human.resolve(question, "rejected"),
        lambda: db.human.cancel_interactive(question),
        lambda: db.human.complete_interactive(question),
    ):
        with pytest.raises(InvalidTransition, match="approved"):
            again()
    row = db.human.get(question)
    assert row is not None
    assert (row.status, row.response) == ("approved", {"by": "me"})
    assert row.resolved_at is not None
    assert seen == ["pending", "approved"]
    assert db.human.list_pending() == []
    with pytest.raises(InvalidValue, match="no answer"):
        db.human.resolve(question, "maybe")
    with pytest.raises(NotFound):
        db.human.resolve("nobody", "approved")


@pytest.mark.parametrize("verb", ["complete_interactive", "cancel_interactive"])
def test_only_a_session_is_ended_as_a_session(db: SmithersDB, run: str, verb: str) -> None:
    question = db.human.request("confirmation", "deploy?")
    with pytest.raises(InvalidTransition, match=r"confirmation.*resolve"):
        getattr(db.human, verb)(question)
    assert [row.id for row in db.human.list_pending()] == [question]
    session = db.human.request_interactive("talk")
    getattr(db.human, verb)(session)
    db.human.resolve(db.human.request_interactive("again"), "timeout")
    with pytest.raises(InvalidTransition, match="answered once"):
        getattr(db.human, verb)(session)


def test_pending_questions_of_one_run_or_all(db: SmithersDB) -> None:
    first = db.execution.start("1", "f")
    one = db.human.request("text", "?")
    second = db.execution.start("2", "f")
    two = db.human.request_interactive("talk", {"timeout": 5})
    assert [row.id for row in db.human.list_pending(first)] == [one]
    assert [row.id for row in db.human.list_pending()] == [two]
    db.execution.complete(second)
    assert [row.id for row in db.human.list_pending()] == [one, two]


# -- the queue --------------------------------------------------------------------------------


def test_the_id_of_an_item_is_not_given_again(db: SmithersDB, run: str) -> None:
    with db.context(execution_id=run):
        number = db.vcs_queue.enqueue("commit", {})
    db.execution.delete(run)
    assert db.vcs_queue.get(number) is None
    assert db.vcs_queue.enqueue("push", {}) == number + 1
    assert db.vcs_queue.get(number) is None


def test_items_come_in_order_and_once(db: SmithersDB) -> None:
    ids = [db.vcs_queue.enqueue("commit", {"n": n}) for n in range(3)]
    taken = [db.vcs_queue.dequeue() for _ in range(4)]
    assert [item and item.id for item in taken] == [*ids, None]
    db.vcs_queue.complete(ids[0])
    db.vcs_queue.complete(ids[1], "conflict")
    states = [db.vcs_queue.get(number) for number in ids]
    assert [item and (item.status, item.error) for item in states] == [
        ("completed", None),
        ("failed", "conflict"),
        ("running", None),
    ]
    with pytest.raises(InvalidTransition):
        db.vcs_queue.complete(ids[0])
    with pytest.raises(NotFound):
        db.vcs_queue.complete(99)
    assert db.vcs_queue.get_pending() == []


def test_a_dead_workers_item_comes_back_and_its_late_answer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as dead, create_smithers_db(path) as alive:
        number = dead.vcs_queue.enqueue("push", None)
        assert dead.vcs_queue.dequeue(lease=timedelta(minutes=5)) is not None
        assert alive.vcs_queue.dequeue() is None
        dead.db.execute("UPDATE vcs_queue SET lease_until = ?", (later(-1),))
        again = alive.vcs_queue.dequeue()
        assert again is not None
        assert (again.id, again.attempts) == (number, 2)
        with pytest.raises(InvalidTransition, match="not leased by this worker"):
            dead.vcs_queue.complete(number)
        alive.vcs_queue.complete(number)
    with create_smithers_db(path) as db, pytest.raises(InvalidValue):
        db.vcs_queue.dequeue(lease=0)


def test_an_end_that_is_rolled_back_can_be_told_again(db: SmithersDB) -> None:
    number = db.vcs_queue.enqueue("push", None)
    with pytest.raises(ZeroDivisionError), db.db.transaction():
        assert db.vcs_queue.dequeue() is not None
        raise ZeroDivisionError
    with pytest.raises(InvalidTransition, match="not leased"):
        db.vcs_queue.complete(number)
    item = db.vcs_queue.dequeue()
    assert item is not None
    with pytest.raises(ZeroDivisionError), db.db.transaction():
        db.vcs_queue.complete(number)
        raise ZeroDivisionError
    with pytest.raises(InvalidTransition, match="not leased"):
        db.vcs_queue.complete(number, lease_id="another's")
    db.vcs_queue.complete(number)
    with pytest.raises(InvalidTransition, match="completed"):
        db.vcs_queue.complete(number, lease_id=item.lease_id)


def test_many_threads_never_get_one_item(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    taken: list[int] = []
    with create_smithers_db(path) as db:
        for number in range(40):
            db.vcs_queue.enqueue("commit", number)

    def work() -> None:
        with create_smithers_db(path) as mine:
            while (item := mine.vcs_queue.dequeue()) is not None:
                taken.append(item.id)
                mine.vcs_queue.complete(item.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 41))


# -- the build --------------------------------------------------------------------------------


def test_one_fixer(db: SmithersDB) -> None:
    first = db.build_state.handle_broken_build("a", wait_ms=50)
    assert (first.should_fix, first.wait_ms, first.state.fixer_agent_id) == (True, 0, "a")
    second = db.build_state.handle_broken_build("b", wait_ms=50)
    assert (second.should_fix, second.wait_ms, second.state.fixer_agent_id) == (False, 50, "a")
    assert db.build_state.handle_broken_build("a").should_fix
    with pytest.raises(InvalidTransition, match="'a' fixes it"):
        db.build_state.mark_fixed("b")
    db.build_state.mark_fixed("a")
    state = db.build_state.get()
    assert (state.status, state.fixer_agent_id, state.broken_since) == ("passing", None, None)


def test_a_fixer_that_is_gone_is_replaced(db: SmithersDB) -> None:
    db.build_state.handle_broken_build("a")
    broken_since = db.build_state.get().broken_since
    db.db.execute("UPDATE build_state SET last_check = ?", (later(-10_000),))
    assert not db.build_state.handle_broken_build("b", stale_ms=60_000).should_fix
    taken = db.build_state.handle_broken_build("b", stale_ms=5_000)
    assert (taken.should_fix, taken.state.broken_since) == (True, broken_since)
    assert not db.build_state.cleanup(stale_ms=5_000)
    db.db.execute("UPDATE build_state SET last_check = ?", (later(-10_000),))
    assert db.build_state.cleanup(stale_ms=5_000)
    assert db.build_state.get().status == "broken"


@pytest.mark.parametrize("stale_ms", [2**45, 63 * 10**12, 2**53 - 1])
def test_a_fixer_with_a_thousand_years_of_time_is_not_gone(db: SmithersDB, stale_ms: int) -> None:
    db.build_state.handle_broken_build("a")
    assert not db.build_state.handle_broken_build("b", stale_ms=stale_ms).should_fix
    assert not db.build_state.cleanup(stale_ms=stale_ms)


def test_one_of_many_threads_fixes(file_db: SmithersDB) -> None:
    decisions = []

    def work(name: str) -> None:
        decisions.append(file_db.build_state.handle_broken_build(name))

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(decision.should_fix for decision in decisions) == 1


# -- tickets ----------------------------------------------------------------------------------


def test_selection_follows_priority_and_dependencies(db: SmithersDB) -> None:
    db.tickets.seed(
        [
            ticket("low", 9),
            ticket("needs", 0, deps=["first", "second"]),
            ticket("first", 2),
            ticket("second", 1),
            ticket("never", 0, deps=["not in the catalogue"]),
        ]
    )
    order = []
    while (chosen := db.tickets.select_next()) is not None:
        order.append(chosen.id)
        db.tickets.update_status(chosen.id, "in_progress")
        assert db.tickets.select_next() == db.tickets.get(chosen.id)
        db.tickets.update_status(chosen.id, "done")
    assert order == ["second", "first", "needs", "low"]
    assert not db.tickets.are_deps_complete("never")
    assert db.tickets.are_deps_complete("needs")
    with pytest.raises(NotFound):
        db.tickets.are_deps_complete("nobody")


def test_selection_leaves_out_what_it_is_told_to(db: SmithersDB) -> None:
    db.tickets.seed([ticket("a", 0), ticket("b", 1)])
    chosen = db.tickets.select_next(exclude_id="a")
    assert chosen is not None
    assert chosen.id == "b"


def test_tags_are_exact(db: SmithersDB) -> None:
    db.tickets.seed([ticket("a", 0, tags=["m1"]), ticket("b", 1, tags=["m10", "e2e"])])
    assert [row.id for row in db.tickets.list(tag="m1")] == ["a"]
    assert [row.id for row in db.tickets.list(status="todo", source="seed")] == ["a", "b"]
    assert db.tickets.list({"status": "done"}) == []


@pytest.mark.parametrize("left", ["m0 and more", '"m0 and more"', '{"m0": 1}', "1.5", "null"])
def test_tags_that_are_no_list_have_none_in_them(db: SmithersDB, left: str) -> None:
    db.tickets.seed([ticket("T1", 1), ticket("T2", 2, tags=["m0"])])
    db.db.execute("UPDATE tickets SET tags = ? WHERE id = 'T1'", (left,))
    assert [found.id for found in db.tickets.list(tag="m0")] == ["T2"]


def test_a_ticket_whose_dependencies_are_null_has_none(db: SmithersDB) -> None:
    db.tickets.seed([ticket("T1", 1)])
    for left in ("null", None, "[]", "no JSON"):
        db.db.execute("UPDATE tickets SET deps = ?", (left,))
        assert db.tickets.are_deps_complete("T1")
        assert db.tickets.select_next() is not None


def test_seeding_again_keeps_progress(db: SmithersDB) -> None:
    db.tickets.seed([ticket("a", 5)])
    db.tickets.update_status("a", "blocked", "no access")
    db.tickets.add_progress_note("a", 'half "way" \\')
    db.tickets.add_progress_note("a", "there")
    db.tickets.seed([ticket("a", 1, title="renamed")])
    row = db.tickets.get("a")
    assert row is not None
    assert (row.title, row.priority, row.status, row.blocked_reason, row.progress_notes) == (
        "renamed",
        1,
        "blocked",
        "no access",
        ['half "way" \\', "there"],
    )


def test_seeding_some_columns_leaves_the_others(db: SmithersDB) -> None:
    db.tickets.seed([ticket("a", 5, deps=["b"], tags=["m1"], smallest_step_hint="begin")])
    before = db.tickets.get("a")
    assert before is not None
    assert db.tickets.seed([{"id": "a", "priority": 7}, {"id": "a", "tags": None}]) == ["a", "a"]
    after = db.tickets.get("a")
    assert after is not None
    changed = {"priority": 7, "tags": [], "updated_at": after.updated_at}
    assert after == msgspec.structs.replace(before, **changed)


def test_a_new_ticket_without_a_column_that_it_needs_is_refused(db: SmithersDB) -> None:
    for name in ("priority", "title", "description", "acceptance"):
        wanting = ticket("wanting", 1)
        del wanting[name]
        with pytest.raises(InvalidValue, match=f"'wanting' .*{name}"):
            db.tickets.seed([ticket("good", 1), wanting])
    assert db.tickets.list() == []


@pytest.mark.parametrize(
    ("kept", "then"),
    [(None, ["b"]), ("[]", ["b"]), ("a", ["a", "b"]), ('{"a":1}', [{"a": 1}, "b"])],
)
def test_a_note_is_never_lost(db: SmithersDB, kept: str | None, then: list[Any]) -> None:
    db.tickets.seed([ticket("T", 1)])
    db.db.execute("UPDATE tickets SET progress_notes = ?", (kept,))
    db.tickets.add_progress_note("T", "b")
    assert db.tickets.get("T").progress_notes == then  # type: ignore[union-attr]


def test_a_bad_seed_changes_nothing(db: SmithersDB) -> None:
    bad: list[dict[str, Any]] = [
        ticket("x", 1, status="nearly"),
        ticket("x", 1, tags="m1"),
        ticket("x", 1.5),  # type: ignore[arg-type]
        {"priority": 1},
    ]
    for wrong in bad:
        with pytest.raises(InvalidValue):
            db.tickets.seed([ticket("good", 1), wrong])
    with pytest.raises(InvalidValue, match="nearly"):
        db.tickets.update_status("good", "nearly")
    assert db.tickets.list() == []


def test_a_ticket_from_triage(db: SmithersDB, run: str) -> None:
    report = db.ticket_reports.add(
        ticket_id="T", step_name="s", run_id="r", report_type="review", title="t", content="c"
    )
    made = db.tickets.create_from_triage(report, title="new", tags=("a",))
    db.ticket_reports.mark_triaged(report, "internal_ticket", made)
    row = db.tickets.get(made)
    assert row is not None
    assert (row.source, row.source_report_id, row.tags, row.acceptance) == (
        "triage",
        report,
        ["a"],
        [],
    )
    assert db.ticket_reports.get_untriaged() == []
    with pytest.raises(InvalidTransition, match="internal_ticket"):
        db.ticket_reports.mark_triaged(report, "none")
    with pytest.raises(InvalidTransition, match="exists"):
        db.tickets.create_from_triage(report, title="again", id=made)


# -- frames, commits, reviews, limits, modules -----------------------------------------------------


def test_frames_are_numbered_without_gaps_by_many_threads(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        run = db.execution.start("r", "f")

        def work() -> None:
            with create_smithers_db(path) as mine:
                for _ in range(15):
                    mine.render_frames.store("<Root/>", execution_id=run)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        frames = db.render_frames.list(run)
        assert [frame.sequence_number for frame in frames] == list(range(60))
        assert db.render_frames.latest(run) == frames[-1] == db.render_frames.get_by_sequence(59)


def test_a_frame_knows_its_iteration(db: SmithersDB, run: str) -> None:
    db.render_frames.store("<a/>")
    db.execution.advance_iteration()
    db.render_frames.store("<b/>")
    db.render_frames.store("<c/>", 7)
    assert [frame.iteration for frame in db.render_frames.list()] == [0, 1, 7]


def test_a_commit_seen_again_keeps_its_id_and_run(db: SmithersDB) -> None:
    first = db.execution.start("1", "f")
    commit = db.vcs.log_commit(
        vcs_type="git", commit_hash="abc", message="m", author="me", files_changed=["a"]
    )
    db.execution.start("2", "f")
    again = db.vcs.log_commit(vcs_type="git", commit_hash="abc", message="better", insertions=3)
    other = db.vcs.log_commit(vcs_type="jj", commit_hash="abc", message="m")
    assert commit == again != other
    row = db.vcs.get_commit("abc", "git")
    assert row is not None
    assert (row.execution_id, row.message, row.author, row.insertions, row.files_changed) == (
        first,
        "better",
        "me",
        3,
        ["a"],
    )


@pytest.mark.parametrize("stored", [0, 1, "0", "1"])
def test_booleans_are_bools_whatever_the_driver_returns(
    db: SmithersDB, run: str, stored: Any
) -> None:
    review = db.vcs.log_review(target_type="pr", approved=False, summary="s", blocking=True)
    db.db.execute("UPDATE reviews SET approved = CAST(? AS TEXT), blocking = ?", (stored, stored))
    (row,) = db.vcs.get_reviews()
    assert row.id == review
    assert row.approved is row.blocking is bool(int(stored))


def test_blocking_reviews_and_critical_reports(db: SmithersDB, run: str) -> None:
    review = db.vcs.log_review(target_type="pr", approved=False, summary="s", blocking=True)
    db.vcs.log_review(target_type="pr", approved=True, summary="s", blocking=True)
    db.vcs.log_review(target_type="pr", approved=False, summary="s")
    assert [row.id for row in db.vcs.get_blocking_reviews()] == [review]
    db.vcs.update_review(review, approved=True, posted_to_github=True)
    assert db.vcs.get_blocking_reviews() == []
    report = db.vcs.add_report(type="error", title="t", content="c", severity="critical")
    db.vcs.add_report(type="progress", title="t", content="c")
    assert [row.id for row in db.vcs.get_critical_reports()] == [report]
    assert [row.type for row in db.vcs.get_reports()] == ["progress", "error"]
    assert [row.id for row in db.vcs.get_reports("error")] == [report]


def test_limits_as_last_seen(db: SmithersDB) -> None:
    for remaining in (9, 8, 7):
        db.rate_limits.record(provider="p", model="m", requests_remaining=remaining)
    db.rate_limits.record(provider="p", model="other", requests_remaining=1)
    latest = db.rate_limits.latest("p", "m")
    assert latest is not None
    assert latest.requests_remaining == 7
    assert db.rate_limits.latest("p", "unknown") is None


def test_the_active_version_is_one_of_its_module(db: SmithersDB) -> None:
    db.supersmithers.register_module("h", "s", "/m.tsx")
    db.supersmithers.register_module("h", "s", "/moved.tsx")
    module = db.supersmithers.get_module("h")
    assert module is not None
    assert module.module_abs_path == "/moved.tsx"
    assert db.supersmithers.active_version("h") is None
    versions = [
        db.supersmithers.add_version(
            module_hash="h", code_tsx=code, overlay_rel_path="o", trigger="error"
        )
        for code in ("one", "two")
    ]
    for version in versions:
        db.supersmithers.set_active_version("h", version)
        active = db.supersmithers.active_version("h")
        assert active is not None
        assert active.version_id == version
    with pytest.raises(NotFound):
        db.supersmithers.set_active_version("another", versions[0])
    assert [row.version_id for row in db.supersmithers.list_versions("h")] == versions


def test_tasks_are_counted_by_iteration(db: SmithersDB, run: str) -> None:
    assert db.tasks.current_iteration() == 0
    db.tasks.start("Claude")
    db.execution.advance_iteration()
    done = db.tasks.start("Claude")
    db.tasks.start("Claude")
    db.tasks.complete(done)
    assert (db.tasks.running_count(0), db.tasks.running_count(1), db.tasks.running_count()) == (
        1,
        1,
        1,
    )
    assert (db.tasks.total_count(0), db.tasks.total_count(1)) == (1, 2)
    assert [row.iteration for row in db.tasks.list()] == [0, 1, 1]


def test_stream_events_page_by_page(db: SmithersDB, run: str) -> None:
    agent = db.agents.start("a")
    ids = [
        db.agents.record_stream_event(agent, {"type": "tick" if number % 2 else "tock"})
        for number in range(7)
    ]

    def shown(*types: str, **page: Any) -> list[int]:
        return [ids.index(event.id) for event in db.agents.stream_events(agent, types, **page)]

    assert shown(limit=3, newest=True) == [4, 5, 6]
    assert shown(limit=3, newest=True, before=ids[4]) == [1, 2, 3]
    assert shown(limit=3, after=ids[1]) == [2, 3, 4]
    assert shown(after=ids[1], before=ids[4]) == [2, 3]
    assert shown("tick", limit=2, newest=True) == [3, 5]
    assert shown(after=ids[6]) == []
    with pytest.raises(NotFound):
        shown(after="no event")
    seen: list[list[int]] = []
    db.observe(lambda: shown(limit=2, newest=True)).subscribe(seen.append)
    ids.append("")
    ids[-1] = db.agents.record_stream_event(agent, {"type": "tick"})
    assert seen[0] == [5, 6]


def test_stream_events_by_type(db: SmithersDB, run: str) -> None:
    agent = db.agents.start("a")
    for number in range(4):
        db.agents.record_stream_event(
            agent, {"type": "tick" if number % 2 else "tock", "content": str(number)}
        )
    db.agents.record_stream_event(agent, {"type": "json", "content": {"a": [1]}})
    assert [e.content for e in db.agents.stream_events(agent)] == ["0", "1", "2", "3", '{"a":[1]}']
    assert [e.content for e in db.agents.stream_events(agent, ["tick"])] == ["1", "3"]
    assert [e.content for e in db.agents.stream_events(agent, limit=2)] == ["0", "1"]
    with pytest.raises(InvalidValue, match="colour"):
        db.agents.record_stream_event(agent, {"type": "a", "colour": "red"})
    with pytest.raises(NotFound):
        db.agents.record_stream_event("nobody", {"type": "a"})
