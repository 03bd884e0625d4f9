"""Is this graph well formed? Every edge, count and dtype of what was read is checked once, before it is used.

Unknown op types may exist: what they compute is asked only when they must be differentiated or run. What reads their
outputs tells of what dtype these are.
"""

from __future__ import annotations

from collections import deque

from graphgrad import constants, dtypes
from graphgrad.errors import ModelError
from graphgrad.graph import Graph, Operation


def validate(graph: Graph) -> None:
    """Raises ModelError at the first input that is missing, input count or dtype that is wrong, constant that is none, or cycle."""
    for op in graph:
        _check_inputs(op)
        if op.type == "Const":
            _check_constant(op)
    _check_cycles(graph)


def _check_inputs(op: Operation) -> None:
    inputs = op.inputs
    signature = op.signature
    if signature is None:
        return
    wanted = signature.input_dtypes(op)
    if len(wanted) != len(inputs):
        raise ModelError(f"node {op.name!r} ({op.type}) has {len(inputs)} inputs and takes {len(wanted)}")
    for i, (tensor, dtype) in enumerate(zip(inputs, wanted, strict=True)):
        if tensor.dtype is None:
            tensor.dtype = dtype  # of an unknown op, told by what reads it
        elif tensor.dtype is not dtype:
            raise ModelError(
                f"input {i} of node {op.name!r} ({op.type}) must be {dtype}, and {tensor.name!r} is {tensor.dtype}"
            )


def _check_constant(op: Operation) -> None:
    """A Const holds a tensor of its dtype, of a full shape, with as many bytes as that takes where it holds bytes."""
    value, dtype = op["value"], op["dtype"]
    if not dtypes.is_known(value.dtype) or dtypes.by_enum(value.dtype) is not dtype:
        raise ModelError(f"constant {op.name!r} is {dtype}, and its value is of dtype number {value.dtype}")
    shape = value.tensor_shape
    if shape.unknown_rank or any(dim.size < 0 for dim in shape.dim):
        raise ModelError(f"constant {op.name!r} has no full shape")
    content = op.graph.payloads.get(op.name, value.tensor_content)
    if content and dtype.size is not None and len(content) != constants.count(value) * dtype.size:
        wanted = constants.count(value) * dtype.size
        raise ModelError(
            f"constant {op.name!r} of shape {[d.size for d in shape.dim]} holds {len(content)} bytes instead of {wanted}"
        )


_BACK_EDGES = ("NextIteration", "RefNextIteration")


def _check_cycles(graph: Graph) -> None:
    """Kahn's order over data and control edges; the back edges of loops, from NextIteration to Merge, do not count.

    Where every node stands behind those it reads, as in most files, there is no cycle to look for.
    """
    if _is_in_order(graph):
        return
    waits: dict[Operation, int] = {}
    consumers: dict[Operation, list[Operation]] = {}
    for op in graph:
        producers = _producers(op)
        waits[op] = len(producers)
        for producer in producers:
            consumers.setdefault(producer, []).append(op)
    ready = deque(op for op, count in waits.items() if not count)
    done = 0
    while ready:
        done += 1
        for consumer in consumers.get(ready.popleft(), ()):
            waits[consumer] -= 1
            if not waits[consumer]:
                ready.append(consumer)
    if done < len(waits):
        node = next(op for op, count in waits.items() if count)
        cycle = _some_cycle(node, waits)
        how = (
            "that goes from NextIteration to no Merge"
            if any(op.type in _BACK_EDGES for op in cycle)
            else "without NextIteration"
        )
        raise ModelError(f"nodes form a cycle {how}: {' -> '.join(op.name for op in cycle)}")


def _producers(op: Operation) -> list[Operation]:
    found = [t.op for t in op.inputs] + op.control_inputs
    return [p for p in found if p.type not in _BACK_EDGES] if op.type in ("Merge", "RefMerge") else found


def _is_in_order(graph: Graph) -> bool:
    seen: set[Operation] = set()
    for op in graph:
        for tensor in op.inputs:
            if tensor.op not in seen:
                return False
        if op.control_inputs and not seen.issuperset(op.control_inputs):
            return False
        seen.add(op)
    return True


def _some_cycle(start: Operation, waits: dict[Operation, int]) -> list[Operation]:
    path, places, op = [start], {start: 0}, start
    while True:
        op = next(p for p in _producers(op) if waits[p])
        if op in places:
            return [*path[places[op] :], op][::-1]
        places[op] = len(path)
        path.append(op)
