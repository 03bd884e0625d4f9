"""Gradients of recurrent layers. Each is an op that was made for it."""

from __future__ import annotations

from graphgrad.errors import ArgumentError
from graphgrad.registry import gradient


@gradient("BlockLSTM", "BlockLSTMV2")
def block_lstm(g, op, *gradients):
    """Of the outputs only the states and what comes out have gradients.

    TensorFlow takes version 1 of the gradient for both, although version 2 keeps the gates in another order.
    """
    _, states, *_, result = gradients
    found = g.BlockLSTMGrad(*op.inputs, *op.outputs, states, result, use_peephole=op["use_peephole"])
    return None, *found


SETTINGS = ("dropout", "seed", "seed2", "rnn_mode", "input_mode", "direction")


@gradient("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn_rnn(g, op, *gradients):
    """From the three outputs, with what the forward pass reserved, to input, states and weights."""
    if not op["is_training"]:
        raise ArgumentError(f"{op.type} node {op.name!r} has no gradient: it was not made with is_training=True")
    backprop = {"CudnnRNN": g.CudnnRNNBackprop, "CudnnRNNV2": g.CudnnRNNBackpropV2, "CudnnRNNV3": g.CudnnRNNBackpropV3}
    settings = (*SETTINGS, "time_major", "num_proj") if op.type == "CudnnRNNV3" else SETTINGS
    found = backprop[op.type](
        *op.inputs, *op.outputs[:3], *gradients[:3], *op.outputs[3:], **{name: op[name] for name in settings}
    )
    return *found, *[None] * (len(op.inputs) - 4)
