"""PNG (ISO/IEC 15948) into arrays and back, all colour types and depths, interlaced or not.

Pillow, which reads the other formats, keeps 8 bits of a colour that has 16, and TensorFlow's ops give all of them.

Filters reach from each pixel to its left, upper and upper left neighbour, so pixels are undone along antidiagonals: all
that lie on one wait for none of the others.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
PALETTE, RED, GREEN, BLUE = 3, 9797, 19234, 3737  # weights of 32768 in what a colour is as a grey


def read(data: bytes, channels: int, wide: bool) -> Array:
    """The image with so many channels (0: as many as it has), in 16 bits a sample where `wide`, else in 8."""
    header, chunks = _chunks(data)
    width, height, depth, colour, _, _, interlace = header
    if not width or not height or depth not in DEPTHS.get(colour, ()) or interlace > 1:
        raise ValueError(f"the PNG image has no known form: {width} x {height}, type {colour} of {depth} bits")
    try:
        raw = zlib.decompress(chunks.get(b"IDAT", b""))
    except zlib.error as error:
        raise ValueError(f"the PNG image is damaged: {error}") from None
    samples = _samples(raw, width, height, depth, CHANNELS[colour], interlace)
    image = _coloured(samples, colour, depth, chunks, keyed=channels == 4)
    if channels:
        image = _with_channels(image, channels, opaque=(1 << depth) - 1)
    if wide and image.dtype == np.uint8:
        return image.astype(np.uint16) * 257  # type: ignore[no-any-return]
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 and not wide else image


def _chunks(data: bytes) -> tuple[tuple[int, ...], dict[bytes, bytes]]:
    """The header, and the other chunks by name, those of pixels joined."""
    found: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        body, crc = data[at + 8 : at + 8 + size], data[at + 8 + size : at + 12 + size]
        if len(crc) < 4 or zlib.crc32(name + body) != struct.unpack(">I", crc)[0]:
            raise ValueError(f"the PNG image is damaged: its chunk {name!r} is not whole")
        found[name] = found.get(name, b"") + body
        at += 12 + size
        if name == b"IEND":
            break
    if len(found.get(b"IHDR", b"")) != 13:
        raise ValueError("the PNG image has no header")
    return struct.unpack(">IIBBBBB", found[b"IHDR"]), found


def _samples(raw: bytes, width: int, height: int, depth: int, count: int, interlace: int) -> Array:
    """The numbers as they stand in the file: rows, columns, channels."""
    if not interlace:
        return _pass(raw, 0, width, height, depth, count)[0]
    image = np.zeros((height, width, count), np.uint16 if depth == 16 else np.uint8)
    at = 0
    for top, left, down, right in PASSES:
        rows, columns = len(range(top, height, down)), len(range(left, width, right))
        if rows and columns:
            image[top::down, left::right], at = _pass(raw, at, columns, rows, depth, count)
    return image


def _pass(raw: bytes, at: int, width: int, height: int, depth: int, count: int) -> tuple[Array, int]:
    """The image that begins at a place of the bytes, and where it ends."""
    size = (width * depth * count + 7) // 8
    end = at + height * (size + 1)
    if len(raw) < end:
        raise ValueError("the PNG image is damaged: it ends too soon")
    rows = np.frombuffer(raw, np.uint8, end - at, at).reshape(height, size + 1)
    filters, step = rows[:, 0], max(1, depth * count // 8)
    if filters.max() > 4:
        raise ValueError("the PNG image is damaged: it has a filter that is not known")
    flat = _unfiltered(rows[:, 1:].reshape(height, size // step, step), filters).reshape(height, size)
    if depth == 16:
        return flat.view(">u2").astype(np.uint16).reshape(height, width, count), end
    if depth < 8:
        bits = np.unpackbits(flat, axis=1)[:, : width * depth].reshape(height, width, depth)
        flat = bits @ (1 << np.arange(depth)[::-1]).astype(np.uint8)
    return flat.reshape(height, width, count), end


def _unfiltered(rows: Array, filters: Array) -> Array:
    """What the filters were applied to: rows of units of the bytes of one pixel."""
    height, width, _ = rows.shape
    if not filters.any():
        return np.ascontiguousarray(rows)
    framed = np.zeros((height + 1, width + 1, rows.shape[2]), np.uint8)  # zeros stand above and to the left
    framed[1:, 1:] = rows
    flat, stride = framed.reshape(-1, rows.shape[2]), width + 1
    kinds = [(filters == kind)[:, None] for kind in range(5)]
    for diagonal in range(height + width - 1):
        first, last = max(0, diagonal - width + 1), min(diagonal, height - 1)
        start = (first + 1) * stride + diagonal - first + 1
        here = slice(start, start + (last - first) * width + 1, width)
        left, up, corner = (
            flat[here.start - back : here.stop - back : width].astype(np.int16) for back in (1, stride, stride + 1)
        )
        sub, above, average, paeth = (kind[first : last + 1] for kind in kinds[1:])
        guess = np.where(sub, left, np.where(above, up, np.where(average, (left + up) >> 1, 0)))
        guess = np.where(paeth, _paeth(left, up, corner), guess)
        flat[here] += guess.astype(np.uint8)
    return np.ascontiguousarray(framed[1:, 1:])


def _paeth(left: Array, up: Array, corner: Array) -> Array:
    """The neighbour that is closest to left + up - corner; of equals the first."""
    by_left, by_up, by_corner = np.abs(up - corner), np.abs(left - corner), np.abs(left + up - 2 * corner)
    return np.where((by_left <= by_up) & (by_left <= by_corner), left, np.where(by_up <= by_corner, up, corner))


def _coloured(samples: Array, colour: int, depth: int, chunks: dict[bytes, bytes], keyed: bool) -> Array:
    """Colours in place of their numbers, small depths widened to 8 bits, what is transparent in a channel of its own:
    of a palette always, where one colour is the key to it if it is asked for."""
    see_through = chunks.get(b"tRNS")
    if colour == PALETTE:
        table = np.zeros((256, 3), np.uint8)
        given = np.frombuffer(chunks.get(b"PLTE", b"")[:768], np.uint8)
        table[: len(given) // 3] = given[: len(given) // 3 * 3].reshape(-1, 3)
        image = table[samples[..., 0]]
        if see_through is None:
            return image
        alpha = np.full(256, 255, np.uint8)
        alpha[: len(see_through)] = np.frombuffer(see_through[:256], np.uint8)
        return np.concatenate([image, alpha[samples]], -1)
    image = samples * np.uint8(255 // ((1 << depth) - 1)) if depth < 8 else samples
    if see_through is None or colour in (4, 6) or not keyed:
        return image
    key = np.frombuffer(see_through[: 2 * samples.shape[-1]], ">u2")
    top = np.iinfo(image.dtype).max
    alpha = np.where((samples == key).all(-1, keepdims=True), 0, top).astype(image.dtype)
    return np.concatenate([image, alpha], -1)


def _with_channels(image: Array, channels: int, opaque: int) -> Array:
    """Grey from colours or colours from grey, with or without a channel of transparency. What is opaque is, as in
    TensorFlow, the largest number of the depth in the file, also where colours are wider."""
    has_alpha = image.shape[-1] in (2, 4)
    colours, alpha = (image[..., :-1], image[..., -1:]) if has_alpha else (image, None)
    if channels < 3 and colours.shape[-1] == 3:
        half = 1 << 14 if image.dtype == np.uint16 else 0
        weighted = colours.astype(np.int64) @ np.array([RED, GREEN, BLUE])
        grey = (weighted + half) >> 15
        colours = grey[..., None].astype(image.dtype)
    if channels >= 3 and colours.shape[-1] == 1:
        colours = np.repeat(colours, 3, -1)
    if channels in (2, 4):
        if alpha is None:
            alpha = np.full((*image.shape[:-1], 1), opaque, image.dtype)
        return np.concatenate([colours, alpha], -1)
    return np.ascontiguousarray(colours)


def write(image: Array, level: int) -> bytes:
    """The bytes of a PNG file, each row filtered so that its bytes are smallest in sum."""
    height, width, channels = image.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8 * image.dtype.itemsize, colour, 0, 0, 0)
    rows = image.astype(image.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    step = channels * image.dtype.itemsize
    framed = np.zeros((height + 1, rows.shape[1] + step), np.int16)
    framed[1:, step:] = rows
    left, up, corner = framed[1:, :-step], framed[:-1, step:], framed[:-1, :-step]
    guesses = np.stack([np.zeros_like(left), left, up, (left + up) >> 1, _paeth(left, up, corner)])
    tried = (rows - guesses).astype(np.uint8)
    chosen = np.abs(tried.view(np.int8).astype(np.int64)).sum(-1).argmin(0)
    filtered = np.concatenate([chosen[:, None].astype(np.uint8), tried[chosen, np.arange(height)]], 1)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), level)), (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )
