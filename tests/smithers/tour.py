"""One run through every verb of every family: what the statements' tests and others walk on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from smithers_db import SmithersDB


@dataclass
class Toured:
    """The ids that a tour left behind."""

    run: str = ""
    phase: str = ""
    agent: str = ""
    step: str = ""
    task: str = ""
    call: str = ""
    transition: str = ""
    memory: str = ""
    artifact: str = ""
    question: str = ""
    review: str = ""
    frame: str = ""
    item: int = 0
    report: str = ""
    others: dict[str, Any] = field(default_factory=dict)


def ticket(id: str, priority: int, **columns: Any) -> dict[str, Any]:
    return {
        "id": id,
        "priority": priority,
        "title": f"ticket {id}",
        "description": "do it",
        "acceptance": ["it is done"],
        **columns,
    }


def tour(db: SmithersDB) -> Toured:
    """Walks once through every writing verb; the run stays open."""
    at = Toured()
    first = db.execution.start("first", "main.tsx")
    db.execution.cancel(first)
    second = db.execution.start("second", "main.tsx")
    db.execution.end(second, {"files": 3}, "success", 0)
    db.execution.fail(db.execution.start("third", "main.tsx"), "no luck")
    db.execution.complete(db.execution.start("fourth", "main.tsx"), [1])
    at.run = db.execution.start("tour", "main.tsx", {"model": "sonnet"})
    db.execution.heartbeat()
    db.execution.advance_iteration()
    db.execution.delete(first)

    db.phases.skip(db.phases.start("skipped"))
    db.phases.fail(db.phases.start("failed", 7), "broken")
    with db.phases.running("build") as at.phase:
        db.steps.skip(db.steps.start("skipped"))
        db.steps.fail(db.steps.start(), "broken")
        with db.steps.running("compile") as at.step:
            db.tasks.fail(db.tasks.start("Claude", "a", "scope", "1"), "broken")
            db.tasks.cancel(db.tasks.start("Claude"))
            with db.tasks.running("Claude", "b") as at.task:
                db.agents.cancel(db.agents.start("cancelled"))
                db.agents.fail(db.agents.start("failed"), "broken")
                at.agent = db.agents.start("fix it", "opus", "be kind", "log.txt", scope_rev="2")
                db.agents.set_stream_summary(at.agent, "it thinks")
                db.agents.record_stream_event(at.agent, {"type": "text", "content": "hello"})
                db.agents.record_stream_event(
                    at.agent, {"type": "tool", "id": "e1", "tool_name": "Bash", "timestamp": 5}
                )
                db.tools.fail(db.tools.start("Bash", {"command": "false"}), "exit 1")
                db.tools.complete(db.tools.start("Bash", {"command": "true"}), "")
                at.call = db.tools.start("Read", {"path": "a"})
                db.tools.complete(at.call, "x" * 5000, "many x")
                at.transition = db.state.set("key", {"a": 1}, "tour")
                db.agents.complete(at.agent, "done", {"ok": True}, 100, 20)
    db.state.set_many({"one": 1, "two": 2})
    db.state.delete("one")

    at.memory = db.memories.add("fact", "sky", "the sky is blue", source="agent")
    db.memories.add_fact("sea", "the sea is deep")
    db.memories.add_learning("tests", "run them first")
    db.memories.add_preference("tabs", "four spaces", "project")
    db.memories.get("fact", "sky")
    db.memories.update(at.memory, confidence=0.5)
    db.memories.delete(db.memories.add("fact", "gone", "soon"))
    db.memories.search("sky blue")
    db.memories.flush_access()

    at.artifact = db.artifacts.add("out", "file", "a/b.txt", summary="s", metadata={"k": 1})
    db.human.resolve(db.human.request("confirmation", "ok?", ["yes", "no"]), "approved", True)
    db.human.cancel_interactive(db.human.request_interactive("talk", {"timeout": 5}))
    db.human.complete_interactive(
        db.human.request_interactive("talk"), {"said": "yes"}, transcript="…", duration=12
    )
    at.question = db.human.request("text", "why?")

    db.vcs.log_commit(
        vcs_type="git", commit_hash="abc", message="m", files_changed=["a"], insertions=1
    )
    db.vcs.log_snapshot(change_id="c1", files_modified=["a"], has_conflicts=True)
    at.review = db.vcs.log_review(
        target_type="commit", approved=False, summary="no", issues=[{"line": 1}], blocking=True
    )
    db.vcs.update_review(at.review, posted_to_github=True)
    db.vcs.add_report(type="warning", title="t", content="c", data={"n": 1}, severity="critical")

    at.frame = db.render_frames.store("<Root/>")
    db.build_state.handle_broken_build(at.agent)
    db.build_state.cleanup()
    db.build_state.mark_fixed(at.agent)
    done = db.vcs_queue.enqueue("commit", {"m": 1})
    item = db.vcs_queue.dequeue()
    assert item is not None
    assert item.id == done
    db.vcs_queue.complete(done)
    at.item = db.vcs_queue.enqueue("push", {})

    db.tickets.seed([ticket("T1", 1, tags=["m0"]), ticket("T2", 0, deps=["T1"])])
    db.tickets.update_status("T1", "in_progress")
    db.tickets.add_progress_note("T1", "half way")
    db.tickets.set_last_run("T1", report_path="r.md", goal="g")
    at.report = db.ticket_reports.add(
        ticket_id="T1", step_name="s", run_id="r1", report_type="ci", title="t", content="c"
    )
    db.tickets.create_from_triage(at.report, title="new", id="T3")
    other = db.ticket_reports.add(
        ticket_id="T1", step_name="s", run_id="r1", report_type="ci", title="t", content="c"
    )
    db.ticket_reports.mark_triaged(other, "internal_ticket", "T3")

    db.rate_limits.record(provider="p", model="m", requests_limit=10, tier="1")
    db.supersmithers.register_module("h", "s", "/m.tsx")
    db.supersmithers.record_analysis(
        module_hash="h", iteration=1, trigger="error", rewrite_recommended=True
    )
    version = db.supersmithers.add_version(
        module_hash="h", code_tsx="code", overlay_rel_path="o", trigger="error"
    )
    db.supersmithers.set_active_version("h", version)
    return at


def reads(db: SmithersDB, at: Toured) -> dict[str, tuple[Any, ...]]:
    """Every read method, by name, with the arguments that find what a tour left behind."""
    run = at.run
    return {
        "execution.current": (),
        "execution.get": (run,),
        "execution.list": (),
        "execution.find_incomplete": (),
        "execution.owner": (run,),
        "phases.current": (),
        "phases.get": (at.phase,),
        "phases.list": (run,),
        "agents.current": (),
        "agents.get": (at.agent,),
        "agents.list": (run,),
        "agents.list_for_phase": (at.phase,),
        "agents.stream_events": (at.agent,),
        "steps.current": (),
        "steps.get": (at.step,),
        "steps.list": (at.phase,),
        "steps.list_for_execution": (run,),
        "tasks.get": (at.task,),
        "tasks.list": (run,),
        "tasks.running_count": (1,),
        "tasks.total_count": (1,),
        "tasks.current_iteration": (),
        "tools.get": (at.call,),
        "tools.get_output": (at.call,),
        "tools.list": (at.agent,),
        "tools.list_for_execution": (run,),
        "state.get": ("key",),
        "state.get_all": (),
        "state.has": ("key",),
        "state.history": (),
        "state.at": (at.transition,),
        "memories.get": ("fact", "sky"),
        "memories.list": (),
        "memories.search": ("sky",),
        "memories.stats": (),
        "artifacts.get": (at.artifact,),
        "artifacts.list": (run,),
        "human.get": (at.question,),
        "human.list_pending": (),
        "vcs.get_commits": (),
        "vcs.get_commit": ("abc",),
        "vcs.get_snapshots": (),
        "vcs.get_reviews": (),
        "vcs.get_blocking_reviews": (),
        "vcs.get_reports": (),
        "vcs.get_critical_reports": (),
        "render_frames.get": (at.frame,),
        "render_frames.get_by_sequence": (0,),
        "render_frames.list": (run,),
        "render_frames.latest": (run,),
        "render_frames.count": (run,),
        "build_state.get": (),
        "vcs_queue.get": (at.item,),
        "vcs_queue.get_pending": (),
        "tickets.get": ("T1",),
        "tickets.list": (),
        "tickets.select_next": (),
        "tickets.are_deps_complete": ("T2",),
        "ticket_reports.get": (at.report,),
        "ticket_reports.get_by_run_id": ("r1",),
        "ticket_reports.get_by_ticket_id": ("T1",),
        "ticket_reports.get_untriaged": (),
        "ticket_reports.list_by_type": ("ci",),
        "rate_limits.latest": ("p", "m"),
        "supersmithers.get_module": ("h",),
        "supersmithers.list_analyses": ("h",),
        "supersmithers.list_versions": ("h",),
        "supersmithers.active_version": ("h",),
    }


def method(db: SmithersDB, name: str) -> Any:
    family, _, verb = name.partition(".")
    return getattr(getattr(db, family), verb)
