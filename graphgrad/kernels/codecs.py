"""Kernels that decode and encode images. PNG and BMP are read here; JPEG, GIF and WebP by Pillow, an extra.

Which format it is, the first bytes say, whatever the op is called.
"""

from __future__ import annotations

import functools
import io
import struct
from typing import Any

import numpy as np

from graphgrad.kernels import _png
from graphgrad.kernels._parsing import row_of
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]
F = np.float32

FORMATS = {b"\xff\xd8\xff": "JPEG", _png.SIGNATURE[:4]: "PNG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP"}
RATIOS = (1, 2, 4, 8)


def format_of(data: bytes) -> str:
    """The format of an encoded image. Raises ValueError where it is none that is known."""
    for start, name in FORMATS.items():
        if data.startswith(start) and (name != "WebP" or data[8:12] == b"WEBP"):
            return name
    raise ValueError("the image is neither JPEG, PNG, GIF, BMP nor WebP" if data else "the image is empty")


def contents_of(contents: Array) -> bytes:
    if contents.ndim:
        raise ValueError(f"contents must be a scalar, not of shape {list(contents.shape)}")
    return contents.item()  # type: ignore[no-any-return]


def pillow() -> Any:
    """Pillow's module of images. Raises ValueError where it is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise ValueError("JPEG, GIF and WebP need Pillow: pip install 'graphgrad[images]'") from None
    return Image


def opened(data: bytes, kind: str) -> Any:
    """An image in Pillow. Raises ValueError where it is damaged."""
    image_module = pillow()
    try:
        return image_module.open(io.BytesIO(data), formats=[kind.upper()])
    except (OSError, ValueError, SyntaxError, image_module.DecompressionBombError) as error:
        raise ValueError(f"the {kind} image cannot be read: {error}") from None


def pixels(image: Any, kind: str) -> Array:
    """The pixels of an image in Pillow, with an axis of channels. Raises ValueError where it is damaged."""
    try:
        array = np.array(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise ValueError(f"the {kind} image cannot be read: {error}") from None
    return array.reshape(*array.shape[:2], -1)


# --------------------------------------------------------------------------------------------------- formats


def jpeg(data: bytes, channels: int, ratio: int = 1, fancy_upscaling: bool = True) -> Array:
    """One or three channels; at a ratio the image is that much smaller."""
    if channels not in (0, 1, 3):
        raise ValueError(f"JPEG has 1 or 3 channels, not {channels}")
    if ratio not in RATIOS:
        raise ValueError(f"ratio must be 1, 2, 4 or 8, not {ratio}")
    image = opened(data, "JPEG")
    if not fancy_upscaling and any(layer[1:3] != image.layer[0][1:3] for layer in image.layer):
        raise ValueError("the colours of the JPEG image lie further apart than its pixels: fancy_upscaling is needed")
    wanted = channels or min(image.layers, 3)
    image.draft("L" if wanted == 1 else None, (image.width / ratio, image.height / ratio))
    return pixels(image.convert("L" if wanted == 1 else "RGB"), "JPEG")


def jpeg_shape(data: bytes) -> tuple[int, int, int]:
    """Height, width and channels, as the header of the frame says; all that stands before the scan must be there."""
    at, found = 2, None
    while format_of(data) == "JPEG" and at + 9 < len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, channels = struct.unpack(">HHB", data[at + 5 : at + 10])
            found = height, width, channels
        at += 2 + size
        if marker == 0xDA and found and at <= len(data):
            return found
    raise ValueError("this is no JPEG image, or its header is not whole")


def gif(data: bytes, channels: int) -> Array:
    """All frames, each as it is seen."""
    if channels not in (0, 3):
        raise ValueError(f"GIF has 3 channels, not {channels}")
    image = opened(data, "GIF")
    frames = []
    for number in range(image.n_frames):
        image.seek(number)
        frames.append(pixels(image.convert("RGB"), "GIF"))
    return np.stack(frames)


def webp(data: bytes, channels: int) -> Array:
    """All frames."""
    image = opened(data, "WebP")
    if channels not in (0, 3, 4) or (channels and (channels == 4) != (image.mode == "RGBA")):
        raise ValueError(f"the WebP image has {len(image.mode)} channels, not {channels}")
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(pixels(image, "WebP"))
    return np.stack(frames)


def bmp(data: bytes, channels: int) -> Array:
    """Pictures of 8 (grey), 24 or 32 bits a pixel, from the bottom up or the other way."""
    if channels not in (0, 3, 4):
        raise ValueError(f"BMP has 3 or 4 channels, not {channels}")
    if len(data) < 32:
        raise ValueError("the BMP image is damaged: its header is not whole")
    begin, width, height, bits = *struct.unpack("<I", data[10:14]), *struct.unpack("<iixxh", data[18:30])
    found = bits // 8
    if bits not in (8, 24, 32) or width <= 0 or not height:
        raise ValueError(f"BMP images of 8, 24 or 32 bits are read, not {width} x {height} of {bits}")
    size = (width * found + 3) // 4 * 4
    if len(data) < begin + size * (abs(height) - 1) + width * found:
        raise ValueError("the BMP image is damaged: it ends too soon")
    raw = np.frombuffer(data[begin : begin + size * abs(height)].ljust(size * abs(height), b"\0"), np.uint8)
    image = raw.reshape(abs(height), size)[:, : width * found].reshape(abs(height), width, found)
    image = image[:: -1 if height > 0 else 1]
    if found > 1:
        image = image[..., [2, 1, 0, 3][:found]]
    wanted = channels or found
    if found == 1 and wanted > 1:
        image = np.repeat(image, 3, -1)
    if wanted == 4 and image.shape[-1] == 3:
        image = np.concatenate([image, np.full((*image.shape[:2], 1), 255, np.uint8)], -1)
    return np.ascontiguousarray(image[..., :wanted])


# ---------------------------------------------------------------------------------------------------- decoding


def converted(image: Array, dtype: Any) -> Array:
    """An image of bytes in another type."""
    if dtype == np.uint16:
        return image.astype(np.uint16) * 256
    return image * F(1 / 255) if dtype == F else image


def png(data: bytes, channels: int, dtype: Any) -> Array:
    if channels not in (0, 1, 3, 4):
        raise ValueError(f"channels must be 0, 1, 3 or 4, not {channels}")
    image = _png.read(data, channels, wide=dtype != np.uint8)
    return image * F(1 / 65535) if dtype == F else image


def decoded(data: bytes, channels: int, dtype: Any, **options: Any) -> tuple[str, Array]:
    """The format and the image: rank 3, or with frames in front rank 4."""
    kind = format_of(data)
    if kind == "PNG":
        return kind, png(data, channels, dtype)
    read = {"JPEG": functools.partial(jpeg, **options), "GIF": gif, "BMP": bmp, "WebP": webp}[kind]
    return kind, converted(read(data, channels), dtype)


def _lone(kind: str, image: Array) -> Array:
    """The one frame of an image, for ops that give no others."""
    if image.ndim == 3:
        return image
    if kind == "WebP" or len(image) > 1:
        raise ValueError(f"{kind} images of {len(image)} frames are decoded by DecodeGif, DecodeWebP or DecodeImage")
    return image[0]


def _refuse(kind: str, op: str, *kinds: str) -> None:
    if kind in kinds:
        raise ValueError(f"{op} does not decode {kind} images: DecodeImage does")


@kernel("DecodeJpeg")
def decode_jpeg(contents, *, channels, ratio, fancy_upscaling, try_recover_truncated, acceptable_fraction, dct_method):
    data = contents_of(contents)
    _refuse(format_of(data), "DecodeJpeg", "BMP")
    return _lone(*decoded(data, channels, np.uint8, ratio=ratio, fancy_upscaling=fancy_upscaling))


@kernel("DecodeAndCropJpeg")
def decode_and_crop_jpeg(
    contents, window, *, channels, ratio, fancy_upscaling, try_recover_truncated, acceptable_fraction, dct_method
):
    data = contents_of(contents)
    _refuse(format_of(data), "DecodeAndCropJpeg", "BMP", "GIF", "PNG", "WebP")
    if window.shape != (4,):
        raise ValueError(f"crop_window must be four numbers, not of shape {list(window.shape)}")
    image = jpeg(data, channels, ratio, fancy_upscaling)
    top, left, height, width = window.tolist()
    if min(top, left) < 0 or min(height, width) <= 0 or top + height > len(image) or left + width > image.shape[1]:
        raise ValueError(f"the window {window.tolist()} does not lie in an image of {len(image)} x {image.shape[1]}")
    return image[top : top + height, left : left + width]


@kernel("DecodePng")
def decode_png(contents, *, channels, dtype):
    data = contents_of(contents)
    _refuse(format_of(data), "DecodePng", "BMP")
    return _lone(*decoded(data, channels, dtype))


@kernel("DecodeBmp")
def decode_bmp(contents, *, channels):
    data = contents_of(contents)
    _refuse(format_of(data), "DecodeBmp", "JPEG", "PNG", "GIF", "WebP")
    return bmp(data, channels)


@kernel("DecodeGif")
def decode_gif(contents):
    data = contents_of(contents)
    _refuse(format_of(data), "DecodeGif", "BMP")
    image = decoded(data, 3, np.uint8)[1]
    return image if image.ndim == 4 else image[None]


@kernel("DecodeWebP")
def decode_webp(contents, *, channels, dtype):
    data = contents_of(contents)
    _refuse(format_of(data), "DecodeWebP", "BMP", "GIF", "JPEG", "PNG")
    if dtype != np.uint8:
        raise ValueError(f"WebP images are uint8, not {np.dtype(dtype).name}")
    return webp(data, channels)


@kernel("DecodeImage")
def decode_image(contents, *, channels, dtype, expand_animations):
    kind, image = decoded(contents_of(contents), channels, dtype)
    if kind == "WebP" and dtype != np.uint8:
        raise ValueError(f"WebP images are uint8, not {np.dtype(dtype).name}")
    return image if expand_animations or image.ndim == 3 else image[0]


@kernel("ExtractJpegShape")
def extract_jpeg_shape(contents, *, output_type):
    return np.array(jpeg_shape(contents_of(contents)), output_type)


# ---------------------------------------------------------------------------------------------------- encoding


def _text(data: bytes) -> Array:
    return row_of([data]).reshape(())


@kernel("EncodePng")
def encode_png(image, *, compression):
    """Of each image behind the first axes."""
    if image.ndim < 3 or not image.shape[-1] <= 4 or not image.size or not image.shape[-1]:
        raise ValueError(f"images of 1 to 4 channels can be PNG, not an array of shape {list(image.shape)}")
    if not -1 <= compression <= 9:
        raise ValueError(f"compression must be from -1 to 9, not {compression}")
    found = [_png.write(one, compression) for one in image.reshape(-1, *image.shape[-3:])]
    return row_of(found).reshape(image.shape[:-3])


@kernel("EncodeJpeg")
def encode_jpeg(
    image,
    *,
    format,
    quality,
    progressive,
    optimize_size,
    chroma_downsampling,
    density_unit,
    x_density,
    y_density,
    xmp_metadata,
):
    if not 0 <= quality <= 100:
        raise ValueError(f"quality must be from 0 to 100, not {quality}")
    wanted = {"": (1, 3), "grayscale": (1,), "rgb": (3,)}[format]
    if image.ndim != 3 or image.shape[-1] not in wanted or not image.size:
        raise ValueError(
            f"an array of shape {list(image.shape)} is no image of {' or '.join(map(str, wanted))} channels"
        )
    how: dict[str, Any] = {"quality": quality, "progressive": progressive, "optimize": optimize_size}
    how |= {"dpi": (x_density, y_density)} | ({"xmp": xmp_metadata.encode()} if xmp_metadata else {})
    how |= {} if chroma_downsampling else {"subsampling": 0}
    sink = io.BytesIO()
    pillow().fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(sink, "JPEG", **how)
    data = bytearray(sink.getvalue())
    data[13] = {"in": 1, "cm": 2}[density_unit]
    data[14:18] = struct.pack(">HH", x_density, y_density)
    return _text(bytes(data))


@kernel("EncodeJpegVariableQuality")
def encode_jpeg_variable_quality(images, quality):
    if quality.ndim:
        raise ValueError(f"quality must be a scalar, not of shape {list(quality.shape)}")
    plain = {"format": "", "progressive": False, "optimize_size": False, "chroma_downsampling": True}
    density = {"density_unit": "in", "x_density": 300, "y_density": 300, "xmp_metadata": ""}
    return encode_jpeg(images, quality=quality.item(), **plain, **density)
