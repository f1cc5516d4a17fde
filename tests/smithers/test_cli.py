"""The command: what it prints, piped and as JSON, and with which status it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smithers_db import create_smithers_db

from . import original
from .tour import tour

ROOT = Path(__file__).parents[2]
MAIN = "from smithers_db.cli import main; main()"
VERBS = ["runs", "show", "tail", "stats", "doctor", "migrate", "export", "prune"]


def command(*args: Any, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


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
    found = json.loads(command("show", path, run, "--json").stdout)
    assert found["execution"]["id"] == run
    assert found["state"]["key"] == {"a": 1}
    assert len(found["agents"]) == 3


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


def test_export_holds_everything(toured: tuple[Path, str]) -> None:
    path, run = toured
    lines = [json.loads(line) for line in command("export", path, run).stdout.splitlines()]
    tables = {line["table"] for line in lines}
    assert {"executions", "agents", "agent_stream_events", "tool_calls", "transitions"} <= tables
    assert lines[0]["row"]["config"] == {"model": "sonnet"}
    outputs = [line["row"]["output"] for line in lines if line["table"] == "tool_calls"]
    assert "x" * 5000 in outputs


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
    assert "output files" in command("stats", path).stdout
    nothing = command("prune", path)
    assert (nothing.returncode, "say what to prune" in nothing.stderr) == (2, True)


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
    assert (mended.returncode, mended.stdout.count("(mended)")) == (1, 2)
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


def test_no_such_run(toured: tuple[Path, str]) -> None:
    done = command("show", toured[0], "nobody")
    assert (done.returncode, done.stderr) == (2, "smithers-db: no such run: nobody\n")


def test_the_demo_proves_itself() -> None:
    done = command("demo", timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "finished ones run again: 0" in done.stdout
    assert " 0 stale; " in done.stdout
