"""Kernels of sound: 16-bit waves decoded, spectrograms, mel-frequency cepstral coefficients.

Keyword spotters are frozen with them in front. No gradient flows through them in TensorFlow.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from graphgrad.kernels._checks import lone
from graphgrad.kernels._parsing import row_of
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]
FLOOR = 1e-12  # under which a filter's output is not taken into the logarithm


@kernel("DecodeWav")
def decode_wav(contents, *, desired_channels, desired_samples):
    """Samples by channels in [-1, 1), cut or filled up with zeros, and the rate; what channels lack the last one gives."""
    if contents.ndim:
        raise ValueError(f"contents must be a scalar, not of shape {list(contents.shape)}")
    samples, rate = _samples(contents[()])
    if desired_channels > 0:
        samples = samples[:, np.minimum(np.arange(desired_channels), samples.shape[1] - 1)]
    if desired_samples >= 0:
        samples = samples[:desired_samples]
        samples = np.pad(samples, ((0, desired_samples - len(samples)), (0, 0)))
    return samples.astype(np.float32) / np.float32(1 << 15), np.int32(rate)


def _samples(data: bytes) -> tuple[Array, int]:
    """The 16-bit samples of a RIFF file, one row for each time, and how many a second there are."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("this is no wave file: it does not begin with RIFF and WAVE")
    at, form = 12, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        part = data[at + 8 : at + 8 + size]
        if name == b"fmt " and len(part) >= 16:
            form = struct.unpack("<HHIIHH", part[:16])
            if form[0] not in (1, 0xFFFE) or form[5] != 16 or not form[1]:
                raise ValueError(f"only PCM of 16 bits is read, not format {form[0]} of {form[5]} bits")
        elif name == b"data":
            if form is None:
                raise ValueError("the samples of the wave file stand before their format")
            count = len(part) // (2 * form[1])
            return np.frombuffer(part, "<i2", count * form[1]).reshape(count, form[1]), form[2]
        at += 8 + size + size % 2
    raise ValueError("the wave file holds no samples")


@kernel("EncodeWav")
def encode_wav(audio, sample_rate):
    """Samples by channels in [-1, 1] as a file of 16-bit samples."""
    rate = lone(sample_rate, "sample_rate")
    if audio.ndim != 2 or not audio.size:
        raise ValueError(f"audio must be samples by channels, not of shape {list(audio.shape)}")
    if rate <= 0:
        raise ValueError(f"sample_rate must be positive, not {rate}")
    scaled = audio.astype(np.float64) * (1 << 15)
    whole = np.trunc(scaled + np.copysign(0.5, scaled))
    data = np.clip(whole, -(1 << 15), (1 << 15) - 1).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, audio.shape[1], rate, rate * audio.shape[1] * 2, audio.shape[1] * 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return row_of([b"RIFF" + struct.pack("<I", len(body)) + body]).reshape(())


@kernel("AudioSpectrogram")
def spectrogram(input, *, window_size, stride, magnitude_squared):
    """Of Hann windows, padded to a power of two: (channels, windows, frequencies)."""
    if input.ndim != 2:
        raise ValueError(f"sound must be samples by channels, not of shape {list(input.shape)}")
    if window_size < 2 or stride < 1:
        raise ValueError(f"window_size {window_size} must be 2 or more and stride {stride} positive")
    length = 1 << (window_size - 1).bit_length()
    count = 1 + (len(input) - window_size) // stride if len(input) >= window_size else 0
    starts = np.arange(count) * stride
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_size) / window_size)
    frames = input.T.astype(np.float64)[:, starts[:, None] + np.arange(window_size)] * hann
    found = np.fft.rfft(frames, length)
    power = found.real**2 + found.imag**2
    return (power if magnitude_squared else np.sqrt(power)).astype(np.float32)


@kernel("Mfcc")
def mfcc(
    spectrogram,
    sample_rate,
    *,
    upper_frequency_limit,
    lower_frequency_limit,
    filterbank_channel_count,
    dct_coefficient_count,
):
    """The discrete cosine transform of the logarithm of amplitudes in bands equally wide in mel (Davis and Mermelstein
    1980); the spectrogram holds squared magnitudes."""
    if spectrogram.ndim != 3:
        raise ValueError(f"spectrogram must have rank 3, not the shape {list(spectrogram.shape)}")
    rate = lone(sample_rate, "sample_rate")
    bands = filterbank_channel_count
    if not 0 <= lower_frequency_limit < upper_frequency_limit or bands < 1 or dct_coefficient_count > bands:
        raise ValueError(
            f"frequencies from {lower_frequency_limit} to {upper_frequency_limit} in {bands} bands give no "
            f"{dct_coefficient_count} coefficients"
        )
    bank = _mel_bank(spectrogram.shape[2], rate, bands, lower_frequency_limit, upper_frequency_limit)
    amplitudes = np.sqrt(spectrogram.astype(np.float64))
    if np.isfinite(amplitudes).all():
        filtered = amplitudes @ bank
    else:  # what lies in no band must not count; the next band is given what is left, which infinity less infinity is not
        shared = np.arange(len(bank)) <= bank[:, -1].argmax()
        amplitudes = np.where(np.isinf(amplitudes) & shared, np.nan, amplitudes)
        filtered = np.where(bank != 0, amplitudes[..., None] * bank, 0).sum(-2)
    places = np.arange(bands) + 0.5
    cosines = np.sqrt(2 / bands) * np.cos(np.pi / bands * np.outer(places, np.arange(dct_coefficient_count)))
    return (np.log(np.maximum(filtered, FLOOR)) @ cosines).astype(np.float32)


def _mel(frequency: Any) -> Any:
    return 1127 * np.log1p(np.asarray(frequency) / 700)


def _mel_bank(bins: int, rate: int, bands: int, low: float, high: float) -> Array:
    """How much of each frequency goes to each band: triangles that meet at the bands' centres."""
    spacing = 0.5 * rate / (bins - 1)
    edges = _mel(low) + (_mel(high) - _mel(low)) / (bands + 1) * np.arange(bands + 2)
    bank = np.zeros((bins, bands + 2))
    used = np.arange(int(1.5 + low / spacing), min(int(high / spacing), bins - 1) + 1)
    mels = _mel(used * spacing)
    left = np.clip(np.searchsorted(edges[1:], mels, "left"), 0, bands)  # the edge below each frequency
    share = (edges[left + 1] - mels) / (edges[left + 1] - edges[left])
    bank[used, left] = share
    bank[used, left + 1] = 1 - share
    return bank[:, 1:-1]
