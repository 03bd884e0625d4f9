"""Kernels of data formats: dimensions and vectors of sizes from one order of axes to another; numbers into buckets.

Layout optimizers and feature columns leave such ops in frozen graphs; TensorFlow has no gradients for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]


@kernel("DataFormatDimMap")
def map_dims(x, *, src_format, dst_format):
    """Where the axes of one format lie in the other; negative ones are counted from the end."""
    if len(src_format) != len(dst_format) or len(src_format) not in (4, 5):
        raise ValueError(f"formats of 4 or 5 axes are wanted, not {src_format!r} and {dst_format!r}")
    if set(src_format) != set(dst_format):
        raise ValueError(f"{src_format!r} and {dst_format!r} do not name the same axes")
    rank = len(src_format)
    table = np.array([dst_format.index(axis) for axis in src_format], x.dtype)
    if x.size and not -rank <= x.min() <= x.max() < rank:
        raise ValueError(f"dimensions must be in [{-rank}, {rank}), not {x.tolist()}")
    return table[x % rank]


@kernel("DataFormatVecPermute")
def permute(x, *, src_format, dst_format):
    """One number, or a pair of them, per axis; where there are two fewer, of the spatial axes alone."""
    source, target = src_format, dst_format
    if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[1] != 2):
        raise ValueError(f"a vector or a matrix with 2 columns is wanted, not the shape {list(x.shape)}")
    if len(x) == len(source) - 2:
        source, target = ("".join(axis for axis in text if axis not in "NC") for text in (source, target))
    if len(x) != len(source) or sorted(source) != sorted(target):
        raise ValueError(f"{len(x)} rows do not fit the formats {src_format!r} and {dst_format!r}")
    return x[[source.index(axis) for axis in target]]


@kernel("Bucketize")
def bucketize(input, *, boundaries):
    """The number of boundaries that each number reaches."""
    edges = np.array(boundaries, np.float32)
    if (np.diff(edges) < 0).any():
        raise ValueError(f"boundaries must ascend: {list(boundaries)}")
    return np.searchsorted(edges, input, "right").astype(np.int32)
