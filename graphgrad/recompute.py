"""Recomputing instead of keeping: what gradients read of the forward pass is computed again when they come to it.

Checkpoints are kept. What lies between two of them and is read by gradients is copied, and the copies wait, by a control
input, for the gradient that reaches the end of their stretch: no session and no interpreter can compute them earlier. With as
many checkpoints as there are nodes between two of them a chain of n needs room for some 2 * sqrt(n) of its tensors (Chen et al.,
"Training deep nets with sublinear memory cost", 2016). What follows the last checkpoint is needed at once and not copied.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from graphgrad import dtypes, registry
from graphgrad.errors import ArgumentError
from graphgrad.frontier import Frontier
from graphgrad.graph import Operation
from graphgrad.tensors import Tensor

SCOPE = "recomputed"
OF_SHAPES = frozenset(["Shape", "ShapeN", "Size", "Rank"])  # what reads the shape alone holds no memory


def recompute(g: Any, frontier: Frontier, added: Sequence[Operation], checkpoints: Sequence[Tensor] | str) -> int:
    """Makes the gradients that were just added read copies; returns how many nodes these are.

    Raises ArgumentError for a checkpoint that gradients do not pass.
    """
    steering = next((op for op in frontier.between if registry.is_control_flow(op.type)), None)
    if steering is not None:
        raise ArgumentError(
            f"checkpoints: {steering.type} node {steering.name!r} steers a loop or a branch of nodes between xs and ys, "
            "and nothing is copied out of these"
        )
    forward, added = _in_order(frontier), [op for op in added if op.type not in OF_SHAPES]
    if isinstance(checkpoints, str):
        checkpoints = _evenly(forward, frontier, added)
    for tensor in checkpoints:
        if tensor.op not in frontier.between:
            raise ArgumentError(f"checkpoints: {tensor.name!r} does not lie between xs and ys")
    copied = _read_again(forward, frontier, added, checkpoints)
    copies: dict[Operation, Operation] = {}
    positions = {op: at for at, op in enumerate(added)}
    with g.name_scope(SCOPE):
        for stretch, users in _stretches(copied, added):
            trigger = _trigger(users, positions)
            if trigger is not None:
                _copy(g, stretch, trigger, copies)
    for op in added:
        for i, tensor in enumerate(op.inputs):
            if tensor.op in copies:
                op.inputs[i] = copies[tensor.op].outputs[tensor.index]
    return len(copies)


def _in_order(frontier: Frontier) -> list[Operation]:
    """What lies between xs and ys, producers first."""
    awaits = frontier.awaited_gradients()
    ready = deque(op for op in awaits if not awaits[op])
    order = []
    while ready:
        op = ready.popleft()
        order.append(op)
        for tensor in op.inputs:
            if tensor.op in awaits:
                awaits[tensor.op] -= 1
                if not awaits[tensor.op]:
                    ready.append(tensor.op)
    return order[::-1]


def _is_repeatable(op: Operation, frontier: Frontier) -> bool:
    """Whether the operation gives the same again, and is no source: random numbers, variables and functions are kept."""
    signature = op.signature
    return (
        signature is not None
        and not signature.is_stateful
        and any(tensor.op in frontier.between for tensor in op.inputs)
        and not any(attr.type in ("func", "list(func)") for attr in signature.attrs.values())
        and not any(t.dtype in (None, dtypes.variant, dtypes.resource) for t in (*op.inputs, *op.outputs))
    )


def _read_again(
    forward: Sequence[Operation], frontier: Frontier, added: Iterable[Operation], checkpoints: Iterable[Tensor]
) -> dict[Operation, None]:
    """What has to be computed again, producers first: all that gradients read, back to the checkpoints before it."""
    kept = {tensor.op for tensor in checkpoints}
    before: set[Operation] = set()  # a checkpoint that is still to come
    for op in reversed(forward):
        if op in kept or op in before:
            before.update(tensor.op for tensor in op.inputs)
    needed = {tensor.op for op in added for tensor in op.inputs}
    found = []
    for op in reversed(forward):
        if op in needed and op in before and op not in kept and _is_repeatable(op, frontier):
            found.append(op)
            needed.update(tensor.op for tensor in op.inputs)
    return dict.fromkeys(reversed(found))


def _stretches(
    copied: dict[Operation, None], added: Iterable[Operation]
) -> list[tuple[list[Operation], list[Operation]]]:
    """The parts of what is copied that hang together, each with the added nodes that read it."""
    part: dict[Operation, Operation] = {op: op for op in copied}

    def head(op: Operation) -> Operation:
        while part[op] is not op:
            part[op] = op = part[part[op]]
        return op

    for op in copied:
        for tensor in op.inputs:
            if tensor.op in copied:
                part[head(tensor.op)] = head(op)
    stretches: dict[Operation, tuple[list[Operation], list[Operation]]] = {}
    for op in copied:
        stretches.setdefault(head(op), ([], []))[0].append(op)
    for user in added:
        for first in {head(tensor.op): None for tensor in user.inputs if tensor.op in copied}:
            stretches[first][1].append(user)
    return list(stretches.values())


def _trigger(users: Sequence[Operation], positions: dict[Operation, int]) -> Operation | None:
    """The gradient that comes to a stretch: the last node added before all that read it, among what these read beside it.

    Nodes read what was added before them, so that waiting for it closes no circle, however many stretches wait.
    """
    first = min(positions[user] for user in users)
    arriving = [t.op for user in users for t in user.inputs if positions.get(t.op, first) < first and t.op.inputs]
    return max(arriving, key=positions.__getitem__, default=None)


def _copy(g: Any, stretch: Iterable[Operation], trigger: Operation, copies: dict[Operation, Operation]) -> None:
    """Copies a stretch, what it begins with waiting for the trigger."""
    for op in stretch:
        inputs = [copies[t.op].outputs[t.index] if t.op in copies else t for t in op.inputs]
        is_first = inputs == op.inputs
        copies[op] = g.copy_of(op, inputs, [*op.control_inputs, *([trigger] if is_first else [])])


def _evenly(forward: Sequence[Operation], frontier: Frontier, added: Iterable[Operation]) -> list[Tensor]:
    """Checkpoints by the square-root schedule, among the tensors that all gradients pass.

    They are laid so that a stretch holds as much as the checkpoints together; dimensions that are not known count as one.
    """
    read = {tensor for op in added for tensor in op.inputs}
    sizes = {op: sum(_size(t) for t in op.outputs if t in read) for op in forward if _is_repeatable(op, frontier)}
    narrow = _bottlenecks(forward, frontier)
    if not narrow:
        return []
    usual = sum(map(_size, narrow)) / len(narrow)
    stretch = math.sqrt(sum(sizes.values()) * usual)
    places, found, passed = {tensor.op: tensor for tensor in narrow}, [], 0
    for op in forward:
        passed += sizes.get(op, 0)
        if passed >= stretch and op in places:
            found.append(places[op])
            passed = 0
    return found if passed else found[:-1]  # behind the last checkpoint there is something to gain


def _bottlenecks(forward: Sequence[Operation], frontier: Frontier) -> list[Tensor]:
    """The tensors that alone lead from what is before them to what is behind, sources left aside."""
    found, live = [], dict.fromkeys(frontier.ys)
    for op in reversed(forward):
        if not any(tensor.op in frontier.between for tensor in op.inputs):
            continue
        if len(live) == 1 and next(iter(live)).op is op:
            found.append(next(iter(live)))
        for tensor in op.outputs:
            live.pop(tensor, None)
        live.update(
            (tensor, None)
            for tensor in op.inputs
            if tensor.op in frontier.between and any(t.op in frontier.between for t in tensor.op.inputs)
        )
    return [tensor for tensor in found if tensor not in frontier.ys]


def _size(tensor: Tensor) -> int:
    shape = tensor.shape or ()
    return math.prod(n or 1 for n in shape) * ((tensor.dtype.size if tensor.dtype else None) or 1)
