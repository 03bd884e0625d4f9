"""The arrows of the architecture: who may import whom, and where numpy, rich and TensorFlow may be named at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphgrad

PACKAGE = Path(graphgrad.__file__).parent
CLI = PACKAGE.parent / "cli"

# room or module -> what it may import at its top. `graphgrad.X.y` counts as room X.
ARROWS = {
    "__init__": set(),
    "depth": set(),
    "errors": set(),
    "dtypes": set(),
    "families": set(),
    "collector": set(),
    "progress": set(),
    "schema": {"schema"},
    "names": {"errors"},
    "attributes": {"dtypes", "schema"},
    "constants": {"dtypes", "errors", "schema"},
    "opdefs": {"attributes", "dtypes", "errors", "schema"},
    "tensors": {"attributes", "dtypes", "errors"},
    "graph": {"attributes", "constants", "dtypes", "errors", "names", "opdefs", "schema", "tensors"},
    "handles": {"attributes", "dtypes", "graph", "tensors"},
    "definitions": {
        "attributes",
        "dtypes",
        "errors",
        "graph",
        "handles",
        "library",
        "opdefs",
        "registry",
        "schema",
        "tensors",
    },
    "instances": {"attributes", "errors", "schema"},
    "library": {
        "attributes",
        "definitions",
        "depth",
        "dtypes",
        "errors",
        "graph",
        "instances",
        "opdefs",
        "schema",
        "tensors",
    },
    "registry": {"families"},
    "build": {"attributes", "constants", "dtypes", "errors", "graph", "tensors", "opdefs", "schema"},
    "shapes": {
        "attributes",
        "constants",
        "depth",
        "dtypes",
        "errors",
        "graph",
        "tensors",
        "handles",
        "registry",
        "shapes",
    },
    "functions": {"attributes", "build", "dtypes", "errors", "graph", "tensors", "handles", "shapes"},
    "controlflow": {
        "attributes",
        "backprop",
        "controlflow",
        "definitions",
        "dtypes",
        "errors",
        "frontier",
        "functions",
        "graph",
        "tensors",
        "handles",
        "library",
        "names",
        "schema",
        "shapes",
    },
    "gradients": {
        "attributes",
        "controlflow",
        "dtypes",
        "errors",
        "functions",
        "gradients",
        "graph",
        "tensors",
        "registry",
        "shapes",
    },
    "frontier": {"graph", "tensors", "handles"},
    "backprop": {"dtypes", "errors", "frontier", "functions", "graph", "tensors", "handles", "progress", "registry"},
    "recompute": {"dtypes", "errors", "frontier", "graph", "tensors", "registry"},
    "reasons": {"backprop", "errors", "graph", "tensors", "handles", "registry"},
    "differentiate": {
        "backprop",
        "collector",
        "depth",
        "dtypes",
        "errors",
        "frontier",
        "graph",
        "tensors",
        "names",
        "reasons",
        "registry",
        "shapes",
    },
    "validation": {"constants", "dtypes", "errors", "graph"},
    "freeze": {
        "controlflow",
        "dtypes",
        "errors",
        "formats",
        "graph",
        "library",
        "objects",
        "schema",
        "signatures",
        "unvaried",
    },
    "unvaried": {"attributes", "dtypes", "graph", "library", "opdefs", "schema", "definitions"},
    "signatures": {"attributes", "errors", "graph", "tensors", "objects", "schema"},
    "objects": {"attributes", "dtypes", "graph", "tensors", "schema"},
    "formats": {
        "attributes",
        "collector",
        "dtypes",
        "errors",
        "formats",
        "graph",
        "tensors",
        "opdefs",
        "progress",
        "schema",
        "signatures",
    },
    "kernels": {"kernels", "registry", "schema"},
    "runtime": {
        "controlflow",
        "definitions",
        "depth",
        "dtypes",
        "errors",
        "formats",
        "graph",
        "tensors",
        "kernels",
        "library",
        "progress",
        "registry",
        "runtime",
        "schema",
        "shapes",
        "signatures",
    },
    "widen": {"dtypes", "formats", "graph", "tensors", "opdefs", "schema"},
    "check": {
        "controlflow",
        "progress",
        "differentiate",
        "dtypes",
        "errors",
        "formats",
        "graph",
        "tensors",
        "kernels",
        "runtime",
        "shapes",
        "signatures",
        "widen",
    },
    "inspect": {"signatures", "attributes", "dtypes", "frontier", "graph", "tensors"},
    "paths": {"controlflow", "depth", "graph", "tensors", "library", "reasons", "registry", "definitions"},
    "picture": {
        "controlflow",
        "diff",
        "errors",
        "graph",
        "tensors",
        "library",
        "listing",
        "picture",
        "definitions",
        "scopes",
    },
    "listing": {
        "attributes",
        "controlflow",
        "dtypes",
        "errors",
        "graph",
        "tensors",
        "library",
        "shapes",
        "definitions",
    },
    "scopes": {"collector"},
    "pairs": {"graph", "schema", "scopes"},
    "diff": {"attributes", "definitions", "dtypes", "errors", "graph", "opdefs", "pairs", "schema", "scopes"},
    "coverage": {"errors", "families", "graph", "tensors", "library", "opdefs", "registry", "signatures"},
}
# Imports inside functions that close a circle or keep a start fast: (from, to).
LATE = {
    ("graph", "functions"),
    ("graph", "library"),
    ("graph", "shapes"),
    ("tensors", "shapes"),
    ("graph", "validation"),
    ("kernels", "formats"),
    ("shapes", "runtime"),
    ("diff", "formats"),
    ("coverage", "differentiate"),
    ("coverage", "runtime"),
    ("differentiate", "controlflow"),
    ("differentiate", "recompute"),
    ("controlflow", "differentiate"),
}
NUMPY_ROOMS = {"kernels", "runtime"}
# The array side of the files, and what compares numbers.
ARRAY_FILES = {
    f"formats/{name}.py" for name in ("arrays", "checkpoints", "crc32c", "restored", "vocabulary", "weights")
}
NUMPY_MODULES = {*ARRAY_FILES, "check.py", "widen.py"}


def room(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def sources() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if not p.name.endswith("_pb2.py"))


def imports(path: Path) -> Iterator[tuple[str, bool, int]]:
    """(module, at the top, line) for every import that runs, those for type checkers left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"{node.module}.{a.name}" for a in node.names] if node.module == "graphgrad" else [node.module]
        else:
            continue
        inside, typing = False, False
        parent = getattr(node, "parent", None)
        while parent is not None:
            inside |= isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef))
            typing |= isinstance(parent, ast.If) and "TYPE_CHECKING" in ast.dump(parent.test)
            parent = getattr(parent, "parent", None)
        if not typing:
            yield from ((module, not inside, node.lineno) for module in modules)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows(path: Path) -> None:
    here = room(path)
    assert here in ARROWS, f"{here} is new: give it its arrows in this test and in docs/architecture.md"
    for module, at_top, line in imports(path):
        where = f"{path.name}:{line} imports {module}"
        assert not module.startswith(("graphgrad_cli", "cli", "tensorflow", "rich", "click")), where
        if module.split(".")[0] in ("numpy", "ml_dtypes", "scipy"):
            allowed = here in NUMPY_ROOMS or str(path.relative_to(PACKAGE)) in NUMPY_MODULES
            assert allowed, f"{where}: numpy belongs to kernels, the runtime and {sorted(NUMPY_MODULES)}"
        if module.startswith("graphgrad."):
            target = module.split(".")[1]
            late = not at_top and (here, target) in LATE
            assert target in ARROWS[here] or late or target == here, f"{where}, against the arrows"


