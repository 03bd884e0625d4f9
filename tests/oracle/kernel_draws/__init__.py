"""Random calls of every op, in graphgrad's kernels and in TensorFlow, compared.

A recipe per op, most of them one line of a table in a module of this package; `python -m tests.oracle.kernel_draws OP... -n 300` searches by hand.
What is not drawn stands in `exceptions.py`, with its reason.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from tests.oracle.kernel_draws.drawing import Recipe
from tests.oracle.kernel_draws.exceptions import LOOSENED, SPARED

TOOLS = ("__main__", "beside", "comparing", "drawing", "exceptions", "tensorflow_side")


@functools.cache
def recipes() -> dict[str, Recipe]:
    """Op type -> its recipe. Raises ValueError where an op has two."""
    found: dict[str, Recipe] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        if module not in TOOLS:
            table = importlib.import_module(f"{__name__}.{module}").RECIPES
            if twice := found.keys() & table.keys():
                raise ValueError(f"{module}: recipes that exist already: {sorted(twice)}")
            found |= table
    return found


def recipe_of(op_type: str) -> Recipe:
    """The recipe of an op."""
    return recipes()[op_type]


def spares(op_type: str) -> str:
    """What is not compared for an op: see `exceptions`."""
    return SPARED.get(op_type, ("", ""))[0]


def loosened(op_type: str) -> float:
    """By how much more than usual the numbers of an op may differ."""
    return LOOSENED.get(op_type, 1.0)
