"""Images in files: PNG and BMP exactly, JPEG by the accurate transform, which Pillow's library has too."""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image

from graphgrad import dtypes
from graphgrad.kernels import _png
from tests.cases import case, const, given


def _waves(channels: int, dtype: str = "uint8") -> Any:
    y, x = np.mgrid[:13, :18]
    waves = np.stack([np.sin(x / 4 + k) * np.cos(y / 3 - k) for k in range(channels)], -1)
    return ((waves * 0.45 + 0.5) * np.iinfo(dtype).max).astype(dtype)


def _file(data: bytes) -> Any:
    return given(data, dtype="object")


def _saved(kind: str, channels: int = 3, **how: Any) -> Any:
    sink = io.BytesIO()
    array = _waves(channels)
    Image.fromarray(array[..., 0] if channels == 1 else array).save(sink, kind, **how)
    return _file(sink.getvalue())


def _animated() -> Any:
    frames = [Image.fromarray(np.roll(_waves(3), shift, 1)).quantize(16) for shift in (0, 5)]
    sink = io.BytesIO()
    frames[0].save(sink, "GIF", save_all=True, append_images=frames[1:], loop=0)
    return _file(sink.getvalue())


def _bmp() -> Any:
    rows = np.zeros((2, 12), np.uint8)
    rows[:, :9] = np.arange(18).reshape(2, 9)
    head = struct.pack("<IHHIIiiHHIIiiII", 54 + rows.size, 0, 0, 54, 40, 3, 2, 1, 24, 0, rows.size, 0, 0, 0, 0)
    return _file(b"BM" + head + rows.tobytes())


_JPEG, _GREY = _saved("JPEG", quality=85), _saved("JPEG", 1)
_EXACT = {"dct_method": "INTEGER_ACCURATE"}
_U8 = [given(_waves(channels), dtype="uint8") for channels in (1, 3, 4)]

CASES = [
    *[
        case("DecodePng", _file(_png.write(_waves(3), 6)), label=f"colours,{c}", channels=c, dtype=dtype)
        for c, dtype in ((0, dtypes.uint8), (1, dtypes.uint8), (4, dtypes.uint16))
    ],
    *[
        case("DecodePng", _file(_png.write(_waves(c, "uint16"), 6)), label=f"16bits,{c}", dtype=dtypes.uint16)
        for c in (1, 2, 3, 4)
    ],
    *[case("DecodeJpeg", _JPEG, label=f"ratio{ratio}", ratio=ratio, **_EXACT) for ratio in (1, 2, 4, 8)],
    case("DecodeJpeg", _JPEG, label="grey", channels=1, **_EXACT),
    case("DecodeJpeg", _GREY, label="colours", channels=3, **_EXACT),
    case("DecodeAndCropJpeg", _GREY, const([2, 3, 5, 7]), label="window", **_EXACT),
    case("DecodeBmp", _bmp(), label="colours"),
    case("DecodeBmp", _bmp(), label="opaque", channels=4),
    case("DecodeGif", _animated(), label="two"),
    case("DecodeImage", _animated(), label="first", expand_animations=False),
    case("DecodeImage", _file(_png.write(_waves(3), 6)), label="floats", dtype=dtypes.float32),
    case("DecodeImage", _bmp(), label="wide", dtype=dtypes.uint16),
    case("DecodeWebP", _saved("WEBP", lossless=True), label="lossless"),
    case("ExtractJpegShape", _JPEG, label="colours"),
    case("ExtractJpegShape", _GREY, label="grey", output_type=dtypes.int64),
    *[
        case("EncodePng", x, label=f"{x.shape[-1]}", graph=lambda g, x, **attrs: [g.DecodePng(g.EncodePng(x, **attrs))])
        for x in _U8
    ],
    case("EncodeJpeg", _U8[1], label="dense", quality=60, chroma_downsampling=False, density_unit="cm"),
    case("EncodeJpegVariableQuality", _U8[0], const(40), label="grey"),
]
