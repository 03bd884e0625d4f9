"""Kernels of Fourier transforms, by numpy's in the precision of the input."""

from __future__ import annotations

import numpy as np

from graphgrad.registry import kernels


def refuse_low_rank(x, rank):
    if x.ndim < rank:
        raise ValueError(f"input of shape {list(x.shape)}: a transform over {rank} axes needs so many")


def transform(rank, inverse):
    """The kernel of a complex transform over the innermost axes."""
    apply = np.fft.ifftn if inverse else np.fft.fftn

    def transformed(x):
        refuse_low_rank(x, rank)
        return apply(x, axes=range(-rank, 0)).astype(x.dtype, copy=False) if x.size else x

    return transformed


def lengths_of(fft_length, x, rank):
    """The lengths asked for, as many as axes."""
    refuse_low_rank(x, rank)
    if fft_length.shape != (rank,):
        raise ValueError(f"fft_length must have shape [{rank}], not {list(fft_length.shape)}")
    lengths = [int(n) for n in fft_length]
    if min(lengths) < 0:
        raise ValueError(f"fft_length {lengths} must not be negative")
    return lengths


def refuse_short(x, needed):
    """Zeros behind the input are the caller's to add."""
    for n, wanted in zip(x.shape[-len(needed) :], needed, strict=True):
        if n and n < wanted:
            raise ValueError(f"input of shape {list(x.shape)} is too short: its innermost axes need {needed}")


def half(n):
    """How much of a real spectrum is kept."""
    return n // 2 + 1 if n else 0


def cropped(x, lengths):
    return x[(..., *map(slice, lengths))]


def real_transform(rank):
    """The kernel of a transform from real numbers."""

    def transformed(x, fft_length, *, Tcomplex):
        lengths = lengths_of(fft_length, x, rank)
        refuse_short(x, lengths)
        if not x.size or 0 in lengths:
            return np.zeros((*x.shape[:-rank], *lengths[:-1], half(lengths[-1])), Tcomplex)
        return np.fft.rfftn(cropped(x, lengths), axes=range(-rank, 0)).astype(Tcomplex, copy=False)

    return transformed


def real_inverse(rank):
    """The kernel of the transform back to real numbers."""

    def transformed(x, fft_length, *, Treal):
        lengths = lengths_of(fft_length, x, rank)
        needed = [*lengths[:-1], lengths[-1] // 2 + 1]
        refuse_short(x, needed)
        if not x.size or 0 in lengths:
            return np.zeros((*x.shape[:-rank], *lengths), Treal)
        return np.fft.irfftn(cropped(x, needed), s=lengths, axes=range(-rank, 0)).astype(Treal, copy=False)

    return transformed


for _rank, _suffix in enumerate(("", "2D", "3D"), 1):
    kernels(
        {
            f"FFT{_suffix}": transform(_rank, inverse=False),
            f"IFFT{_suffix}": transform(_rank, inverse=True),
            f"RFFT{_suffix}": real_transform(_rank),
            f"IRFFT{_suffix}": real_inverse(_rank),
        }
    )
