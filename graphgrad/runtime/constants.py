"""Which tensors follow from constants alone: TensorFlow's graph optimizer knows their values before anything runs."""

from __future__ import annotations

from collections.abc import Container

from graphgrad import registry
from graphgrad.graph import Operation
from graphgrad.tensors import Tensor

LEAST = 4  # nodes of a graph that the optimizer looks at


class Constants:
    """The tensors that follow from constants, where these are fed."""

    def __init__(self, fed: Container[Tensor]):
        self._fed = fed
        self._known: dict[Operation, bool] = {}

    def __contains__(self, tensor: Tensor) -> bool:
        stack, known = [tensor.op], self._known
        while stack:
            op = stack[-1]
            if op in known:
                stack.pop()
            elif op.type == "Const" or not self._may_follow(op):
                known[op] = op.type == "Const"
            else:
                producers = [t.op for t in op.inputs]
                unknown = [p for p in producers if p not in known]
                if unknown and all(known.get(p, True) for p in producers):
                    stack.append(unknown[0])
                else:
                    known[op] = not unknown and all(known[p] for p in producers)
        return tensor not in self._fed and known[tensor.op]

    def _may_follow(self, op: Operation) -> bool:
        signature = op.signature
        return (
            signature is not None
            and not signature.is_stateful
            and not registry.is_control_flow(op.type)
            and bool(op.inputs)
            and not any(t in self._fed for t in op.inputs)
        )
