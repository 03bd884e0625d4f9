"""Recipes of images in files. PNG and BMP are written here, in every form; the others by Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from graphgrad import dtypes
from graphgrad.kernels import _png
from tests.oracle.kernel_draws.drawing import Drawer, Recipe
from tests.oracle.kernel_draws.messages import strings

Parts = tuple[Any, ...]


def picture(d: Drawer, channels: int, dtype: str = "uint8", most: int = 20) -> Any:
    """Waves with some noise, so that lossy formats have something to lose."""
    height, width, random = d.integer(1, most), d.integer(1, most), d.random()
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 5 + k) * np.cos(y / 3 - k) for k in range(channels)], -1)
    top = np.iinfo(dtype).max
    return np.clip((waves * 0.4 + 0.5 + random.normal(0, 0.05, waves.shape)) * top, 0, top).astype(dtype)


def as_pillow(array: Any) -> Any:
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def saved(image: Any, kind: str, **how: Any) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **how)
    return sink.getvalue()


def contents(data: bytes) -> Any:
    return strings([data]).reshape(())


def damaged(d: Drawer, data: bytes) -> bytes:
    """Seldom cut short."""
    return data[: len(data) // 2] if d.integer(0, 20) == 20 else data


# ------------------------------------------------------------------------------------------------------- PNG
def _rows(samples: Any, depth: int, d: Drawer) -> bytes:
    """Rows of samples, each with a filter of its own."""
    height, _, channels = samples.shape
    if depth == 16:
        rows = samples.astype(">u2").view(np.uint8).reshape(height, -1)
    elif depth == 8:
        rows = samples.astype(np.uint8).reshape(height, -1)
    else:
        bits = (samples.reshape(height, -1)[..., None] >> np.arange(depth)[::-1]) & 1
        rows = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)
    step = max(1, depth * channels // 8)
    framed = np.zeros((height + 1, rows.shape[1] + step), np.int16)
    framed[1:, step:] = rows
    left, up, corner = framed[1:, :-step], framed[:-1, step:], framed[:-1, :-step]
    guesses = [0 * left, left, up, (left + up) >> 1, _png._paeth(left, up, corner)]
    filters = d.random().integers(0, 5, height) * d.flag()
    lines = [bytes([f]) + (rows[i] - guesses[f][i]).astype(np.uint8).tobytes() for i, f in enumerate(filters)]
    return b"".join(lines)


def png(d: Drawer) -> bytes:
    colour = d.pick([0, 2, 3, 4, 6])
    depth = d.pick(list(_png.DEPTHS[colour]))
    height, width, random = d.integer(1, 12), d.integer(1, 12), d.random()
    samples = random.integers(0, 1 << depth, (height, width, _png.CHANNELS[colour]))
    interlace = d.flag()
    if interlace:
        parts = [samples[top::down, left::right] for top, left, down, right in _png.PASSES]
        raw = b"".join(_rows(part, depth, d) for part in parts if part.size)
    else:
        raw = _rows(samples, depth, d)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))]
    if colour == 3:
        chunks.append((b"PLTE", bytes(random.integers(0, 256, 3 << depth, np.uint8))))
    if colour in (0, 2, 3) and d.integer(0, 2) == 2:
        key = samples[0, 0].astype(">u2").tobytes()
        chunks.append((b"tRNS", bytes(random.integers(0, 256, 1 << depth, np.uint8)) if colour == 3 else key))
    chunks += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    body = [struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks]
    return damaged(d, _png.SIGNATURE + b"".join(body))


def bmp(d: Drawer) -> bytes:
    return damaged(d, whole_bmp(d))


def whole_bmp(d: Drawer) -> bytes:
    """Of cut ones TensorFlow's DecodeImage dies."""
    channels = d.pick([3, 4, 1])
    array = picture(d, channels)
    height, width = array.shape[:2]
    size = (width * channels + 3) // 4 * 4
    rows = np.zeros((height, size), np.uint8)
    rows[:, : width * channels] = array.reshape(height, -1)
    sign = -1 if d.rarely() else 1
    begin = 54 + (1024 if channels == 1 else 0)
    head = b"BM" + struct.pack("<IHHI", begin + rows.size, 0, 0, begin)
    head += struct.pack("<IiiHHIIiiII", 40, width, sign * height, 1, 8 * channels, 0, rows.size, 0, 0, 0, 0)
    return head.ljust(begin, b"\0") + rows.tobytes()


