"""Gradients of the nodes that steer values through branches and loops: where values were joined, gradients part.

`g.flow` is the reverse pass and knows the contexts. In a loop these rules run within the backward loop.
"""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.controlflow import steering
from graphgrad.controlflow.contexts import Branch, loop_around
from graphgrad.controlflow.frames import back_edge
from graphgrad.errors import DtypeError
from graphgrad.registry import gradient
from graphgrad.tensors import IndexedSlices


@gradient("Switch", "RefSwitch")
def switch(g, op, *ways):
    """In a branch the other way gets zeros; in a loop the gradient goes round."""
    if g.flow.is_loop_switch(op):
        return _round_the_loop(g, op, *ways), None
    branch = g.flow.contexts.of(op)
    if isinstance(branch, Branch):
        if ways[1 - branch.branch] is not None:
            return steering.merge(g, ways, name="cond_grad"), None
        if op.inputs[0].dtype is dtypes.resource:
            return steering.merge(g, [ways[branch.branch]] * 2, name="cond_resource_grad"), None
        return None, None
    taken = [steering.switch(g, dz, op.inputs[1])[way] for way, dz in enumerate(ways)]
    return steering.merge(g, taken), None


def _round_the_loop(g, op, at_end, from_body):
    """Visited first from the loop's end, which gives the Merge to go round by, then from its body, which closes it."""
    state = g.flow.loop_of(op)
    merge = state.merges.get(op)
    if merge is None:
        if at_end is not None:
            merge = state.merges[op] = steering.merge(g, [at_end, at_end], name="b_switch")
        return merge
    if isinstance(merge, IndexedSlices):
        (slices,) = steering.as_slices(g, [from_body])
        steering.each_pair(state.loop.close, merge, slices)
    elif from_body is not None:
        state.loop.close(merge, g.dense(from_body))
    return None


@gradient("Merge", "RefMerge")
def merge(g, op, dz, _):
    """Back the way that was taken."""
    flow = g.flow
    if back_edge(op) is not None and (state := flow.loop_of(op)) is not None:
        return list(steering.switch_beside(g, dz, state.loop.condition))
    branch = flow.branch_joined_by(op)
    if branch is not None:
        loop = loop_around(g.context)
        is_within = loop is not None and loop.backward is not None
        predicate = loop.backward.predicate(branch.predicate) if is_within else branch.predicate
        return list(steering.switch_beside(g, dz, predicate, name="cond_grad"))
    joined = g.recording.conditions.joined_by(op) if g.recording is not None else None
    if joined is not None:
        predicate, way = joined
        ways = steering.switch(g, dz, predicate)
        return [ways[way], ways[1 - way]]
    taken = [g.Equal(op.outputs[1], i) for i in range(len(op.inputs))]
    return [steering.switch_beside(g, dz, way)[1] for way in taken]


@gradient("Exit", "RefExit")
def leave(g, op, dz):
    """What leaves a loop is where its gradient enters the backward one."""
    state = g.flow.loop_of(op)
    if not state.forward.has_gradient:
        return None
    if g.flow.has_no_gradient_again(state.forward):
        raise DtypeError(
            f"second-order gradients of while loops are not supported: {op.type} node {op.name!r} leaves the backward "
            f"loop {state.forward.name!r}, whose values were recorded on the way there; the same loop as a While, which TensorFlow writes with "
            "control flow v2 and in tf.function, has them"
        )
    loop = state.loop
    if not isinstance(dz, IndexedSlices):
        loop.inside[dz] = dz
        entered = loop.enter(dz, name="b_exit")
    else:
        entered = steering.each(lambda part: loop.enter(loop.inside.setdefault(part, part)), dz)
    return entered


@gradient("NextIteration", "RefNextIteration")
def next_iteration(g, op, dz):
    """The way back round is made by the Switch."""
    return dz


@gradient("Enter", "RefEnter")
def enter(g, op, dz):
    """A loop variable's gradient leaves the backward loop; a loop invariant's is summed over the iterations."""
    loop = loop_around(g.context)
    if loop is None or loop.backward is None:
        return dz
    if op["is_constant"]:
        return loop.backward.sum_up(op, dz)
    return steering.each(loop.leave, dz)


@gradient("LoopCond")
def loop_cond(g, op, dz):
    return None
