"""The command: what it prints, piped and as JSON, and with which status it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import apsw
import pytest
import typer
from rich.cells import cell_len

from reactive_sqlite import ReactiveDatabase
from smithers_db import create_smithers_db
from smithers_db.cli import looking, opening
from smithers_db.export import count_of, lines_of
from smithers_db.follow import changes, label
from smithers_db.rows import ROW_TYPES
from smithers_db.table import Table
from smithers_db.tables.phases import Phases

from . import original
from .commands import ROOT, command, in_terminal
from .tour import tour

MAIN = "from smithers_db.cli import main; main()"
VERBS = ["runs", "show", "tail", "stats", "doctor", "migrate", "export", "prune"]


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("cli") / "a.db"
    with create_smithers_db(path) as db:
        return path, tour(db).run


def test_importing_the_package_imports_no_terminal() -> None:
    code = "import sys, smithers_db; sys.exit(bool({'typer', 'rich'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0


def test_runs(toured: tuple[Path, str]) -> None:
    path, run = toured
    plain = command("runs", path)
    assert plain.returncode == 0
    assert plain.stdout.splitlines()[0].split("\t")[:3] == [run, "tour", "dead"]
    found = json.loads(command("runs", path, "--json", "--limit", 2).stdout)
    assert [(row["name"], row["dead"]) for row in found] == [("tour", True), ("fourth", False)]


def test_show(toured: tuple[Path, str]) -> None:
    path, run = toured
    plain = command("show", path, run[-6:])
    assert plain.returncode == 0
    assert "\tfix it\tcompleted\t" in plain.stdout
    kinds = {line.split("\t")[0] for line in plain.stdout.splitlines()}
    assert kinds == {
        "execution",
        "phases",
        "steps",
        "tasks",
        "agents",
        "tool_calls",
        "questions",
    } | {"state"}
    found = json.loads(command("show", path, run, "--json").stdout)
    assert found["execution"]["id"] == run
    assert found["state"]["key"] == {"a": 1}
    assert len(found["agents"]) == 3


def test_an_export_is_one_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db, create_smithers_db(path) as other:
        run, agent = db.execution.start("r", "f"), db.agents.start("a")
        late = db.tools.start("Bash", {})
        early = db.tools.start("Bash", {})
        db.tools.complete(early, "x" * 5000)
        before = list(lines_of(db, run))
        read = Table.values

        def meanwhile(table: Table[Any], *args: Any) -> Any:
            rows = read(table, *args)
            if table.name == "executions":
                other.tools.complete(other.tools.start("Read", {}, agent), "y" * 5000)
            return rows

        monkeypatch.setattr(Table, "values", meanwhile)
        lines = lines_of(db, run)
        given = [next(lines)]
        other.tools.complete(late, "z" * 5000)
        assert given + list(lines) == before
        lines = lines_of(db, run)
        next(lines)
        db.execution.delete(run)
        rows = [json.loads(line) for line in lines]
        outputs = {row["row"]["id"]: row["row"] for row in rows if row["table"] == "tool_calls"}
        assert "missing" in outputs[early]["output_error"]


def test_what_show_shows_is_one_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with create_smithers_db(tmp_path / "a.db") as db:
        run = db.execution.start("r", "f")
        read = Phases.list

        def meanwhile(phases: Phases, *args: Any) -> Any:
            found = read(phases, *args)
            db.agents.start("of a phase that was not there yet")
            return found

        monkeypatch.setattr(Phases, "list", meanwhile)
        looking.show(tmp_path / "a.db", run, json=True)
        shown = json.loads(capsys.readouterr().out)
        assert (shown["execution"]["total_agents"], shown["agents"]) == (0, [])


def test_tail_ends_with_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        run = db.execution.start("r", "f")
        tail = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from smithers_db.cli import main; main()",
                "tail",
                path,
                run,
                "--json",
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline())["kind"] == "run"
        with db.phases.running("build"):
            first = json.loads(tail.stdout.readline())
            assert (first["kind"], first["row"]["status"]) == ("phase", "running")
        assert json.loads(tail.stdout.readline())["row"]["status"] == "completed"
        db.execution.complete(run)
        rest, _ = tail.communicate(timeout=30)
        assert json.loads(rest)["row"]["status"] == "completed"
    assert tail.returncode == 0
    plain = command("tail", path, run, "--no-follow")
    assert [line.split()[1:4] for line in plain.stdout.splitlines()] == [
        ["phase", "completed", "build"],
        ["run", "completed", "r"],
    ]


def test_tail_tells_what_became_of_a_question(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        run = db.execution.start("r", "f")
        question = db.human.request("confirmation", "Deploy?")
        told = changes(db, run)
        assert [next(told)[1].status for _ in range(2)] == ["running", "pending"]
        db.human.resolve(question, "approved")
        db.execution.complete(run)
        assert [(kind, row.status) for kind, row in told] == [
            ("question", "approved"),
            ("run", "completed"),
        ]
    plain = command("tail", path, run, "--no-follow")
    assert [line.split()[1:4] for line in plain.stdout.splitlines()] == [
        ["question", "approved", "Deploy?"],
        ["run", "completed", "r"],
    ]


def test_tail_tells_apart_rows_of_two_kinds_with_one_id(tmp_path: Path) -> None:
    """Files of the original have any ids."""
    with create_smithers_db(tmp_path / "a.db") as db:
        run = db.execution.start("r", "f")
        insert = (
            "INSERT INTO {} (id, execution_id, {}, status, created_at) VALUES ('1', ?, 'x', ?, '')"
        )
        db.db.execute(insert.format("phases", "name"), (run, "running"))
        db.db.execute(insert.format("steps", "name"), (run, "completed"))
        db.db.execute(insert.format("agents", "prompt"), (run, "completed"))
        told = changes(db, run)
        first = [next(told) for _ in range(4)]
        assert sorted(kind for kind, _ in first) == ["agent", "phase", "run", "step"]
        db.phases.start("later")
        db.execution.complete(run)
        assert [(kind, label(row)) for kind, row in told] == [("phase", "later"), ("run", "r")]


def test_tail_says_that_a_run_is_dead_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        run = db.execution.start("r", "f")
    for json_ in ([], ["--json"]):
        done = command("tail", path, run, "--no-follow", *json_)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
        assert done.stderr.startswith("smithers-db: this run is dead")
        assert len(done.stderr.splitlines()) == 1
    with create_smithers_db(path) as db:
        assert [kind for kind, _ in changes(db, run, follow=False)] == ["run", "dead"]
        told = changes(db, run)
        assert [next(told)[0] for _ in range(2)] == ["run", "dead"]
        db.execution.resume(run)
        db.phases.start("p")
        assert next(told)[0] == "phase"
        db.execution.complete(run)
        assert [(kind, row.status) for kind, row in told] == [("run", "completed")]
    assert command("tail", path, run).stderr == ""


@pytest.mark.parametrize("status", ["cancelled", "of another program"])
def test_a_run_that_ended_at_no_known_time_has_ended(tmp_path: Path, status: str) -> None:
    looks = iter(range(5))
    with create_smithers_db(tmp_path / "a.db") as db:
        run = db.execution.start("r", "f")
        db.db.execute("UPDATE executions SET status = ?", (status,))
        db.db.execute("UPDATE execution_owners SET owner_id = NULL")
        told = [kind for kind, _ in changes(db, run, is_read=lambda: next(looks, None) is not None)]
        assert told == ["run"]
        assert next(looks) < 4, "it would go on for ever"


def test_tail_says_that_the_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        run = db.execution.start("r", "f")
        program = "from smithers_db.cli import main; main()"
        tail = subprocess.Popen(
            [sys.executable, "-c", program, "tail", path, run],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert tail.stdout is not None
        tail.stdout.readline()
        path.rename(tmp_path / "b.db")
        _, complaint = tail.communicate(timeout=30)
    assert tail.returncode == 2
    assert "was deleted or moved while it was open" in complaint.splitlines()[-1]


def test_letters_that_the_output_does_not_know(tmp_path: Path) -> None:
    with create_smithers_db(tmp_path / "a.db") as db:
        run = db.execution.start("é長", "f")
    arguments = "tail", tmp_path / "a.db", run, "--no-follow"
    assert command(*arguments, encoding="ascii").stdout.endswith("\\xe9\\u9577\n")
    found = command(*arguments, "--json", encoding="ascii").stdout
    assert json.loads(found)["row"]["name"] == "é長"


def test_export_holds_everything(toured: tuple[Path, str]) -> None:
    path, run = toured
    lines = [json.loads(line) for line in command("export", path, run).stdout.splitlines()]
    tables = {line["table"] for line in lines}
    with create_smithers_db(path) as db:
        filled = {
            name
            for name, row_type in ROW_TYPES.items()
            if {"execution_id", "agent_id"} & {*row_type.__struct_fields__}
            and db.query(f"SELECT 1 FROM {name}").get()
        }
        assert count_of(db, run) == len(lines)
    assert tables == {"executions", *filled}
    assert lines[0]["row"]["config"] == {"model": "sonnet"}
    outputs = [line["row"]["output"] for line in lines if line["table"] == "tool_calls"]
    assert "x" * 5000 in outputs
    for line in lines:
        hints = get_type_hints(ROW_TYPES[line["table"]])
        flags = {name for name in line["row"] if hints.get(name) is bool}
        assert {type(line["row"][name]) for name in flags} <= {bool}, line


def test_prune_and_stats(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        tour(db)
    dry = json.loads(command("prune", path, "--keep", 1, "--dry-run", "--json").stdout)
    assert (len(dry["executions"]), dry["dry_run"]) == (2, True)
    plain = command("prune", path, "--keep", 1, "--older-than", "0s")
    assert plain.stdout.startswith("removed 2 runs, ")
    stats = json.loads(command("stats", path, "--json").stdout)
    assert {run["name"] for run in stats["runs"]} == {"tour", "fourth"}
    assert "1 output file, 4.9 KiB" in command("stats", path).stdout
    nothing = command("prune", path)
    assert (nothing.returncode, "say what to prune" in nothing.stderr) == (2, True)


@pytest.mark.parametrize("age", ["30days", "", "-3d", "99999999999d", "999999d", "now\x1b[31m"])
def test_what_is_no_age_is_refused_in_words(toured: tuple[Path, str], age: str) -> None:
    refused = command("prune", toured[0], "--older-than", age, "--dry-run")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    assert "30d" in refused.stderr
    assert refused.stderr.rstrip().isprintable()


def test_a_prune_of_nothing_in_particular_is_told_the_options(toured: tuple[Path, str]) -> None:
    refused = command("prune", toured[0])
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    assert "--keep" in refused.stderr
    assert "--older-than" in refused.stderr


def test_a_file_that_cannot_be_opened_comes_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unopened(path: Any, **_: Any) -> Any:
        error = apsw.ReadOnlyError("attempt to write a readonly database")
        error.add_note("while running: SELECT 1")
        error.add_note("while opening 'a.db': its folder cannot be written to")
        raise error

    (tmp_path / "a.db").touch()
    monkeypatch.setattr(opening, "ReactiveDatabase", unopened)
    with pytest.raises(typer.Exit), opening.opened(tmp_path / "a.db"):
        pass
    said = capsys.readouterr().err
    assert said.startswith("smithers-db: ")
    assert said.endswith("readonly database: its folder cannot be written to\n")


def test_doctor_finds_and_mends(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        db.execution.complete(db.execution.start("r", "f"))
    well = command("doctor", path)
    assert (well.returncode, well.stdout) == (0, "all is well\n")
    with create_smithers_db(path) as db:
        run = db.execution.start("dead", "f")
        db.db.execute("UPDATE executions SET total_agents = 7 WHERE id = ?", (run,))
    (tmp_path / ".smithers" / "outputs").mkdir(parents=True)
    (tmp_path / ".smithers" / "outputs" / "lost.txt").write_text("x")
    found = command("doctor", path, "--json")
    assert found.returncode == 1
    kinds = {row["kind"] for row in json.loads(found.stdout)}
    assert kinds == {
        "rollup",
        "orphan output",
        "dead run",
    }
    mended = command("doctor", path, "--repair")
    assert (mended.returncode, mended.stdout.count("\tmended")) == (1, 2)
    assert command("doctor", path, "--repair", "--end-dead").returncode == 0
    assert command("doctor", path).returncode == 0


def test_migrate(tmp_path: Path) -> None:
    path = original.make(tmp_path / "a.db")
    before = path.read_bytes()
    refused = command("runs", path)
    assert (refused.returncode, "smithers-db migrate" in refused.stderr) == (2, True)
    dry = command("migrate", path, "--dry-run")
    assert (dry.returncode, dry.stdout.startswith("would apply 0001_initial")) == (0, True)
    assert path.read_bytes() == before
    report = json.loads(command("migrate", path, "--json").stdout)
    assert Path(report["backup"]).is_file()
    assert command("migrate", path).stdout == "nothing to do\n"
    assert command("runs", path).returncode == 0


@pytest.mark.parametrize("verb", ["runs", "migrate"])
def test_a_database_of_something_else_is_not_sent_to_migrate(tmp_path: Path, verb: str) -> None:
    path = tmp_path / "places.db"
    with ReactiveDatabase(path) as db:
        db.execute("CREATE TABLE moz_places(id INTEGER PRIMARY KEY)")
    done = command(verb, path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"smithers-db: {path}: this is no Smithers database: it holds moz_places, …\n"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_what_cannot_be_asked_about(tmp_path: Path, verb: str) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no database at all\n" * 100)
    run = ["x"] if verb in ("show", "tail", "export") else []
    for file in (tmp_path / "missing.db", tmp_path, text):
        done = command(verb, file, *run)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("smithers-db: ")
        assert len(done.stderr.splitlines()) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["notes.txt"]


NASTY = "[/] [bold]x[/bold] \x1b[31mred\x07 tab\there\nand a line, long " + "長い" * 60


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run in which every text is one that breaks a careless table."""
    path = tmp_path_factory.mktemp("cli") / "nasty.db"
    with create_smithers_db(path) as db:
        for _ in range(3):
            run = db.execution.start(NASTY, NASTY, {"config": NASTY})
            with pytest.raises(ValueError, match="red"), db.phases.running(NASTY):
                with db.steps.running(NASTY), db.agents.running(NASTY):
                    db.tasks.start(NASTY, NASTY)
                    db.human.request("confirmation", NASTY)
                    db.state.set(NASTY, {NASTY: NASTY})
                    db.tools.start(NASTY, NASTY)
                    raise ValueError(NASTY)
            db.execution.fail(run, NASTY)
        db.execution.start("left", "f")
    return path, run


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("verb", ["runs", "show", "tail", "stats", "doctor"])
def test_in_a_terminal_every_line_fits(nasty: tuple[Path, str], verb: str, columns: int) -> None:
    path, run = nasty
    args = [run] if verb in ("show", "tail") else []
    lines = in_terminal(verb, path, *args, columns=columns, colour=False)
    assert len(lines) > 5
    for written in lines:
        assert not re.search(r"\x1b\[3\d", written), written
        line = re.sub(r"\x1b\[[012]m", "", written)  # bold and dim are no colours
        assert line.isprintable(), line
        # What cannot be shortened is a sentence; the terminal breaks that.
        if "doctor" not in verb and not line.startswith(("file ", "4 runs", str(path))):
            assert cell_len(line) <= columns, line
    if verb in ("runs", "show", "tail") and columns == 200:
        assert any("[/] [bold]x[/bold] \\x1b[31mred\\x07 tab here and a line" in o for o in lines)


