"""Recipes of sound."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe

Parts = tuple[list[Any], dict[str, Any]]


def decode_wav(d: Drawer) -> Parts:
    """A file of a few samples, with a chunk that is passed over now and then."""
    channels, count = d.integer(1, 3), d.integer(1, 8)
    samples = d.random().integers(-(1 << 15), 1 << 15, (count, channels)).astype("<i2").tobytes()
    rate = d.pick([8000, 16000, 44100])
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    extra = b"LIST" + struct.pack("<I", 4) + b"abcd" if d.flag() else b""
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + extra + b"data" + struct.pack("<I", len(samples)) + samples
    contents = np.empty((), object)
    contents[()] = b"RIFF" + struct.pack("<I", len(body)) + body
    return [contents], {"desired_channels": d.pick([-1, channels, 1, 2]), "desired_samples": d.pick([-1, 4, 12])}


def encode_wav(d: Drawer) -> Parts:
    sound = d.array("float32", (d.integer(1, 6), d.integer(1, 3)), -1.2, 1.2, corners=False)
    return [sound, np.int32(d.pick([8000, 44100, 1]))], {}


def spectrogram(d: Drawer) -> Parts:
    sound = d.array("float32", (d.integer(0, 40), d.integer(1, 2)), -1, 1, corners=False)
    return [sound], {"window_size": d.integer(2, 12), "stride": d.integer(1, 6), "magnitude_squared": d.flag()}


def mfcc(d: Drawer) -> Parts:
    spectra = d.array("float32", (d.integer(1, 2), d.integer(1, 3), d.pick([129, 257])), 0, 4, corners=False)
    bands = d.pick([10, 20, 40])
    return [spectra, np.int32(d.pick([8000, 16000]))], {
        "filterbank_channel_count": bands,
        "dct_coefficient_count": d.integer(1, 10),
        "lower_frequency_limit": d.pick([20.0, 100.0]),
        "upper_frequency_limit": d.pick([3000.0, 4000.0]),
    }


RECIPES: dict[str, Recipe] = {
    "DecodeWav": decode_wav,
    "EncodeWav": encode_wav,
    "AudioSpectrogram": spectrogram,
    "Mfcc": mfcc,
}
