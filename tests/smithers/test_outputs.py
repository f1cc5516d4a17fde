"""Outputs off the row: there and synced before a row says so, and never silently gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from smithers_db import InvalidTransition, InvalidValue, OutputError, SmithersDB, create_smithers_db
from smithers_db.clock import later
from smithers_db.doctor import examine
from smithers_db.rows import ToolCall


@pytest.fixture
def agent(file_db: SmithersDB) -> str:
    file_db.execution.start("r", "f")
    return file_db.agents.start("a")


def files(db: SmithersDB) -> list[Path]:
    return sorted(db.outputs.files())


OUTPUTS = [
    "",
    "x",
    "x" * 1023,
    "x" * 1024,
    "é" * 600,
    "xé" * 600,
    "line\r\nline\n" * 500,
    "with a \0 in it",
    "x" * 1_000_000,
    b"",
    b"\x00\xff",
    bytes(range(256)) * 20,
]


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda o: f"{type(o).__name__}-{len(o)}")
def test_an_output_comes_back_as_it_was(
    file_db: SmithersDB, agent: str, output: str | bytes
) -> None:
    call = file_db.tools.start("Bash", {})
    file_db.tools.complete(call, output)
    found = file_db.tools.get_output(call)
    assert found == output
    assert type(found) is type(output)
    row = file_db.tools.get(call)
    data = output.encode() if isinstance(output, str) else output
    assert row is not None
    assert row.output_size_bytes == len(data)
    if len(data) < 1024 and b"\0" not in data:
        assert (row.output_path, files(file_db)) == (None, [])
        return
    assert row.output_inline is None
    assert row.output_path is not None
    assert Path(row.output_path).read_bytes() == data
    assert Path(row.output_path).name == f"{call}.txt"
    assert Path(row.output_path).parent.parts[-2:] == (".smithers", "outputs")
    hashed = subprocess.run(
        ["git", "hash-object", "--no-filters", row.output_path], capture_output=True, text=True
    )
    assert row.output_git_hash == hashed.stdout.strip()
    assert row.output_summary
    if isinstance(output, str):
        assert output.replace("\0", "\\0").startswith(row.output_summary)


def test_no_output_is_none(file_db: SmithersDB, agent: str) -> None:
    call = file_db.tools.start("Bash", {})
    assert file_db.tools.get_output(call) is None
    file_db.tools.complete(call)
    assert file_db.tools.get_output(call) is None


def test_a_missing_file_is_an_error(file_db: SmithersDB, agent: str) -> None:
    call = file_db.tools.start("Bash", {})
    file_db.tools.complete(call, "x" * 2000)
    (file,) = files(file_db)
    file.unlink()
    with pytest.raises(OutputError, match="missing"):
        file_db.tools.get_output(call)
    assert [finding.kind for finding in examine(file_db)] == ["missing output"]


@pytest.mark.parametrize("altered", [b"y" * 2000, b"x" * 1999])
def test_an_altered_file_is_an_error(file_db: SmithersDB, agent: str, altered: bytes) -> None:
    call = file_db.tools.start("Bash", {})
    file_db.tools.complete(call, "x" * 2000)
    files(file_db)[0].write_bytes(altered)
    with pytest.raises(OutputError, match=r"altered|1999 bytes"):
        file_db.tools.get_output(call)


def test_an_output_that_is_no_text_is_refused(file_db: SmithersDB, agent: str) -> None:
    call = file_db.tools.start("Bash", {})
    for output in ("\ud800" * 2000, 5, ["x"]):
        with pytest.raises(InvalidValue):
            file_db.tools.complete(call, output)  # type: ignore[arg-type]
    assert file_db.tools.get(call).status == "running"  # type: ignore[union-attr]
    assert files(file_db) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    with create_smithers_db(tmp_path / "a.db", outputs=tmp_path / "taken") as db:
        db.execution.start("r", "f")
        db.agents.start("a")
        call = db.tools.start("Bash", {})
        with pytest.raises(OSError, match="taken"):
            db.tools.complete(call, "x" * 2000)
        assert db.tools.get(call).status == "running"  # type: ignore[union-attr]


def test_completing_twice_leaves_the_first_file_alone(file_db: SmithersDB, agent: str) -> None:
    call = file_db.tools.start("Bash", {})
    file_db.tools.complete(call, "x" * 2000)
    with pytest.raises(InvalidTransition):
        file_db.tools.complete(call, "y" * 2000)
    assert file_db.tools.get_output(call) == "x" * 2000
    assert len(files(file_db)) == 1


def test_the_loser_of_a_race_leaves_the_winners_file_alone(
    file_db: SmithersDB, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = file_db.tools.start("Bash", {})
    stage = file_db.outputs.stage

    def slow(data: bytes) -> Path:
        staged = stage(data)
        monkeypatch.undo()
        file_db.tools.complete(call, "the winner " * 200)
        return staged

    monkeypatch.setattr(file_db.outputs, "stage", slow)
    with pytest.raises(InvalidTransition):
        file_db.tools.complete(call, "the loser " * 200)
    assert file_db.tools.get_output(call) == "the winner " * 200
    assert len(files(file_db)) == 1


def test_nothing_is_left_when_the_commit_fails(file_db: SmithersDB, agent: str) -> None:
    call = file_db.tools.start("Bash", {})
    with pytest.raises(KeyboardInterrupt), file_db.db.transaction():
        file_db.tools.complete(call, "x" * 2000)
        raise KeyboardInterrupt
    assert file_db.tools.get(call).status == "running"  # type: ignore[union-attr]
    found = examine(file_db, repair=True)
    assert [(finding.kind, finding.repaired) for finding in found] == [("orphan output", True)]
    assert files(file_db) == []
    file_db.tools.complete(call, "y" * 2000)
    assert file_db.tools.get_output(call) == "y" * 2000


def test_an_interrupt_while_subscribers_are_told_keeps_the_file(
    file_db: SmithersDB, agent: str
) -> None:
    call = file_db.tools.start("Bash", {})

    def interrupted(row: Any) -> None:
        if row.status == "completed":
            raise KeyboardInterrupt

    file_db.observe(file_db.tools.get, call).subscribe(interrupted)
    with pytest.raises(KeyboardInterrupt):
        file_db.tools.complete(call, "x" * 5000)
    assert file_db.tools.get_output(call) == "x" * 5000


def test_deleting_a_run_removes_its_files_and_no_others(file_db: SmithersDB, agent: str) -> None:
    first = file_db.current.execution_id
    assert first is not None
    file_db.tools.complete(file_db.tools.start("Bash", {}), "x" * 2000)
    file_db.execution.start("other", "f")
    file_db.agents.start("a")
    kept = file_db.tools.start("Bash", {})
    file_db.tools.complete(kept, "y" * 2000)
    file_db.execution.delete(first)
    assert [file.stem for file in files(file_db)] == [kept]
    assert examine(file_db) == []


def test_a_row_deleted_by_hand_takes_its_file_along_later(file_db: SmithersDB, agent: str) -> None:
    file_db.tools.complete(file_db.tools.start("Bash", {}), "x" * 2000)
    file_db.db.execute("DELETE FROM tool_calls")
    assert [finding.kind for finding in examine(file_db, repair=True)] == ["orphan output"]
    assert files(file_db) == []
    assert file_db.db.query("SELECT * FROM discarded_outputs").get() == ()


def test_a_file_that_somebody_is_just_removing_is_no_orphan(
    file_db: SmithersDB, agent: str
) -> None:
    call = file_db.tools.start("Bash", {})
    file_db.tools.complete(call, "x" * 5000)
    file_db.db.execute("DELETE FROM tool_calls WHERE id = ?", (call,))
    assert examine(file_db) == []
    file_db.db.execute("UPDATE discarded_outputs SET discarded_at = ?", (later(-120_000),))
    assert [finding.kind for finding in examine(file_db)] == ["orphan output"]
    assert examine(file_db, repair=True)[0].repaired
    assert list(file_db.outputs.files()) == []
    assert examine(file_db) == []


def test_a_neighbours_files_are_left_alone(file_db: SmithersDB, tmp_path: Path) -> None:
    with create_smithers_db(tmp_path / "neighbour.db") as neighbour:
        neighbour.execution.start("r", "f")
        neighbour.agents.start("a")
        call = neighbour.tools.start("Bash", {})
        neighbour.tools.complete(call, "x" * 2000)
        assert examine(file_db, repair=True) == []
        assert neighbour.tools.get_output(call) == "x" * 2000


def test_a_folder_that_others_may_be_given_too_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    folder = tmp_path / "disk" / "outputs"
    with (
        create_smithers_db(tmp_path / "one" / "a.db", outputs=folder) as db,
        create_smithers_db(tmp_path / "two" / "b.db", outputs=folder) as other,
    ):
        other.execution.start("r", "f")
        other.agents.start("a")
        call = other.tools.start("Bash", {})
        other.tools.complete(call, "x" * 2000)
        assert examine(db, repair=True) == []
        assert other.tools.get_output(call) == "x" * 2000


def test_a_database_is_no_neighbour_of_itself_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with create_smithers_db(tmp_path / "link" / "a.db") as db:
        db.outputs.stage(b"").rename(tmp_path / "real" / ".smithers" / "outputs" / "left.txt")
        assert [finding.kind for finding in examine(db)] == ["orphan output"]


def test_a_file_outside_the_folder_is_never_removed(file_db: SmithersDB, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("keep me")
    run = file_db.execution.start("r", "f")
    file_db.agents.start("a")
    call = file_db.tools.start("Bash", {})
    file_db.tools.complete(call)
    file_db.db.execute("UPDATE tool_calls SET output_path = ?", (str(precious),))
    file_db.execution.delete(run)
    assert precious.read_text() == "keep me"


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", "/", "sub", "a\0b", "x" * 300, f"/{'y/' * 3000}z", "q" * 100_000],
    ids=lambda path: f"{path[:3]!r}-{len(path)}",
)
def test_a_path_that_names_no_file_is_in_nobodys_way(file_db: SmithersDB, path: str) -> None:
    run = file_db.execution.start("r", "f")
    file_db.agents.start("a")
    calls = [file_db.tools.start("Bash", {}) for _ in range(2)]
    for call in calls:
        file_db.tools.complete(call, "x" * 2000)
    (there,) = {file.parent for file in files(file_db)}
    (there / "sub").mkdir()
    (there / f"{calls[0]}.txt").unlink()
    update = "UPDATE tool_calls SET output_path = ? WHERE id = ?"
    file_db.db.execute(update, (path, calls[0]))
    with pytest.raises(OutputError, match="is missing"):
        file_db.tools.get_output(calls[0])
    assert [finding.kind for finding in examine(file_db)] == ["missing output"]
    file_db.execution.complete(run)
    assert file_db.prune(keep=0, dry_run=True).output_bytes == 2000
    assert file_db.prune(keep=0).output_bytes == 2000
    assert file_db.query("SELECT * FROM discarded_outputs").get() == ()
    assert [file.name for file in there.iterdir()] == ["sub"]
    assert examine(file_db, repair=True) == []


def test_a_file_whose_encoding_is_not_what_its_row_says(file_db: SmithersDB, agent: str) -> None:
    call = file_db.tools.start("Bash", {})
    file_db.tools.complete(call, b"\xff" * 2000)
    for encoding in ("utf-8", "no such one"):
        file_db.db.execute("UPDATE tool_calls SET output_encoding = ?", (encoding,))
        with pytest.raises(OutputError, match=encoding):
            file_db.tools.get_output(call)


def test_a_moved_database_finds_its_files(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with create_smithers_db(tmp_path / "one" / "a.db") as db:
        db.execution.start("r", "f")
        db.agents.start("a")
        call = db.tools.start("Bash", {})
        db.tools.complete(call, "x" * 2000)
    (tmp_path / "one").rename(tmp_path / "two")
    with create_smithers_db(tmp_path / "two" / "a.db") as db:
        assert db.tools.get_output(call) == "x" * 2000


def test_the_folder_is_beside_the_file_that_a_uri_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()
    with create_smithers_db(f"file://{tmp_path}/a%20b/c.db?mode=rwc") as db:
        assert db.outputs.folder == tmp_path / "a b" / ".smithers" / "outputs"
        db.execution.start("r", "f")
        db.agents.start("a")
        call = db.tools.start("Bash", {})
        db.tools.complete(call, "x" * 2000)
        assert examine(db) == []
    with create_smithers_db(tmp_path / "a b" / "c.db") as db:
        assert db.tools.get_output(call) == "x" * 2000
    with create_smithers_db("file::memory:") as db:
        assert db.outputs.folder is None
    assert [file.name for file in tmp_path.iterdir()] == ["a b"]


def test_a_folder_given_relatively_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "later").mkdir()
    monkeypatch.chdir(tmp_path)
    with create_smithers_db("a.db", outputs="out") as db:
        db.execution.start("r", "f")
        db.agents.start("a")
        monkeypatch.chdir(tmp_path / "later")
        call = db.tools.start("Bash", {})
        db.tools.complete(call, "x" * 2000)
    assert [file.parent for file in tmp_path.rglob(f"{call}.txt")] == [tmp_path / "out"]
    with create_smithers_db(tmp_path / "a.db") as db:  # which would keep its own elsewhere
        assert db.tools.get_output(call) == "x" * 2000


def test_who_looks_in_another_folder_leaves_the_files_to_who_has_them(tmp_path: Path) -> None:
    path, folder = tmp_path / "a.db", tmp_path / "disk"
    with create_smithers_db(path, outputs=folder) as db:
        for _ in range(2):
            with db.execution.running("r", "f"), db.agents.running("a"):
                db.tools.complete(db.tools.start("Bash", {}), "x" * 2000)
    with create_smithers_db(path) as elsewhere:
        assert elsewhere.prune(keep=0, dry_run=True).output_bytes == 0
        assert elsewhere.prune(keep=1).output_bytes == elsewhere.prune(keep=0).output_bytes == 0
        elsewhere.db.execute("UPDATE discarded_outputs SET discarded_at = ?", (later(-120_000),))
        found = examine(elsewhere, repair=True)
        assert [(finding.kind, finding.repaired) for finding in found] == [
            ("orphan output", False)
        ] * 2
        assert {
            file.name in finding.detail
            for file, finding in zip(
                sorted(folder.iterdir()), sorted(found, key=lambda f: f.detail), strict=True
            )
        } == {True}
    with create_smithers_db(path, outputs=folder) as db:
        db.prune(keep=0)
        assert list(folder.iterdir()) == []
        assert db.query("SELECT * FROM discarded_outputs").get() == ()
        assert examine(db) == []


def test_a_database_in_memory_leaves_nothing(db: SmithersDB) -> None:
    db.execution.start("r", "f")
    db.agents.start("a")
    call = db.tools.start("Bash", {})
    db.tools.complete(call, "x" * 2000)
    folder = db.outputs.folder
    assert folder is not None
    assert db.tools.get_output(call) == "x" * 2000
    db.close()
    assert not folder.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_the_end_of_a_child_leaves_its_parents_temporary_files() -> None:
    # In a process of its own: a test's child that really ends would end the tests.
    ending = (
        "import os, sys; from smithers_db import create_smithers_db; db = create_smithers_db();"
        "db.execution.start('r', 'f'); db.agents.start('a'); call = db.tools.start('Bash', {});"
        "db.tools.complete(call, 'x' * 2000); child = os.fork(); child or sys.exit();"
        "os.waitpid(child, 0); print(len(db.tools.get_output(call)), db.outputs.folder)"
    )
    done = subprocess.run(
        [sys.executable, "-c", ending],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    size, folder = done.stdout.split()
    assert size == "2000"
    assert not Path(folder).exists()


def test_a_prune_counts_the_bytes_that_it_frees(file_db: SmithersDB) -> None:
    with file_db.execution.running("r", "f"), file_db.agents.running("a"):
        calls = [file_db.tools.start("Bash", {}) for _ in range(2)]
        for call in calls:
            file_db.tools.complete(call, "x" * 2000)
    file_db.outputs.path_of(calls[0]).unlink()
    assert file_db.prune(keep=0, dry_run=True).output_bytes == 2000
    assert file_db.prune(keep=0).output_bytes == 2000


class _UndoError(Exception):
    pass


def test_a_prune_removes_what_undone_completions_left(file_db: SmithersDB, tmp_path: Path) -> None:
    create_smithers_db(tmp_path / "neighbour.db").close()  # whose files may be in the folder
    with file_db.execution.running("r", "f"), file_db.agents.running("a"):
        call = file_db.tools.start("Bash", {})
        with pytest.raises(_UndoError), file_db.db.transaction():
            file_db.tools.complete(call, "x" * 2000)
            raise _UndoError
    running = file_db.execution.start("r", "f")
    file_db.agents.start("a")
    named = file_db.tools.start("Bash", {})
    file_db.tools.complete(named, "y" * 2000)
    staged = [file_db.outputs.stage(b"killed"), file_db.outputs.stage(b"at it")]
    os.utime(staged[0], (0, 0))
    others = file_db.outputs.path_of("of-a-neighbour")
    others.write_text("not ours")
    before = set(files(file_db))
    assert file_db.prune(keep=9, dry_run=True).output_bytes == 2006
    assert set(files(file_db)) == before
    assert file_db.prune(keep=0).output_bytes == 2006
    assert set(files(file_db)) == {others, staged[1], file_db.outputs.path_of(named)}
    assert file_db.execution.get(running) is not None


CRASH = """
import os, sys
from smithers_db import create_smithers_db
from smithers_db.outputs import Outputs
db = create_smithers_db(sys.argv[1])
db.execution.start("r", "f"); db.agents.start("a"); call = db.tools.start("Bash", {})
place = Outputs.place
def crash(self, staged, id):
    place(self, staged, id)
    os.kill(os.getpid(), 9)
Outputs.place = crash
db.tools.complete(call, "x" * 2000)
"""


def test_a_crash_between_file_and_row_leaves_an_orphan_that_is_found(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(tmp_path / "a.db")],
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.returncode == -9
    with create_smithers_db(tmp_path / "a.db") as db:
        (call,) = db.query("SELECT id, status, output_path FROM tool_calls").get()
        assert (call.status, call.output_path) == ("running", None)
        assert {finding.kind for finding in examine(db)} == {"orphan output", "dead run"}
        assert any(f.kind == "orphan output" and f.repaired for f in examine(db, repair=True))
        assert files(db) == []


@pytest.mark.parametrize("output", [None, "text", b"bytes"])
def test_the_row_type_tells_what_an_inline_output_is(
    file_db: SmithersDB, agent: str, output: str | bytes | None
) -> None:
    call = file_db.tools.start("Bash", {})
    file_db.tools.complete(call, output)
    row = file_db.tools.get(call)
    assert row is not None
    assert row.output_inline == output
    assert type(output) in get_args(get_type_hints(ToolCall)["output_inline"])
