"""Static shapes of sound and its spectra."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import scalar


@shape("DecodeWav")
def decode_wav(op: Operation) -> list[Shape]:
    samples, channels = op["desired_samples"], op["desired_channels"]
    return [(samples if samples >= 0 else None, channels if channels >= 0 else None), ()]


shapes(scalar, "EncodeWav")


@shape("AudioSpectrogram")
def spectrogram(op: Operation) -> Shape:
    samples, channels = op.inputs[0].shape or (None, None)
    length = 1 << max(op["window_size"] - 1, 0).bit_length()
    if samples is None:
        return (channels, None, 1 + length // 2)
    count = 1 + (samples - op["window_size"]) // op["stride"] if samples >= op["window_size"] else 0
    return (channels, count, 1 + length // 2)


@shape("Mfcc")
def mfcc(op: Operation) -> Shape:
    spectra = dims.merge(op.inputs[0].shape, (None,) * 3) or ()
    return (*spectra[:2], op["dct_coefficient_count"])
