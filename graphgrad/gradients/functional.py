"""Gradients of operations that call functions of the library: their bodies are differentiated, see `controlflow`."""

from __future__ import annotations

from graphgrad.controlflow.branches import gradient_of_branches
from graphgrad.controlflow.calls import gradient_of_call, symbolic_gradient
from graphgrad.controlflow.custom import gradient_by_function
from graphgrad.controlflow.loops import gradient_of_loop
from graphgrad.registry import gradient


@gradient("If", "StatelessIf")
def if_(g, op, *dz):
    def build(inputs, functions, is_stateful, dtypes, shapes):
        kind = "If" if is_stateful else "StatelessIf"
        then, otherwise = functions
        return g.op(
            kind, op.inputs[0], inputs, Tout=dtypes, then_branch=then, else_branch=otherwise, output_shapes=shapes
        )

    return gradient_of_branches(g, op, [op.function("then_branch"), op.function("else_branch")], dz, build)


@gradient("Case", "StatelessCase")
def case(g, op, *dz):
    def build(inputs, functions, is_stateful, dtypes, shapes):
        kind = "Case" if is_stateful else "StatelessCase"
        branches = {"branches": functions, "output_shapes": shapes}
        return g.op(kind, op.inputs[0], inputs, Tout=dtypes, name="gradient", **branches)

    return gradient_of_branches(g, op, op.functions("branches"), dz, build)


@gradient("While", "StatelessWhile")
def while_(g, op, *dz):
    return gradient_of_loop(g, op, dz)


@gradient("PartitionedCall", "StatefulPartitionedCall")
def call(g, op, *dz):
    """Also of calls whose op type is the function's name, and of operations with a custom gradient in the library."""
    custom = op.graph.functions.registered_gradient(op.annotation("_gradient_op_type"))
    if custom is not None:
        return gradient_by_function(g, op, custom, dz)
    return gradient_of_call(g, op, op.function(None if op.signature is None else "f"), dz)


@gradient("SymbolicGradient")
def symbolic(g, op, *dz):
    return gradient_of_call(g, op, symbolic_gradient(op), dz)