@pytest.mark.parametrize("name", ["shapes", "gradients", "kernels"])
def test_families_do_not_import_each_other(name: str) -> None:
    from graphgrad.families import FAMILY_OF

    families = set(FAMILY_OF.values())
    for path in sorted((PACKAGE / name).glob("*.py")):
        for module, _, line in imports(path):
            parts = module.split(".")
            crosses = len(parts) > 2 and parts[1] == name and parts[2] in families and parts[2] != path.stem
            assert not (crosses and path.stem in families), f"{name}/{path.name}:{line} imports family {parts[2]}"


def test_commands_import_rich_and_the_package_late() -> None:
    for path in sorted(CLI.glob("*.py")):
        for module, at_top, line in imports(path):
            if at_top and path.name in ("main.py", "arguments.py"):
                light = not module.startswith(("graphgrad.", "numpy", "google", "rich")) or module == "graphgrad.errors"
                assert light, f"{path.name}:{line} imports {module} at the top"
            assert not (at_top and module.startswith(("rich", "numpy"))), (
                f"{path.name}:{line} imports {module} at the top"
            )


def test_modules_stay_readable() -> None:
    """About 500 lines, but for tables of like things."""
    for path in [*sources(), *CLI.glob("*.py")]:
        lines = path.read_text().count("\n")
        assert lines <= 600 or path.name == "families.py", f"{path.name} has {lines} lines: look for its seam"
