"""Simulated quantization. Not smooth: what rounds sends gradients through as if it did not."""

from tests.cases import case, const, f32, given

_X = f32(3, 4, low=-3, high=3)
_ENDS = given(-2.0), given(2.5)
_CHANNELS = given([-2.0, -1.0, 0.0, -0.5]), given([2.0, 1.0, 1.0, 0.7])
_ROWS = given([-1.0, -2.0, -0.5]), given([1.0, 2.0, 1.0])

CASES = [
    case("FakeQuantWithMinMaxArgs", _X, smooth=False),
    case("FakeQuantWithMinMaxArgs", _X, smooth=False, min=0.0, max=2.0, num_bits=4, narrow_range=True),
    case("FakeQuantWithMinMaxVars", _X, *_ENDS, smooth=False),
    case("FakeQuantWithMinMaxVars", _X, *_ENDS, smooth=False, num_bits=4, narrow_range=True),
    case("FakeQuantWithMinMaxVars", _X, given(0.0), given(0.0), label="nothing", smooth=False),
    case("FakeQuantWithMinMaxVarsPerChannel", _X, *_CHANNELS, label="matrix", smooth=False),
    case("FakeQuantWithMinMaxVarsPerChannel", f32(4), *_CHANNELS, label="vector", smooth=False, num_bits=4),
    *[
        case("QuantizeAndDequantize", _X, smooth=False, range_given=given_, input_min=-1.0, input_max=2.0)
        for given_ in (True, False)
    ],
    *[
        case(op, _X, *_ENDS, smooth=False, order=1, range_given=given_, signed_input=signed, round_mode=mode)
        for op in ("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4")
        for given_, signed, mode in ((True, True, "HALF_UP"), (False, False, "HALF_TO_EVEN"))
    ],
    case("QuantizeAndDequantizeV2", _X, *_CHANNELS, smooth=False, axis=1, range_given=False, narrow_range=True),
    case("QuantizeAndDequantizeV3", _X, *_ENDS, const(5), smooth=False),
    case("QuantizeAndDequantizeV3", _X, *_ROWS, const(8), smooth=False, axis=0, range_given=False),
    case("QuantizeAndDequantizeV4", _X, *_ROWS, label="rows", smooth=False, order=1, axis=0, range_given=False),
    case("QuantizeAndDequantizeV4Grad", _X, f32(3, 4), *_ENDS, label="ends", smooth=False, order=1),
    case("QuantizeAndDequantizeV4Grad", _X, f32(3, 4), *_ROWS, label="rows", smooth=False, order=1, axis=0),
]
