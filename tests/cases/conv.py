"""Convolutions: paddings, strides, dilations."""

from tests.cases import case, const, f32, f64, given

_PLAIN = {"strides": [1, 1, 1, 1], "padding": "SAME"}
_STRIDED = {"strides": [1, 2, 2, 1], "padding": "VALID"}
_EXPLICIT = {"strides": [1, 2, 1, 1], "padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 2, 0, 1, 0, 0]}
_DEEP = {"strides": [1, 1, 2, 1, 1], "padding": "SAME"}
_RATES = {"strides": [1, 1, 2, 1], "rates": [1, 2, 1, 1]}
# TensorFlow's gradients of depthwise convolutions, on a processor, pass over dilations: finite differences are compared.
_DILATED = {"dilations": [1, 2, 3, 1], "undefined": ("order1/0", "order1/1", "order2/0", "order2/1")}
_VOLUME, _DEEP_Y = f32(1, 4, 5, 4, 2), f32(1, 4, 3, 4, 3)

CASES = [
    case("Conv2D", f32(2, 5, 6, 2), f32(3, 3, 2, 4), label="same", **_PLAIN),
    case("Conv2D", f32(2, 5, 6, 2), f32(3, 2, 2, 4), label="strided", **_STRIDED),
    case("Conv2D", f32(2, 5, 6, 2), f32(3, 3, 2, 3), label="explicit", **_EXPLICIT),
    case("Conv2D", f64(1, 7, 7, 2), f64(3, 3, 2, 2), label="dilated", dilations=[1, 2, 2, 1], **_PLAIN),
    case("Conv2D", f32(2, 4, 4, 3), f32(1, 1, 3, 5), label="pointwise", **_PLAIN),
    case(
        "Conv2DBackpropInput",
        const([2, 5, 6, 2]),
        f32(3, 3, 2, 4),
        f32(2, 5, 6, 4),
        label="same",
        levels=("static",),
        **_PLAIN,
    ),
    case(
        "Conv2DBackpropFilter",
        f32(2, 5, 6, 2),
        const([3, 3, 2, 4]),
        f32(2, 5, 6, 4),
        label="same",
        levels=("static",),
        **_PLAIN,
    ),
    case("DepthwiseConv2dNative", f32(2, 5, 6, 2), f32(3, 3, 2, 2), label="same", **_PLAIN),
    case("DepthwiseConv2dNative", f32(2, 5, 6, 2), f32(3, 3, 2, 1), label="strided", **_STRIDED),
    case(
        "DepthwiseConv2dNative", f32(1, 1, 2, 3), f32(1, 3, 3, 2), label="apart", strides=[1, 3, 3, 1], padding="SAME"
    ),
    case("DepthwiseConv2dNative", f32(1, 7, 6, 2), f32(3, 2, 2, 1), label="dilated", **_DILATED, **_PLAIN),
    case("DepthwiseConv2dNative", f32(1, 3, 4, 256), f32(2, 2, 256, 1), label="many-channels", **_STRIDED),
    *[
        case(
            "DepthwiseConv2dNativeBackpropInput",
            shape,
            f32(3, 3, 2, 2),
            f32(2, 5, 6, 4),
            label=label,
            **_PLAIN,
        )
        for label, shape in (("same", const([2, 5, 6, 2])), ("fed", given([2, 5, 6, 2], "int32")))
    ],
    case(
        "DepthwiseConv2dNativeBackpropFilter",
        f32(2, 5, 6, 2),
        const([3, 3, 2, 2]),
        f32(2, 5, 6, 4),
        label="same",
        **_PLAIN,
    ),
    case("Conv3D", _VOLUME, f32(2, 3, 2, 2, 3), label="same", **_DEEP),
    case("Conv3DBackpropInputV2", const([1, 4, 5, 4, 2]), f32(2, 3, 2, 2, 3), _DEEP_Y, label="same", **_DEEP),
    case("Conv3DBackpropFilterV2", _VOLUME, const([2, 3, 2, 2, 3]), _DEEP_Y, label="same", **_DEEP),
    *[
        case("Dilation2D", f32(2, 5, 5, 2), f32(2, 3, 2), label=padding, order=1, padding=padding, **_RATES)
        for padding in ("SAME", "VALID")
    ],
]
