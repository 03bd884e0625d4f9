"""Operations that graph optimisers fused. TensorFlow has no gradients for them."""

from graphgrad import dtypes
from tests.cases import case, const, f32, f64

_IMAGE, _FILTERS, _BIAS = f32(2, 5, 6, 3), f32(2, 3, 3, 4), f32(4)
_MOMENTS = [f32(4), f32(4), f32(4), f32(4, low=0.5, high=2)]
_CONV = {"strides": [1, 2, 1, 1], "padding": "SAME"}
_PADS = const([[0, 0], [1, 2], [2, 0], [0, 0]])
_PADDED = {"strides": [1, 1, 1, 1], "padding": "VALID"}


def _fused(ops: list[str], args: list, listed: bool = False, **attrs):
    """The attributes that say what is fused behind a product."""
    attrs |= {"TArgs": [dtypes.float32] * len(args)} if listed else {}
    return {"fused_ops": ops, "num_args": len(args), **attrs}


CASES = [
    *[
        case("_FusedConv2D", _IMAGE, _FILTERS, args, [], label="+".join(ops), **_fused(ops, args, True, **_CONV))
        for ops, args in (
            (["BiasAdd"], [_BIAS]),
            (["BiasAdd", "Relu"], [_BIAS]),
            (["BiasAdd", "Elu"], [_BIAS]),
            (["BiasAdd", "Add", "Relu"], [_BIAS, f32(2, 3, 6, 4)]),
            (["FusedBatchNorm"], _MOMENTS),
            (["FusedBatchNorm", "Relu6"], _MOMENTS),
            (["BiasAdd", "_FusedHardSwish"], [_BIAS]),
        )
    ],
    case(
        "_FusedDepthwiseConv2dNative",
        *(_IMAGE, f32(2, 2, 3, 2), [f32(6)]),
        label="relu6",
        **_fused(["BiasAdd", "Relu6"], [0], strides=[1, 1, 1, 1], padding="VALID"),
    ),
    case(
        "_FusedConv3D",
        *(f32(1, 4, 4, 3, 2), f32(2, 2, 2, 2, 3), [f32(3)]),
        label="leaky",
        **_fused(["BiasAdd", "LeakyRelu"], [0], strides=[1, 1, 1, 1, 1], padding="SAME", leakyrelu_alpha=0.1),
    ),
    *[
        case("_FusedMatMul", f32(3, 4), f32(3, 5), [f32(5)], label=ops[-1], **_fused(ops, [0], transpose_a=True))
        for ops in (["BiasAdd"], ["BiasAdd", "Tanh"])
    ],
    *[
        case("_FusedMatMul", f32(3, 4), f32(4, 5), [f32(5)], label=name, **_fused(["BiasAdd", name], [0]))
        for name in ("GeluApproximate", "GeluExact")
    ],
    case("FusedPadConv2D", f32(1, 5, 6, 2), _PADS, f32(2, 2, 2, 3), label="reflect", mode="REFLECT", **_PADDED),
    case("FusedPadConv2D", f64(1, 5, 6, 2), _PADS, f64(2, 2, 2, 3), label="mirror", mode="SYMMETRIC", **_PADDED),
    *[
        case(
            "FusedResizeAndPadConv2D",
            *(f32(1, 3, 4, 2), const([5, 6]), _PADS, f32(2, 2, 2, 3)),
            label=f"corners={align}",
            resize_align_corners=align,
            mode="REFLECT",
            **_PADDED,
        )
        for align in (True, False)
    ],
    case("_UnaryOpsComposition", f32(3, 4), label="three", op_names=["Abs", "Sqrt", "Neg"]),
]
