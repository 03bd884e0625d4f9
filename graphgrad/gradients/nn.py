"""Gradients of activations, losses and biases. The *Grad ops have rules of their own, for second order."""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.registry import gradient, no_gradient

no_gradient("InTopK", "InTopKV2")


# ------------------------------------------------------------------ activations
@gradient("Relu")
def relu(g, op, dz):
    return g.ReluGrad(dz, op.outputs[0])


@gradient("ReluGrad")
def relu_grad(g, op, dz):
    x = op.inputs[1]
    return g.ReluGrad(dz, x), g.zeros_like(x)


@gradient("Relu6")
def relu6(g, op, dz):
    return g.Relu6Grad(dz, op.outputs[0])


@gradient("Relu6Grad")
def relu6_grad(g, op, dz):
    x = op.inputs[1]
    return g.Relu6Grad(dz, x), g.zeros_like(x)


@gradient("LeakyRelu")
def leaky_relu(g, op, dz):
    return g.LeakyReluGrad(dz, op.inputs[0], alpha=op["alpha"])


@gradient("LeakyReluGrad")
def leaky_relu_grad(g, op, dz):
    x = op.inputs[1]
    return g.LeakyReluGrad(dz, x, alpha=op["alpha"]), g.zeros_like(x)


@gradient("Elu")
def elu(g, op, dz):
    return g.EluGrad(dz, op.outputs[0])


@gradient("EluGrad")
def elu_grad(g, op, dz):
    dy, y = op.inputs
    return g.EluGrad(dz, y), g.Select(y < 0, dz * dy, g.zeros_like(y))


@gradient("Selu")
def selu(g, op, dz):
    return g.SeluGrad(dz, op.outputs[0])


@gradient("SeluGrad")
def selu_grad(g, op, dz):
    dy, y = op.inputs
    return g.SeluGrad(dz, y), g.Select(y < 0.0, dz * dy, g.zeros_like(y))


@gradient("Softplus")
def softplus(g, op, dz):
    return dz * g.Sigmoid(op.inputs[0])


@gradient("SoftplusGrad")
def softplus_grad(g, op, dz):
    dy, x = op.inputs
    with g.control_dependencies([dz]):
        return g.SoftplusGrad(dz, x), dz * dy / (g.Exp(-x) + 2.0 + g.Exp(x))


@gradient("Softsign")
def softsign(g, op, dz):
    return g.SoftsignGrad(dz, op.inputs[0])


@gradient("Softmax")
def softmax(g, op, dz):
    """dx = (dz - Σ dz y) y"""
    (y,) = op.outputs
    return (dz - g.reduce_sum(dz * y, -1, keepdims=True)) * y


@gradient("LogSoftmax")
def log_softmax(g, op, dz):
    """dx = dz - Σ dz softmax(x)"""
    probabilities = g.Exp(op.outputs[0])
    return dz - g.reduce_sum(dz, -1, keepdims=True) * probabilities


# ------------------------------------------------------------------ losses
@gradient("L2Loss")
def l2_loss(g, op, dz):
    return op.inputs[0] * dz


@gradient("SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(g, op, d_loss, d_backprop):
    logits = op.inputs[0]
    dx = logits_gradient(g, op, d_loss, d_backprop)
    return dx, scaled_rows(g, d_loss, lambda: -g.LogSoftmax(logits))


@gradient("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(g, op, d_loss, d_backprop):
    return logits_gradient(g, op, d_loss, d_backprop), None


def scaled_rows(g, row_factors, make_matrix):
    """The matrix, made first, with each row times its factor."""
    matrix = make_matrix()
    return g.ExpandDims(row_factors, -1) * matrix


def logits_gradient(g, op, d_loss, d_backprop):
    """Of the loss, and, where it is differentiated itself, of the op's second output, the softmax minus the labels."""
    logits, backprop = op.inputs[0], op.outputs[1]
    dx = g.ExpandDims(d_loss, -1) * backprop
    if d_backprop is None or g.made_as_zeros(d_backprop):
        return dx
    y = g.Softmax(logits)
    product = g.matmul(g.ExpandDims(d_backprop, 1), g.ExpandDims(y, 2))
    return dx + (d_backprop - g.Squeeze(product, squeeze_dims=[1])) * y


@gradient("IsotonicRegression")
def isotonic_regression(g, op, dz, _):
    """Every element of a segment gets the mean of dz over it, row by row; all rows at once where their number is unknown,
    which TensorFlow refuses."""
    x, segments = op.inputs[0], op.outputs[1]
    if x.shape is None or x.shape[0] is None:
        rows = g.shape(segments)
        segments = segments + g.ExpandDims(g.range(0, rows[0]) * rows[1], -1)
        return g.cast(segment_means(g, dz, segments), x.dtype)
    pieces = zip(
        g.Split(0, dz, num_split=x.shape[0], name="split"), g.Split(0, segments, num_split=x.shape[0], name="split")
    )
    means = [g.Reshape(segment_means(g, *piece), [-1]) for piece in pieces]
    return g.cast(g.stack(means), x.dtype)


def segment_means(g, dz, segments):
    """For every element the mean over its segment; TensorFlow's Python divides the sum of dz by that of ones."""
    count = g.reduce_max(segments) + 1
    with g.name_scope("UnsortedSegmentMean"):
        sizes = g.UnsortedSegmentSum(g.ones(g.shape_as_tensor(segments), dz.dtype), segments, count)
        lone = count[None]
        inner = g.rank(dz) - g.rank(segments)
        per_segment = g.concat([lone, g.ones([inner], dtypes.int32)], 0)
        sizes = g.Maximum(g.Reshape(sizes, per_segment), 1)
        means = g.UnsortedSegmentSum(dz, segments, count) / sizes
    return g.gather(means, segments)


# ------------------------------------------------------------------ biases
@gradient("BiasAdd")
def bias_add(g, op, dz):
    return dz, g.BiasAddGrad(dz, data_format=op["data_format"])


@gradient("BiasAddV1")
def bias_add_v1(g, op, dz):
    axes = g.range(0, g.rank(dz) - 1)
    return dz, g.reduce_sum(dz, axes)


@gradient("BiasAddGrad")
def bias_add_grad(g, op, dz):
    shape, bias = g.shape(op.inputs[0]), g.shape(dz)
    if op["data_format"] == "NCHW":
        expanded = g.concat([g.ones_like(shape[:1]), bias, g.ones_like(shape[2:])], 0)
        repeats = g.concat([shape[:1], [1], shape[2:]], 0)
    else:
        expanded = g.concat([g.ones_like(shape[:-1]), bias], 0)
        repeats = g.concat([shape[:-1], [1]], 0)
    return g.Tile(g.Reshape(dz, expanded), repeats)
