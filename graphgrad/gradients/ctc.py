"""Gradients of connectionist temporal classification."""

from __future__ import annotations

from graphgrad.registry import gradient, no_gradient

no_gradient("CTCGreedyDecoder", "CTCBeamSearchDecoder")

NO_SECOND_ORDER = (
    "Currently there is no way to take the second  derivative of ctc_loss due to the fused implementation's interaction "
    " with tf.gradients()"
)


@gradient("CTCLoss", "CTCLossV2")
def ctc_loss(g, op, d_loss, _):
    """The op gives the gradient beside the loss; it cannot be differentiated again."""
    gradient_of_loss = g.PreventGradient(op.outputs[1], message=NO_SECOND_ORDER)
    return g.ExpandDims(d_loss, -1) * gradient_of_loss, None, None, None
