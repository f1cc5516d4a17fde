"""Lists of thousands of rows: whole, or page by page from the newest."""

from __future__ import annotations

from typing import Any

import pytest

from smithers_db import InvalidValue, NotFound, SmithersDB


def lists(db: SmithersDB, run: str) -> dict[str, Any]:
    """A list of each paged kind with seven rows: the method and its argument."""
    phase = db.phases.start("all")
    for number in range(6):
        db.phases.start(f"p{number}")
    with db.context(phase_id=phase):
        for number in range(7):
            db.steps.start(f"s{number}", phase_id=phase)
            db.tasks.start("Claude", str(number))
            db.artifacts.add(str(number), "file", "f")
            db.render_frames.store(f"<Root n='{number}'/>")
    for number in range(7):
        agent = db.agents.start(f"a{number}", phase_id=phase)
    for number in range(7):
        db.tools.start("Bash", number, agent_id=agent)
    return {
        "phases": (db.phases.list, run),
        "steps": (db.steps.list, phase),
        "steps of a run": (db.steps.list_for_execution, run),
        "tasks": (db.tasks.list, run),
        "agents": (db.agents.list, run),
        "agents of a phase": (db.agents.list_for_phase, phase),
        "tools": (db.tools.list, agent),
        "tools of a run": (db.tools.list_for_execution, run),
        "artifacts": (db.artifacts.list, run),
        "frames": (db.render_frames.list, run),
    }


def test_pages_from_the_newest_make_the_whole(db: SmithersDB, run: str) -> None:
    for kind, (listed, of) in lists(db, run).items():
        whole = listed(of)
        assert len(whole) == 7, kind
        mark = (lambda row: row.sequence_number) if kind == "frames" else (lambda row: row.id)
        pages = []
        before = None
        while page := listed(of, limit=3, before=before):
            pages.insert(0, page)
            before = mark(page[0])
        assert [len(page) for page in pages] == [1, 3, 3], kind
        assert [row for page in pages for row in page] == list(whole), kind
        assert list(listed(of, before=mark(whole[4]))) == list(whole[:4]), kind
        assert list(listed(of, limit=0)) == [], kind
        assert list(listed(of, limit=99)) == list(whole), kind


def test_a_page_before_nothing(db: SmithersDB, run: str) -> None:
    with pytest.raises(NotFound):
        db.agents.list(run, before="nobody")
    with pytest.raises(InvalidValue):
        db.render_frames.list(run, before="first")  # type: ignore[arg-type]


def test_a_page_is_live(db: SmithersDB, run: str) -> None:
    seen: list[list[str]] = []
    db.observe(db.agents.list, run, limit=2).subscribe(
        lambda rows: seen.append([row.prompt for row in rows])
    )
    for number in range(3):
        db.agents.start(str(number))
    assert seen == [[], ["0"], ["0", "1"], ["1", "2"]]
