"""The long random test: `python -m tests.properties.fuzz --seconds 600 --seed 1`.

Each round is one random program of its own seed on a new database. It prints what it did every ten
seconds; a failure is minimised and printed as a regression, ready for `tests/regressions/`.
The exit status is 1 when anything failed.
"""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import logging
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from .generate import Generator
from .machine import machine
from .minimise import failure_of, minimise
from .phases import PhaseRun
from .program import Program
from .watch import Broken, TooDear

STEPS = 60
HANG_SECONDS = 120


def one_round(
    seed: int, counts: Counter[str], steps: int = STEPS
) -> tuple[str, str, Program] | None:
    """One program; (kind, text, program) when it failed."""
    random = Random(seed)
    on_file = random.random() < 0.7
    listens = random.random() < 0.4
    maintain = random.choice(("always", "always", "auto", "never"))
    with machine(on_file=on_file, maintain=maintain, listens=listens) as made:
        generator = Generator(made.twin, keys_only=random.random() < 0.15)
        found: tuple[str, str] | None = None
        try:
            for op in generator.opening(random):
                made.step(op)
            if random.random() < 0.2:
                PhaseRun(made, generator, random).run()
            for _ in range(random.randint(5, steps)):
                made.step(generator.next(random))
            made.finish()
        except TooDear:
            counts["given up"] += 1
        except Broken as broken:
            found = broken.kind, str(broken)
        except Exception as error:  # noqa: BLE001 - whatever comes out of the database is the finding
            found = f"raised {type(error).__name__}", traceback.format_exc()
        counts.update(made.counts)
        program = Program(tuple(made.history), on_file, maintain=maintain, listens=listens)
    return None if found is None else (*found, program)


def report(seed: int, kind: str, text: str, program: Program, folder: Path | None) -> None:
    """Minimise, print, and save when a folder is given."""
    print(f"\nFAILED seed {seed}: {kind}\n{text[:3000]}", flush=True)
    again = failure_of(program)
    if again is None or again[0] != kind:
        print(f"its operations alone do not fail ({again}); replay with --seed {seed} --rounds 1")
        shortest = program
    else:
        shortest = minimise(program, kind)
        again = failure_of(shortest)
    told = again[1] if again else text
    about = f"{kind}; seed {seed}\n" + "\n".join(told.splitlines()[:6])[:900]
    shortest = dataclasses.replace(shortest, about=about)
    print(f"--- regression ({len(shortest.ops)} operations) ---\n{shortest}---", flush=True)
    if folder is not None:
        name = "-".join(kind.lower().split())
        (folder / f"{name}-{seed}.sql").write_text(str(shortest), encoding="utf-8")


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()) * 1000)
    parser.add_argument("--rounds", type=int, default=0, help="stop after so many programs")
    parser.add_argument("--steps", type=int, default=STEPS, help="the most operations of a program")
    parser.add_argument("--stop-on-first", action="store_true")
    parser.add_argument("--save", type=Path, default=None, help="folder for minimised failures")
    arguments = parser.parse_args()
    logger = logging.getLogger("reactive_sqlite")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False  # the machine listens
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    started = told = time.monotonic()
    seed = arguments.seed
    print(f"first seed {seed}", flush=True)
    while time.monotonic() - started < arguments.seconds:
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        found = one_round(seed, counts, arguments.steps)
        counts["rounds"] += 1
        if found is not None:
            kinds[found[0]] += 1
            if kinds[found[0]] <= 3:
                faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
                report(seed, *found, arguments.save)
            else:
                print(f"FAILED seed {seed}: {found[0]}: {found[1][:300]}", flush=True)
            if arguments.stop_on_first:
                break
        seed += 1
        if arguments.rounds and counts["rounds"] >= arguments.rounds:
            break
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print(
                f"{told - started:5.0f} s  {summary(counts)}  failures {kinds.total()}", flush=True
            )
    faulthandler.cancel_dump_traceback_later()
    print(f"done: {summary(counts)}, stale or wrong {kinds.total()} {dict(kinds) or ''}")
    print(f"replay the first program with --seed {arguments.seed} --rounds 1")
    return 1 if kinds else 0


def summary(counts: Counter[str]) -> str:
    names = ("rounds", "operations", "checks", "values compared", "watches", "phases", "given up")
    return ", ".join(f"{counts[name]} {name}" for name in names)


if __name__ == "__main__":
    sys.exit(main())
