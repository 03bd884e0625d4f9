"""Where rules are registered and looked up: shape rules, gradient rules and kernels, each by op type.

A look-up loads the one family module that `families.py` names for the op; nothing is found by import side effect.

A *gradient rule* `rule(g, op, dz, ...)` gets the builder, the operation and one gradient per output, and returns
one gradient (tensor, IndexedSlices or None) per input. A *shape rule* `rule(op)` reads `op.inputs[i].shape`,
`op.inputs[i].value` and `op["attr"]`, and returns one shape per output (a lone shape for a lone output).
A *kernel* is a plain function of numpy arrays and keyword-only attributes that returns one array per output.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from graphgrad.families import FAMILY_OF

Rule = Callable[..., Any]
F = TypeVar("F", bound=Rule)

FUNCTION_CALL = "PartitionedCall"  # the op whose rules hold for calls by a function's name as well

_SHAPES: dict[str, Rule] = {}
_GRADIENTS: dict[str, Rule | None] = {}
_KERNELS: dict[str, Rule] = {}
_ELEMENTWISE: set[str] = set()
_PLANNERS: dict[str, Rule] = {}
_KERNELS_OF_CONSTANTS: dict[str, Rule] = {}
_loaded: set[str] = set()


def _add(table: dict[str, Any], op_types: Iterable[str], rule: Rule | None) -> None:
    for op_type in op_types:
        if op_type in table:
            raise ValueError(f"{op_type} is registered twice")
        table[op_type] = rule


def gradient(*op_types: str) -> Callable[[F], F]:
    """Registers the function below as the gradient rule of these op types."""

    def register(rule: F) -> F:
        _add(_GRADIENTS, op_types, rule)
        return rule

    return register


def gradients(table: dict[str, Rule]) -> None:
    """Registers a table of gradient rules, op type -> rule."""
    for op_type, rule in table.items():
        _add(_GRADIENTS, [op_type], rule)


def no_gradient(*op_types: str) -> None:
    """These ops stop gradients on purpose, as in TensorFlow: nothing flows to their inputs, and it is no error."""
    _add(_GRADIENTS, op_types, None)


def shape(*op_types: str) -> Callable[[F], F]:
    """Registers the function below as the static shape rule of these op types."""

    def register(rule: F) -> F:
        _add(_SHAPES, op_types, rule)
        return rule

    return register


def shapes(rule: Rule, *op_types: str) -> None:
    """Registers one shape rule for many op types."""
    _add(_SHAPES, op_types, rule)


def kernel(*op_types: str, elementwise: bool = False) -> Callable[[F], F]:
    """Registers the function below as the numpy kernel of these op types.

    It gets one positional array per input (a list of arrays for a list input; 0-d arrays for scalars; object
    arrays of `bytes` for strings) and, by keyword, those attributes its signature names after `*`: numpy dtypes
    for types, tuples (None where unknown) for shapes, `str` for strings, tuples for lists. The name `state` asks
    for the evaluation's variables and random generators, `node_name` for the node's name. It never writes into
    its inputs and may return one of them or a view; whether it does depends on shapes, dtypes and attributes alone. It
    returns one array (tuple of arrays for several outputs, a list for a list output).

    A kernel that names a keyword `out=None` writes its one result, or the first of several, there if it is given an array
    of the right shape and dtype, which may not overlap an input. `elementwise` says that every element of the result follows from the same
    element of each broadcast input, so that the kernel may be called on parts, and on flat ones.
    """

    def register(rule: F) -> F:
        _add(_KERNELS, op_types, rule)
        if elementwise:
            _ELEMENTWISE.update(op_types)
        return rule

    return register


def kernels(table: dict[str, Rule], elementwise: bool = False) -> None:
    """Registers a table of kernels, op type -> function; `elementwise` as in `kernel`."""
    for op_type, rule in table.items():
        _add(_KERNELS, [op_type], rule)
    if elementwise:
        _ELEMENTWISE.update(table)


def planned(*op_types: str) -> Callable[[F], F]:
    """Registers the function below as the planner of kernels that gain from knowing their operands beforehand.

    It gets one operand per input tensor, with `shape`, `dtype`, `is_contiguous` and `value` (the array where it is the
    same in every run, else None), and attributes by keyword as kernels do. The kernel has accepted such operands, so
    nothing is left to check. It returns a call `call(*arrays, out=None)` for a lone result, written into `out` (which
    may not overlap an input) where that is given; a universal function of numpy where one does; or None where the
    kernel cannot be bettered.
    """

    def register(rule: F) -> F:
        _add(_PLANNERS, op_types, rule)
        return rule

    return register


def optimized(*op_types: str) -> Callable[[F], F]:
    """Registers the function below as the kernel of these op types where all inputs but the first follow from constants.

    TensorFlow's graph optimizer puts other operations in the place of theirs then.
    """

    def register(rule: F) -> F:
        _add(_KERNELS_OF_CONSTANTS, op_types, rule)
        return rule

    return register


def _load(room: str, op_type: str) -> None:
    family = FAMILY_OF.get(op_type)
    if family is None or (module := f"graphgrad.{room}.{family}") in _loaded:
        return
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
    _loaded.add(module)


def shape_rule(op_type: str) -> Rule | None:
    """The shape rule of an op type, or None."""
    rule = _SHAPES.get(op_type)
    if rule is None:
        _load("shapes", op_type)
        return _SHAPES.get(op_type)
    return rule


def kernel_of(op_type: str) -> Rule | None:
    """The kernel of an op type, or None."""
    if op_type not in _KERNELS:
        _load("kernels", op_type)
    return _KERNELS.get(op_type)


def kernel_of_constants(op_type: str) -> Rule | None:
    """The kernel of an op type, which has been looked up, where its further inputs are constants; None where it is the same."""
    return _KERNELS_OF_CONSTANTS.get(op_type)


def is_elementwise(op_type: str) -> bool:
    """Whether the kernel of an op type, which has been looked up, works element by element."""
    return op_type in _ELEMENTWISE


def planner_of(op_type: str) -> Rule | None:
    """The planner of an op type whose kernel has been looked up, or None."""
    return _PLANNERS.get(op_type)


def is_control_flow(op_type: str) -> bool:
    """Whether an op type steers values through branches or loops of a flat graph."""
    return FAMILY_OF.get(op_type) == "controlflow"


UNKNOWN = object()


def gradient_rule(op_type: str) -> Rule | object | None:
    """The gradient rule; None where the op stops gradients on purpose; UNKNOWN where none is registered."""
    rule = _GRADIENTS.get(op_type, UNKNOWN)
    if rule is UNKNOWN:
        _load("gradients", op_type)
        return _GRADIENTS.get(op_type, UNKNOWN)
    return rule
