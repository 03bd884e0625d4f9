"""Static shapes of recurrent layers: time, batch and the cells of a state."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor


def dim(tensor: Tensor, axis: int) -> dims.Dim:
    """A dimension, unknown where the rank is."""
    found = tensor.shape
    return None if found is None else found[axis]


def with_rank(tensor: Tensor, rank: int) -> Shape:
    """The shape of a tensor whose rank the op demands."""
    return dims.merge(tensor.shape, (None,) * rank)


@shape("BlockLSTM", "BlockLSTMV2")
def block_lstm(op: Operation) -> list[Shape]:
    x, biases = op.inputs[1], op.inputs[-1]
    return [(dim(x, 0), dim(x, 1), dims.quotient(dim(biases, -1), 4))] * 7


@shape("BlockLSTMGrad", "BlockLSTMGradV2")
def block_lstm_grad(op: Operation) -> list[Shape]:
    """Those of the inputs, but for the length."""
    return [with_rank(t, rank) for t, rank in zip(op.inputs[1:9], (3, 2, 2, 2, 1, 1, 1, 1), strict=True)]


@shape("LSTMBlockCell")
def lstm_cell(op: Operation) -> list[Shape]:
    return [(dim(op.inputs[0], 0), dim(op.inputs[1], 1))] * 7


@shape("LSTMBlockCellGrad")
def lstm_cell_grad(op: Operation) -> list[Shape]:
    batch, cells = dim(op.inputs[0], 0), dim(op.inputs[1], 1)
    return [(batch, cells), (batch, dims.product(cells, 4)), *[(cells,)] * 3]


@shape("GRUBlockCell")
def gru_cell(op: Operation) -> list[Shape]:
    return [(dim(op.inputs[0], 0), dim(op.inputs[1], 1))] * 4


@shape("GRUBlockCellGrad")
def gru_cell_grad(op: Operation) -> list[Shape]:
    x, state, weights = op.inputs[:3]
    batch = dim(x, 0)
    return [with_rank(x, 2), *[(batch, dim(state, 1))] * 2, (batch, dim(weights, 1))]


@shape("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn_rnn(op: Operation) -> list[Shape]:
    """What is reserved for the gradient has a size of its own."""
    x, state = op.inputs[:2]
    directions = 2 if op["direction"] == "bidirectional" else 1
    cells = op.inputs[2] if op.type == "CudnnRNNV3" else state
    result = (dim(x, 0), dim(x, 1), dims.product(dim(state, 2), directions))
    states = [state.shape, cells.shape if op["rnn_mode"] == "lstm" else ()]
    return [result, *states, *[None] * (len(op.outputs) - 3)]


@shape("CudnnRNNBackprop", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3")
def cudnn_rnn_backprop(op: Operation) -> list[Shape]:
    return [t.shape for t in op.inputs[:4]]
