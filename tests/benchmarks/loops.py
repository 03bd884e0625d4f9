"""The recurrent network that is measured, its 64 steps as a loop of either kind; see `graphs`."""

from __future__ import annotations

from typing import Any

from graphgrad import Graph, Tensor, dtypes
from graphgrad.schema import graph_pb2

STEPS, BATCH, INPUTS, UNITS = 64, 32, 64, 128
FLOAT, INT, VARIANT = dtypes.float32, dtypes.int32, dtypes.variant


def cell(g: Any, x: Tensor, c: Tensor, h: Tensor, weights: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: the next state and output."""
    gates = g.BiasAdd(g.MatMul(g.concat([x, h], 1), weights), bias)
    i, j, f, o = g.Split(1, gates, num_split=4)
    kept = g.Mul(c, g.Sigmoid(g.AddV2(f, 1.0)))
    c = g.AddV2(kept, g.Mul(g.Sigmoid(i), g.Tanh(j)))
    return c, g.Mul(g.Tanh(c), g.Sigmoid(o))


def of_frames(g: Any, x: Tensor, start: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """The last output of a loop of Enter, Merge, Switch, NextIteration and Exit over a TensorArray."""
    array, flow = g.TensorArrayV3(STEPS, dtype=FLOAT, element_shape=(BATCH, INPUTS))
    flow = g.TensorArrayScatterV3(array, g.range(0, STEPS), x, flow)

    def enter(tensor: Any, is_constant: bool = False) -> Tensor:
        return g.Enter(tensor, frame_name="steps", is_constant=is_constant)

    entered = [enter(t) for t in (0, start, start)]
    merges = [g.Merge([t, t])[0] for t in entered]
    go_on = g.LoopCond(g.Less(merges[0], enter(STEPS, is_constant=True)))
    ways = [g.Switch(merge, go_on) for merge in merges]
    i, c, h = (g.Identity(way[1]) for way in ways)
    row = g.TensorArrayReadV3(enter(array, True), i, enter(flow, True), dtype=FLOAT)
    invariant = enter(weights, True), enter(bias, True)
    with g.control_dependencies([i]):  # constants are in the loop as well
        following = [g.AddV2(i, 1), *cell(g, row, c, h, *invariant)]
    for merge, value in zip(merges, following, strict=True):
        merge.op.inputs[1] = g.NextIteration(value)
    return g.Exit(ways[2][0])


def of_functions(g: Any, x: Tensor, start: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """The last output of a While over a list of tensors."""
    rows = g.TensorListFromTensor(x, [BATCH, INPUTS])
    inputs = [g.constant(0), g.constant(STEPS), g.constant(0), start, start, rows, weights, bias]
    functions = {
        name: _function(g.graph, name, inputs, make) for name, make in (("cond", _goes_on), ("body", _next_step))
    }
    loop = g.op("StatelessWhile", inputs, **functions, output_shapes=[t.shape for t in inputs])
    return loop.outputs[4]


def _function(graph: Graph, name: str, inputs: list[Tensor], make: Any) -> graph_pb2.NameAttrList:
    inside = Graph(graph_pb2.GraphDef(versions=graph.message.versions))
    inside.functions = graph.functions
    g = inside.build
    arguments = [g.Placeholder(dtype=t.dtype, shape=t.shape, name=f"a{i}") for i, t in enumerate(inputs)]
    graph.functions.add(name, inside, arguments, make(g, *arguments))
    return graph_pb2.NameAttrList(name=name)


def _goes_on(g: Any, counter: Tensor, most: Tensor, i: Tensor, *_: Tensor) -> list[Tensor]:
    return [g.LogicalAnd(g.Less(counter, most), g.Less(i, STEPS))]


def _next_step(g: Any, counter: Tensor, most: Tensor, i: Tensor, c: Tensor, h: Tensor, *rest: Tensor) -> list[Tensor]:
    rows, weights, bias = rest
    row = g.TensorListGetItem(rows, i, [BATCH, INPUTS], element_dtype=FLOAT)
    following = cell(g, row, c, h, weights, bias)
    return [g.Identity(t) for t in (g.AddV2(counter, 1), most, g.AddV2(i, 1), *following, *rest)]
