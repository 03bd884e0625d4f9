"""Static shapes of activations, losses and biases."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import merge_all, same_as_first, scalar

shapes(
    same_as_first,
    *[
        "Relu",
        "Relu6",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Softplus",
        "Softsign",
        "Softmax",
        "LogSoftmax",
    ],
)
shapes(merge_all, *["ReluGrad", "Relu6Grad", "LeakyReluGrad", "EluGrad", "SeluGrad", "SoftplusGrad", "SoftsignGrad"])
shapes(scalar, "L2Loss")


@shape("BiasAdd", "BiasAddV1")
def bias_add(op: Operation) -> Shape:
    """The value's shape; its channels are as many as the bias has."""
    x, bias = (t.shape for t in op.inputs)
    axis = 1 if op.get("data_format") == "NCHW" and x is not None and len(x) > 2 else -1
    return x and dims.replace(x, axis, dims.merge_dim(x[axis], bias[0] if bias else None))


@shape("IsotonicRegression")
def isotonic_regression(op: Operation) -> list[Shape]:
    return [op.inputs[0].shape] * 2


@shape("BiasAddGrad")
def bias_add_grad(op: Operation) -> Shape:
    x = op.inputs[0].shape
    if x is None:
        return (None,)
    return (x[1] if op["data_format"] == "NCHW" and len(x) > 2 else x[-1],)


@shape("SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(op: Operation) -> list[Shape]:
    """One shape where logits and labels can be of the same, else what they broadcast to."""
    logits, labels = (t.shape or (None, None) for t in op.inputs)
    matrix = dims.merge(logits, labels) if dims.compatible(logits, labels) else dims.broadcast(logits, labels)
    return [matrix and matrix[:1], matrix]


@shape("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(op: Operation) -> list[Shape]:
    matrix, labels = op.inputs[0].shape or (None, None), op.inputs[1].shape or (None,)
    rows = dims.merge_dim(matrix[0], labels[0])
    return [(rows,), (rows, *matrix[1:])]


@shape("InTopK", "InTopKV2")
def in_top_k(op: Operation) -> Shape:
    predictions, targets = op.inputs[0].shape or (None, None), op.inputs[1].shape or (None,)
    return (dims.merge_dim(predictions[0], targets[0]),)
