"""The shape of the two packages: who may import what, how large a module is, how things are named.

Each rule reads the source; none of it is run.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import reactive_sqlite

ROOT = Path(__file__).parent.parent
PACKAGES = ("reactive_sqlite", "smithers_db")

# From the bottom to the top: a module imports from its own layer and from those below it. All but
# the last are packages, and `errors`.
LAYERS = (
    *("errors", "values", "understanding", "files", "driver", "recording", "journal", "engine"),
    *("liveness", "neighbours", "database current testing cli __init__"),
)

# Every third-party library has the one importer that knows it (a module, or a package).
IMPORTERS = {
    "apsw": {"reactive_sqlite.driver"},
    "sqlglot": {"reactive_sqlite.understanding.analysis"},
    "reactivex": {"reactive_sqlite.liveness.observable"},
    "msgspec": set(PACKAGES),
    "uuid_utils": {"smithers_db.clock"},
    "typer": {"reactive_sqlite.cli", "smithers_db.cli"},
    "rich": {"reactive_sqlite.cli", "smithers_db.cli", "smithers_db.demo"},
}

LONGEST = 320
LONGER_FOR_A_REASON = {
    "reactive_sqlite.database": "the door: every public method with its docstring and example",
    "smithers_db.rows": "a declaration without logic: one field for each column of each table",
}

VAGUE = ("manager", "helper", "helpers", "util", "utils")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}
EVERY_MODULE = pytest.mark.parametrize("module", sorted(MODULES))


def imports_of(module: str) -> Iterator[tuple[str, str | None]]:
    """The (module, name) pairs that a module imports, wherever in it the statement stands."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: write the import absolutely"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield (submodule, None) if submodule in MODULES else (node.module, alias.name)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def layer_of(module: str) -> int:
    part = [*module.split("."), "__init__"][1]
    for number, members in enumerate(LAYERS):
        if part in members.split():
            return number
    pytest.fail(f"{module} is in no layer: say in LAYERS where it belongs")


@EVERY_MODULE
def test_each_library_has_its_importers(module: str) -> None:
    for target, _ in imports_of(module):
        library = target.partition(".")[0]
        if library in sys.stdlib_module_names or library in PACKAGES:
            continue
        assert any(within(module, importer) for importer in IMPORTERS.get(library, ())), (
            f"{module} imports {library}, which is for {IMPORTERS.get(library) or 'nobody'}"
        )


@pytest.mark.parametrize("module", [m for m in MODULES if within(m, "reactive_sqlite")])
def test_imports_point_down(module: str) -> None:
    for target, _ in imports_of(module):
        assert not within(target, "smithers_db"), f"{module} imports {target}"
        if within(target, "reactive_sqlite"):
            assert layer_of(target) <= layer_of(module), f"{module} imports {target}, above it"


@pytest.mark.parametrize("module", [m for m in MODULES if within(m, "smithers_db")])
def test_smithers_db_uses_the_public_names_only(module: str) -> None:
    for target, name in imports_of(module):
        if within(target, "reactive_sqlite"):
            assert target == "reactive_sqlite", f"{module} imports {target}"
            assert name in {None, *reactive_sqlite.__all__}, f"{module} imports {name}"


@pytest.mark.parametrize("module", [m for m in MODULES if within(m, "smithers_db.tables")])
def test_table_families_do_not_know_one_another(module: str) -> None:
    if module == "smithers_db.tables":
        return
    for target, _ in imports_of(module):
        assert not within(target, "smithers_db.tables"), f"{module} imports {target}"


def test_no_import_circles() -> None:
    graph = {
        module: {target for target, _ in imports_of(module) if target in MODULES} - {module}
        for module in MODULES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@EVERY_MODULE
def test_modules_stay_readable(module: str) -> None:
    lines = len(MODULES[module].read_text().splitlines())
    if lines > LONGEST:
        assert module in LONGER_FOR_A_REASON, f"{lines} lines: split it, or give the reason here"
    else:
        assert module not in LONGER_FOR_A_REASON, "the exception is no longer needed"


@EVERY_MODULE
def test_modules_say_what_they_are(module: str) -> None:
    assert ast.get_docstring(TREES[module]), "no docstring"


@EVERY_MODULE
def test_names_say_what_things_are(module: str) -> None:
    defined = module.split(".")
    defined += [
        node.name
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for name in defined:
        words = "".join("_" + c if c.isupper() else c for c in name).lower().split("_")
        assert not set(words) & set(VAGUE), f"{name}: name it after what it is"


@EVERY_MODULE
def test_no_exception_is_caught_blindly(module: str) -> None:
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: a bare except"
            swallowed = all(isinstance(s, ast.Pass) for s in node.body)
            wide = isinstance(node.type, ast.Name) and node.type.id in (
                "Exception",
                "BaseException",
            )
            assert not (swallowed and wide), f"line {node.lineno}: an exception is swallowed"


@EVERY_MODULE
def test_loops_go_round_inside_of_what_guards_them(module: str) -> None:
    """In Python 3.13 the jump back of a ``while`` with a condition is in no exception table.

    Ctrl-C that is noticed there passes the ``try`` or ``with`` by, and a lock is kept for ever.
    """

    def check(node: ast.AST, guarded: bool) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            guarded = False
        elif isinstance(node, ast.Try):
            guarded = True
        elif isinstance(node, ast.With | ast.AsyncWith):
            guarded = guarded or not all("suppress" in ast.unparse(i) for i in node.items)
        elif isinstance(node, ast.While):
            assert not guarded or isinstance(node.test, ast.Constant), f"line {node.lineno}"
        for child in ast.iter_child_nodes(node):
            check(child, guarded)

    check(TREES[module], guarded=False)


@pytest.mark.parametrize("module", [m for m in MODULES if within(m, "reactive_sqlite")])
def test_locks_are_those_that_ctrl_c_gives_back(module: str) -> None:
    """In Python 3.14 a ``with`` over one of ``threading`` can leave it taken: driver/mutex.py."""
    if module != "reactive_sqlite.driver.mutex":
        text = MODULES[module].read_text()
        assert not re.search(r"threading\.(R?Lock|Condition\(\))", text)
        imported = {name for target, name in imports_of(module) if target == "threading"}
        assert not imported & {"Lock", "RLock", "Condition"}


def test_the_design_names_every_module() -> None:
    """Who opens the repository finds each room in the tree of docs/design.md."""
    text = (ROOT / "docs/design.md").read_text()
    tree = text[text.index("reactive_sqlite/\n") : text.index("smithers_db/ ")]
    rooms = {
        module.split(".")[-1] if module.count(".") < 3 else module.split(".")[-2]
        for module in MODULES
        if within(module, "reactive_sqlite") and "." in module
    }
    missing = [room for room in sorted(rooms) if not re.search(rf"\b{room}\b", tree)]
    assert not missing