def test_in_a_terminal_colours_are_ours_alone(nasty: tuple[Path, str]) -> None:
    path, run = nasty
    written = "\n".join(in_terminal("show", path, run))
    assert "\x1b[31mfailed" in written
    assert "\x1b[31mred" not in written


@pytest.mark.parametrize("verb", ["runs", "show", "tail", "stats", "doctor"])
def test_piped_every_line_is_one_row(nasty: tuple[Path, str], verb: str) -> None:
    path, run = nasty
    done = command(verb, path, *([run] if verb in ("show", "tail") else []))
    assert done.stderr == ""
    for line in done.stdout.splitlines():
        assert line.replace("\t", "").isprintable(), line
    if verb == "runs":
        assert [len(line.split("\t")) for line in done.stdout.splitlines()] == [9] * 4


def test_what_another_program_left_is_shown_as_it_is(tmp_path: Path) -> None:
    """A status that is none of ours, a time that is none, a number that is none."""
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        run = db.execution.start("r", "f")
        for odd in ("abc", 9e999):
            phase = db.phases.start(NASTY)
            db.phases.complete(phase)
            db.db.execute(
                "UPDATE phases SET status = ?, completed_at = ?, duration_ms = ? WHERE id = ?",
                (NASTY, NASTY, odd, phase),
            )
        db.db.execute("UPDATE executions SET total_agents = 'abc', total_tokens_used = -9e999")
        db.execution.complete(run)
    for verb, shown in (("tail", ["abc", "inf"]), ("show", ["abc", "inf"]), ("runs", ["abc"])):
        args = [run, "--no-follow"] if verb == "tail" else [run] if verb == "show" else []
        piped = command(verb, path, *args)
        assert (piped.returncode, piped.stderr) == (0, "")
        screen = in_terminal(verb, path, *args, columns=400, colour=False)
        for written in (piped.stdout.splitlines(), screen):
            for line in written:
                plain = re.sub(r"\x1b\[[012]m", "", line) if written is screen else line
                assert plain.replace("\t", "").isprintable(), line
            for odd in shown:
                assert any(odd in line for line in written), written
    assert len(command("tail", path, run).stdout.splitlines()) == 3


