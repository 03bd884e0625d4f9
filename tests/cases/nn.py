"""Activations, losses, biases."""

from graphgrad.dtypes import float32, float64
from tests.cases import case, f16, f32, f64, given

_ACTIVATIONS = ["Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Softsign", "Softmax", "LogSoftmax"]

CASES = [
    *[case(op, f32(3, 4, low=-3, high=8)) for op in _ACTIVATIONS if op != "Softsign"],
    case("Softsign", f32(3, 4), order=1),
    case("Softmax", f16(3, 4)),
    *[
        case(op, f32(3, 4), f32(3, 4))
        for op in ("ReluGrad", "Relu6Grad", "LeakyReluGrad", "EluGrad", "SeluGrad", "SoftplusGrad")
    ],
    case("L2Loss", f32(3, 4)),
    # Not smooth: the gradient takes the second output as constant in the labels, as TensorFlow does.
    case("SoftmaxCrossEntropyWithLogits", f32(3, 4), f32(3, 4, low=0, high=1), smooth=False),
    case("SparseSoftmaxCrossEntropyWithLogits", f32(3, 4), given([0, 3, 1], "int32")),
    case("IsotonicRegression", f32(3, 4), output_dtype=float32),
    case("IsotonicRegression", f64(1, 5), output_dtype=float64),
    case("IsotonicRegression", given([[2, 2, 1, 3], [1, 2, 3, 4]]), smooth=False, label="ties"),
    case("BiasAdd", f32(2, 3, 4), f32(4)),
    case("BiasAdd", f32(2, 3, 4, 5), f32(3), data_format="NCHW"),
    case("BiasAddV1", f32(2, 3), f32(3)),
    case("BiasAddGrad", f32(2, 3, 4)),
    case("BiasAddGrad", f32(2, 3, 4, 5), data_format="NCHW"),
]
