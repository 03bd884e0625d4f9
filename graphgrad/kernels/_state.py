"""What an evaluation keeps between its runs: variables, and the random generators of stateful nodes.

An array once handed out by a variable never changes: updates go into one that nobody else holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from graphgrad.kernels._checks import fits

if TYPE_CHECKING:
    from graphgrad.kernels.philox import NodeGenerator

Array = np.ndarray[Any, Any]
Shape = tuple[int | None, ...] | None


class Uninitialised(ValueError):
    """A variable is read that has no value."""


class Variable:
    """A named place for one array. It is also the value of the resource or reference tensors that mean it."""

    __slots__ = ("_lent", "dtype", "name", "shape", "value")

    def __init__(self, name: str, dtype: np.dtype[Any] | None = None, shape: Shape = None, value: Array | None = None):
        self.name, self.dtype, self.shape = name, dtype, shape
        self.value = value
        self._lent = True

    def read(self) -> Array:
        """The array, which the caller may keep; raises ValueError while there is none."""
        self._lent = True
        return self._initialised()

    def peek(self) -> Array:
        """The array, for a caller that drops it before the variable's next update."""
        return self._initialised()

    def assign(self, value: Array, fresh: bool = False) -> None:
        """Gives the variable a new array; `fresh` says that nobody else holds it."""
        if self.dtype is not None and value.dtype != self.dtype:
            raise ValueError(f"variable '{self.name}' is {self.dtype.name}, it cannot hold {value.dtype.name}")
        self.value, self._lent = value, not fresh

    def writable(self) -> Array:
        """The array, for writing into it: a private copy where someone may hold the present one."""
        value = self._initialised()
        if self._lent or not value.flags.writeable:
            value = self.value = np.array(value)
            self._lent = False
        return value

    def destroy(self) -> None:
        """Makes the variable uninitialised."""
        self.value = None

    def _initialised(self) -> Array:
        if self.value is None:
            raise Uninitialised(
                f"variable '{self.name}' has no value: give it with --variables, "
                "or run its assignment first with --run-first"
            )
        return self.value

    def __repr__(self) -> str:
        return f"<Variable '{self.name}'>"


class State:
    """Everything that outlives one run of a graph."""

    def __init__(self, values: Mapping[str, Array] | None = None, max_iterations: int | None = None):
        """`values` are the first values of variables, by the variable's name or its node's, asked for when a variable
        is made; a loop that goes on for more than `max_iterations` is stopped."""
        self.max_iterations = max_iterations
        self.assets: set[str] = set()  # the only files that may be read
        self.variables: dict[str, Variable] = {}
        self._values: Mapping[str, Array] = values if values is not None else {}
        self._generators: dict[str, NodeGenerator] = {}
        self._resources: dict[str, Any] = {}

    def beside(self, values: Mapping[str, Array]) -> State:
        """Another state, with the tables there are now and these first values of variables."""
        other = State(values, self.max_iterations)
        other.assets, other._resources = self.assets, dict(self._resources)
        return other

    def variable(self, name: str, dtype: np.dtype[Any], shape: Shape, node_name: str = "") -> Variable:
        """The variable of that name; made, with its given value if there is one, when first asked for."""
        found = self.variables.get(name)
        if found is None:
            value = self._values.get(name, self._values.get(node_name))
            if value is not None:
                value = first_value(name, value, dtype, shape)
            found = self.variables[name] = Variable(name, dtype, shape, value)
        elif found.dtype != dtype:
            raise ValueError(f"variable '{name}' is {found.dtype}, node '{node_name}' asks for {dtype}")
        return found

    def temporary(self, name: str, dtype: np.dtype[Any], shape: Shape) -> Variable:
        """A new uninitialised variable, kept until `drop_temporary`."""
        return self.variables.setdefault(f"{name}/temporary", Variable(name, dtype, shape))

    def drop_temporary(self, name: str) -> None:
        """Forgets a temporary variable."""
        self.variables.pop(f"{name}/temporary", None)

    def read_asset(self, path: str) -> bytes:
        """The content of a file that belongs to the model. Raises ValueError for another."""
        if path not in self.assets:
            raise ValueError(f"file {path!r} is no asset of the model, and evaluation reads no others")
        with open(path, "rb") as file:
            return file.read()

    def resource(self, name: str, make: Callable[[], Any]) -> Any:
        """What else is kept under a name, a table for instance; made when first asked for."""
        if name not in self._resources:
            self._resources[name] = make()
        return self._resources[name]

    def entries(self, node_name: str) -> tuple[Array, Array] | None:
        """The keys and values that the table of a node starts with, where some are given."""
        found = self._values.get(f"{node_name}:keys"), self._values.get(f"{node_name}:values")
        return None if found[0] is None or found[1] is None else (found[0], found[1])

    def generator(self, node_name: str, seed: int, seed2: int) -> NodeGenerator:
        """The random generator of a stateful node, which goes on from run to run."""
        found = self._generators.get(node_name)
        if found is None:
            from graphgrad.kernels.philox import NodeGenerator

            found = self._generators[node_name] = NodeGenerator(seed, seed2)
        return found


def first_value(name: str, value: Array, dtype: np.dtype[Any], shape: Shape) -> Array:
    """A value given from outside, checked against the graph; in files float32 stands for bfloat16."""
    value = np.asarray(value)
    if value.dtype != dtype:
        if not (value.dtype.kind == dtype.kind or (dtype.name == "bfloat16" and value.dtype.kind == "f")):
            raise ValueError(f"variable '{name}' is {dtype.name}, the value given is {value.dtype.name}")
        value = value.astype(dtype)
    if not fits(value.shape, shape):
        raise ValueError(f"variable '{name}' has shape {list(shape)}, the value given {list(value.shape)}")
    return value
