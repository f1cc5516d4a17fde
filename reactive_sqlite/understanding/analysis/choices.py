"""CASE and iif() in a condition: the branches, each with the condition as it is if it is taken."""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp

from reactive_sqlite.understanding.analysis.parse import unwrapped

_ONE_SIDED = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In)


class Branch(NamedTuple):
    """What is asked (None: nothing is left), and the condition with the result in its place."""

    asked: exp.Expression | None
    outcome: exp.Expression


def branches_of(node: exp.Expression) -> list[Branch]:
    """The branches of the CASE that is this condition, or one side of it; none without a CASE."""
    sides = ("this", "expression") if isinstance(node, _ONE_SIDED) else ()
    for side in (None, *sides):
        part = node if side is None else node.args.get(side)
        choice = None if part is None else unwrapped(part)
        if isinstance(choice, exp.Case | exp.If):
            return [
                Branch(asked, result if side is None else _like(node, {side: result}))
                for asked, result in _results(choice)
            ]
    return []


def _results(choice: exp.Case | exp.If) -> list[tuple[exp.Expression | None, exp.Expression]]:
    base = choice.this if isinstance(choice, exp.Case) else None
    found: list[tuple[exp.Expression | None, exp.Expression]] = []
    for branch in [choice] if isinstance(choice, exp.If) else choice.args["ifs"]:
        asked = branch.this
        if base is not None:
            asked = _like(exp.EQ(), {"this": base, "expression": asked})
        found.append((asked, branch.args["true"]))
    name = "false" if isinstance(choice, exp.If) else "default"
    found.append((None, choice.args.get(name) or exp.Null()))
    return found


def _like(node: exp.Expression, parts: dict[str, exp.Expression]) -> exp.Expression:
    """A node of this kind with other parts. The parts stay where they are in the tree."""
    made = type(node)()
    made.args.update({**node.args, **parts})
    return made
