"""Static shapes of connectionist temporal classification: inputs are [time, batch, classes]."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import dims


def inputs_of(op: Operation) -> tuple[dims.Dim, ...]:
    """The inputs' shape; the lengths, which come last, know the batch too."""
    time, batch, classes = dims.merge(op.inputs[0].shape, (None, None, None)) or (None, None, None)
    lengths = op.inputs[-1].shape
    return time, dims.merge_dim(batch, lengths[0] if lengths else None), classes


@shape("CTCLoss", "CTCLossV2")
def ctc_loss(op: Operation) -> list[Shape]:
    inputs = inputs_of(op)
    return [(inputs[1],), inputs]


@shape("CTCGreedyDecoder", "CTCBeamSearchDecoder")
def ctc_decoder(op: Operation) -> list[Shape]:
    """Sparse tensors, whose sizes are not known, and logarithms of probabilities."""
    paths = op.get("top_paths", 1)
    return [*[(None, 2)] * paths, *[(None,)] * paths, *[(2,)] * paths, (inputs_of(op)[1], paths)]