def test_every_verb_has_json(nasty: tuple[Path, str]) -> None:
    path, run = nasty
    for verb in VERBS:
        args = {"show": [run], "tail": [run], "export": [run], "prune": ["--keep", "9"]}
        done = command(verb, path, *args.get(verb, []), "--json")
        assert done.returncode == (verb == "doctor"), done.stderr
        for line in done.stdout.splitlines():
            json.loads(line)
        assert done.stderr == ""


def test_why_a_file_is_refused_is_one_line_whatever_it_holds(tmp_path: Path) -> None:
    other = tmp_path / "an\x1b[31mother.db"
    with ReactiveDatabase(other) as db:
        db.execute('CREATE TABLE "\x1b[31mred\x07\nline"(x)')
    newer = tmp_path / "newer.db"
    with create_smithers_db(newer) as smithers:
        smithers.db.execute("INSERT INTO schema_migrations VALUES ('\x1b[31mred', '', '')")
    for path in (other, newer, tmp_path / "n\x1bne"):
        for verb in ("runs", "migrate"):
            done = command(verb, path)
            assert (done.returncode, done.stdout) == (2, "")
            (line,) = done.stderr.splitlines()
            assert line.isprintable(), line
            assert line.startswith("smithers-db: "), line


@pytest.mark.parametrize("verb", ["runs", "migrate"])
def test_a_file_whose_name_is_no_text(toured: tuple[Path, str], tmp_path: Path, verb: str) -> None:
    path = tmp_path / os.fsdecode(b"\xff.db")
    path.write_bytes(toured[0].read_bytes())
    done = command(verb, path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "\\udcff.db is no Unicode text" in done.stderr


def test_no_such_run(toured: tuple[Path, str]) -> None:
    done = command("show", toured[0], "nobody")
    assert (done.returncode, done.stderr) == (2, "smithers-db: no such run: nobody\n")


def test_the_demo_proves_itself() -> None:
    done = command("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "finished ones run again: 0" in done.stdout
    assert " 0 stale; " in done.stdout


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_tail_ends_when_nobody_reads_any_more(tmp_path: Path, options: list[str]) -> None:
    """Even if nothing happens to the run any more."""
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        run = db.execution.start("r", "f")
        program = [sys.executable, "-c", MAIN, "tail", str(path), run, *options]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(program, env=env, text=True, **streams) as tail:
            try:
                assert tail.stdout is not None
                tail.stdout.readline()
                tail.stdout.close()
                assert tail.wait(20) == 0
                assert tail.stderr is not None
                assert tail.stderr.read() == ""
            finally:
                tail.kill()


OUTPUTS: dict[str, list[str]] = {
    "runs": [],
    "show": ["RUN"],
    "export": ["RUN"],
    "tail": ["RUN", "--no-follow"],
    "stats": ["--json"],
    "prune": ["--keep", "99"],
}


@pytest.mark.parametrize("verb", OUTPUTS)
def test_an_output_that_takes_nothing(toured: tuple[Path, str], verb: str) -> None:
    path, run = toured
    words = [verb, str(path), *(run if word == "RUN" else word for word in OUTPUTS[verb])]

    def written_to(output: int) -> tuple[int, str]:
        program = [sys.executable, "-c", MAIN, *words]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        try:
            done = subprocess.run(
                program, env=env, stdout=output, stderr=subprocess.PIPE, text=True
            )
        finally:
            os.close(output)
        return done.returncode, done.stderr

    reader, writer = os.pipe()
    os.close(reader)  # who read is gone, and has read enough
    assert written_to(writer) == (0, "")
    if os.path.exists("/dev/full"):
        status, said = written_to(os.open("/dev/full", os.O_WRONLY))
        assert (status, said.count("\n")) == (2, 1)
        assert said.startswith("smithers-db: ")


def unstyled(screen: list[str]) -> list[str]:
    return [re.sub("\x1b\\[[0-9;]*m", "", line) for line in screen]


@pytest.mark.parametrize("columns", [40, 47, 60, 80])
def test_a_narrow_terminal_leaves_columns_out_before_it_shortens_ids(
    tmp_path: Path, columns: int
) -> None:
    path = tmp_path / "a.db"
    with create_smithers_db(path) as db:
        for number in range(3):
            with db.execution.running(f"a nightly build with a long name {number}", "f") as run:
                agent = db.agents.start("a long prompt, of several words")
                db.tools.complete(db.tools.start("Bash", {}), "x" * 5000)
                db.agents.fail(agent, "an error, of several words, too")
    ends = [row[-8:] for row in command("runs", path).stdout.split() if len(row) == 36]
    assert len(ends) == 3
    for verb in ("runs", "stats"):
        screen = unstyled(in_terminal(verb, path, columns=columns))
        assert sorted(line[:8] for line in screen if line[:8] in ends) == sorted(ends)
        (titles,) = (line.split() for line in screen if line.split()[:1] == ["run"])
        assert titles[1] == "name"
        assert "…" not in " ".join(titles)
    shown = unstyled(in_terminal("show", path, run, columns=columns))
    (failed,) = (line for line in shown if "failed" in line and line[:8] == agent[-8:])
    assert "an err" in failed
    assert all(cell_len(line) <= columns for line in shown)
    told = unstyled(in_terminal("tail", path, run, "--no-follow", columns=columns))
    assert len([line for line in told if "a long pro" in line]) == 1
    assert all(cell_len(line) <= columns for line in told)