def jpeg(d: Drawer, subsampling: tuple[int, ...] = (0, 1, 2)) -> bytes:
    channels = d.pick([3, 1])
    how: dict[str, Any] = {"quality": d.pick([95, 75, 30]), "progressive": d.rarely()}
    how |= {"subsampling": d.pick(list(subsampling))} if channels == 3 else {}
    return damaged(d, saved(as_pillow(picture(d, channels, most=40)), "JPEG", **how))


def whole_jpeg(d: Drawer) -> bytes:
    """As many colours as pixels: at the edges of a window TensorFlow does not look at the colours beyond."""
    return jpeg(d, (0,))


def gif(d: Drawer) -> bytes:
    first = picture(d, 3)
    frames = []
    for _ in range(d.pick([1, 3])):
        frames.append(as_pillow(np.ascontiguousarray(first)).quantize(16))
        first = 255 - first
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0)


def webp(d: Drawer) -> bytes:
    return saved(as_pillow(picture(d, d.pick([3, 4]))), "WEBP", lossless=d.flag(), quality=80)


# -------------------------------------------------------------------------------------------------- recipes
def decode(*kinds: Any) -> Recipe:
    def recipe(d: Drawer) -> Parts:
        takes = d.signature.attrs
        attrs: dict[str, Any] = {"channels": d.pick([0, 0, 1, 3, 4, 2])} if "channels" in takes else {}
        # The other way of undoing the transform, TensorFlow's own, is measured in test_codecs.py.
        attrs |= {"dct_method": "INTEGER_ACCURATE"} if "dct_method" in takes else {}
        attrs |= {"ratio": d.pick([1, 1, 2, 4, 8])} if "ratio" in takes else {}
        attrs |= {"expand_animations": d.flag()} if "expand_animations" in takes else {}
        inputs = [contents(d.pick(list(kinds))(d))]
        if d.op_type == "DecodeAndCropJpeg":
            inputs.append(np.array([d.integer(0, 3), d.integer(0, 3), d.integer(1, 5), d.integer(1, 5)], np.int32))
        return inputs, attrs

    return recipe


def encode_jpeg(d: Drawer) -> Parts:
    image = picture(d, d.pick([1, 3]))
    if d.op_type == "EncodeJpegVariableQuality":
        return [image, np.int32(d.integer(0, 100))], {}
    return [image], {
        "format": d.pick(["", "grayscale", "rgb"]),
        "quality": d.integer(0, 100),
        "progressive": d.flag(),
        "optimize_size": d.flag(),
        "chroma_downsampling": d.flag(),
        "density_unit": d.pick(["in", "cm"]),
        "x_density": d.integer(1, 400),
        "xmp_metadata": d.pick(["", "<x/>"]),
    }


def encode_png(d: Drawer) -> Parts:
    """Read again: the same image can be written in several ways."""
    dtype = d.dtype()
    image = picture(d, d.integer(1, 4), dtype)

    def program(g: Any, image: Any, compression: int, T: Any) -> Any:
        data = g.EncodePng(image, compression=compression)
        return [g.DecodePng(data, dtype=dtypes.by_name(dtype))]

    return [image], {"compression": d.integer(-1, 9)}, program


RECIPES: dict[str, Recipe] = {
    "DecodePng": decode(png, png, png, gif, bmp),
    "DecodeJpeg": decode(jpeg, jpeg, jpeg, png, gif, bmp),
    "DecodeAndCropJpeg": decode(whole_jpeg, whole_jpeg, whole_jpeg, png),
    "DecodeBmp": decode(bmp, bmp, bmp, png),
    "DecodeGif": decode(gif, gif, png, bmp),
    "DecodeImage": decode(png, whole_bmp, gif),
    "DecodeWebP": decode(webp, webp, bmp),
    "ExtractJpegShape": decode(jpeg, jpeg, png),
    **dict.fromkeys(["EncodeJpeg", "EncodeJpegVariableQuality"], encode_jpeg),
    "EncodePng": encode_png,
}
