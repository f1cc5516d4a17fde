"""A process that writes until it is killed: `python -m tests.crash.writer KIND PATH NUMBER`.

It prints the number of each commit once the commit is done; what it has printed must be there
after its death.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from random import Random

from reactive_sqlite import ReactiveDatabase

ACCOUNTS = 10
TOTAL = 1000

SCHEMA = """
CREATE TABLE IF NOT EXISTS account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ledger(writer INTEGER, number INTEGER, PRIMARY KEY (writer, number));
CREATE VIRTUAL TABLE IF NOT EXISTS note USING fts5(body);
"""


def money(path: str, number: int) -> Iterator[int]:
    """Moves money between accounts; each transfer is a transaction of several statements."""
    random = Random(number)
    with ReactiveDatabase(path) as db:
        db.query_value("SELECT sum(balance) FROM account").subscribe(lambda _: None)
        for turn in itertools.count():
            giver, taker = random.sample(range(ACCOUNTS), 2)
            amount = random.randint(1, 5)
            with db.transaction():
                db.execute("UPDATE account SET balance = balance - ? WHERE id = ?", (amount, giver))
                db.execute("INSERT INTO note(body) VALUES (?)", (f"writer {number} turn {turn}",))
                db.execute("INSERT INTO ledger VALUES (?, ?)", (number, turn))
                db.execute("UPDATE account SET balance = balance + ? WHERE id = ?", (amount, taker))
            yield turn


def agents(path: str, number: int) -> Iterator[int]:
    """An orchestrator's run: agents that start and complete, state that is set."""
    from smithers_db import create_smithers_db

    with create_smithers_db(path) as db:
        db.execution.start(f"run {number}", "main.tsx")
        for turn in itertools.count():
            with db.phases.running(f"phase {turn}"):
                agent = db.agents.start(f"prompt {number} {turn}")
                db.state.set(f"writer{number}", turn)
                db.agents.complete(agent, "done", tokens_input=1, tokens_output=2)
            yield turn


KINDS: dict[str, Callable[[str, int], Iterator[int]]] = {"money": money, "agents": agents}


def main() -> None:
    kind, path, number = sys.argv[1:]
    for turn in KINDS[kind](path, int(number)):
        print(turn, flush=True)


if __name__ == "__main__":
    main()
