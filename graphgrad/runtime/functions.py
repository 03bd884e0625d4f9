"""Operations that call functions: their bodies are compiled once for a plan and run as plans of their own.

A loop runs in a loop; only functions inside functions take part of Python's stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from graphgrad.graph import Operation
from graphgrad.runtime.rounds import is_true

if TYPE_CHECKING:
    from graphgrad.runtime.plan import Compiler

Run = Callable[..., list[Any]]


class Function:
    """A function of the library, compiled."""

    def __init__(self, name: str, caller: Operation, compiler: Compiler):
        body = caller.graph.functions.body(name, caller)
        self.name, self.argument_count = name, len(body.arguments)
        self.plan = compiler.of_function(body)
        self._places = self.plan.places_of(body.results)

    def __call__(self, arguments: list[Any]) -> list[Any]:
        values = self.plan.values(arguments)
        return [values[place] for place in self._places]


class Functions:
    """The compiled functions of a plan, by name; shared by the plans inside it."""

    def __init__(self) -> None:
        self._compiled: dict[str, Function] = {}

    def get(self, name: str, caller: Operation, compiler: Compiler) -> Function:
        """The function of that name. Raises ModelError where it is missing or calls itself."""
        found = self._compiled.get(name)
        if found is None:
            self.refuse_recursion(caller)
            found = self._compiled[name] = Function(name, caller, compiler)
        return found

    def compiled(self, name: str) -> Function:
        """The function of that name, which an operation of the plan calls."""
        return self._compiled[name]

    def __iter__(self) -> Iterator[Function]:
        return iter(self._compiled.values())

    def refuse_recursion(self, caller: Operation) -> None:
        """Raises ModelError where what an operation calls calls itself."""
        if not self._compiled:
            library = caller.graph.functions
            library.refuse_recursion(library.called_by([caller.node_def()]), caller)


def runner(op: Operation, compiler: Compiler) -> Run:
    """What runs the operation: a function of its inputs that gives its outputs."""

    def function(name: str) -> Function:
        return compiler.functions.get(name, op, compiler)

    op.graph.functions.check_call(op)
    make = RUNNERS.get(op.type)
    return _call(function(op.function())) if make is None else make(op, function, compiler)


def _call(function: Function) -> Run:
    return lambda *arguments: function(list(arguments))


def _partitioned(op: Operation, function: Callable[[str], Function], compiler: Compiler) -> Run:
    return _call(function(op.function("f")))


def _symbolic(op: Operation, function: Callable[[str], Function], compiler: Compiler) -> Run:
    from graphgrad.controlflow.calls import symbolic_gradient

    return _call(function(symbolic_gradient(op)))


def _if(op: Operation, function: Callable[[str], Function], compiler: Compiler) -> Run:
    branches = function(op.function("then_branch")), function(op.function("else_branch"))

    def run(condition: Any, *arguments: Any) -> list[Any]:
        return branches[0 if is_true(condition) else 1](list(arguments))

    return run


def _case(op: Operation, function: Callable[[str], Function], compiler: Compiler) -> Run:
    """An index outside runs the last branch."""
    branches = [function(name) for name in op.functions("branches")]

    def run(index: Any, *arguments: Any) -> list[Any]:
        chosen = int(index)
        return branches[chosen if 0 <= chosen < len(branches) else -1](list(arguments))

    return run


def _while(op: Operation, function: Callable[[str], Function], compiler: Compiler) -> Run:
    library = op.graph.functions
    names = [op.function("cond"), op.function("body")]
    compiler.functions.refuse_recursion(op)
    return compiler.of_loop(op, *(library.body(name, op) for name in names))


RUNNERS: dict[str, Callable[..., Run]] = {
    "Case": _case,
    "If": _if,
    "PartitionedCall": _partitioned,
    "StatefulPartitionedCall": _partitioned,
    "StatelessCase": _case,
    "StatelessIf": _if,
    "StatelessWhile": _while,
    "SymbolicGradient": _symbolic,
    "While": _while,
}
