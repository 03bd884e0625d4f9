"""Kernels of the slicing family: parts of a tensor read, written, padded, reordered and dealt out.

Indices never wrap around as they do in numpy: what TensorFlow refuses on the CPU is a ValueError here.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from graphgrad.kernels._checks import lone
from graphgrad.kernels._rows import combine_rows, flat_rows, refuse_outside, row_sums
from graphgrad.kernels._strides import StridedSpec, StrideMasks, strided_index
from graphgrad.registry import kernel, kernels

Array = np.ndarray[Any, Any]
Kernel = Callable[..., Any]


# Slices


@kernel("Slice")
def slice_of(x: Array, begin: Array, size: Array) -> Array:
    starts, sizes = begin.tolist(), size.tolist()
    if not len(starts) == len(sizes) == x.ndim:
        raise ValueError(f"begin {starts} and size {sizes} do not fit a tensor of rank {x.ndim}")
    index: list[Any] = []
    for axis, (start, length, whole) in enumerate(zip(starts, sizes, x.shape, strict=True)):
        if not 0 <= start <= whole:
            raise ValueError(f"expected begin[{axis}] in [0, {whole}], got {start}")
        stop = whole if length == -1 else start + length
        if not start <= stop <= whole:
            raise ValueError(f"expected size[{axis}] in [0, {whole - start}], got {length}")
        index.append(slice(start, stop))
    part: Array = x[(*index, ...)]
    return part


def _strided(apply: Callable[..., Array]) -> Kernel:
    def strided(
        target: Array,
        begin: Array,
        end: Array,
        strides: Array,
        *values: Array,
        begin_mask: int,
        end_mask: int,
        ellipsis_mask: int,
        new_axis_mask: int,
        shrink_axis_mask: int,
    ) -> Array:
        masks = StrideMasks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
        spec = StridedSpec(begin.tolist(), end.tolist(), strides.tolist(), masks)
        return apply(target, spec, *values)

    return strided


def _part(x: Array, spec: StridedSpec) -> Array:
    part: Array = x[strided_index(x.shape, spec)]
    return part


def _part_gradient(shape: Array, spec: StridedSpec, dy: Array) -> Array:
    out = _blank(tuple(shape.tolist()), dy.dtype)
    part = _part(out, spec)
    if part.shape != dy.shape:
        raise ValueError(f"shape of dy was {list(dy.shape)} instead of {list(part.shape)}")
    part[...] = dy
    return out


def _part_update(x: Array, spec: StridedSpec, value: Array) -> Array:
    out = np.array(x)
    part = _part(out, spec)
    if part.size:
        part[...] = value
    return out


kernels(
    {
        "StridedSlice": _strided(_part),
        "StridedSliceGrad": _strided(_part_gradient),
        "TensorStridedSliceUpdate": _strided(_part_update),
    }
)


def _blank(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Zeros, or empty strings."""
    return np.full(shape, b"", object) if dtype.kind == "O" else np.zeros(shape, dtype)


# Gather and scatter


def _take(params: Array, indices: Array, axis: int) -> Array:
    taken = np.take(params, indices.reshape(-1), axis=axis)
    return taken.reshape(params.shape[:axis] + indices.shape + params.shape[axis + 1 :])


def _gather(params: Array, indices: Array, axis: int, batch: int) -> Array:
    around = params.shape[:axis] + params.shape[axis + 1 :]
    if 0 in around:
        # TensorFlow looks at no index when nothing is to be gathered.
        return np.empty(params.shape[:axis] + indices.shape[batch:] + params.shape[axis + 1 :], params.dtype)
    refuse_outside(indices, params.shape[axis])
    return _gather_in_batches(params, indices, axis, batch) if batch else _take(params, indices, axis)


@kernel("Gather")
def gather(params: Array, indices: Array) -> Array:
    if params.ndim == 0:
        raise ValueError("params must have at least one axis")
    return _gather(params, indices, 0, 0)


@kernel("GatherV2")
def gather_v2(params: Array, indices: Array, axis: Array, *, batch_dims: int) -> Array:
    place, batch = lone(axis, "axis"), batch_dims + indices.ndim if batch_dims < 0 else batch_dims
    if not -params.ndim <= place < params.ndim:
        raise ValueError(f"axis {place} is not in [{-params.ndim}, {params.ndim})")
    place %= params.ndim
    if not 0 <= batch <= min(indices.ndim, place) or params.shape[:batch] != indices.shape[:batch]:
        raise ValueError(
            f"batch_dims {batch_dims} does not fit params of shape {list(params.shape)}, "
            f"indices of shape {list(indices.shape)}, axis {place}"
        )
    return _gather(params, indices, place, batch)


def _gather_in_batches(params: Array, indices: Array, axis: int, batch: int) -> Array:
    shape = params.shape
    batches, outer, length = prod(shape[:batch]), prod(shape[batch:axis]), shape[axis]
    picks = indices.reshape(batches, 1, prod(indices.shape[batch:]))
    rows = (np.arange(batches * outer) * length).reshape(batches, outer, 1) + picks
    flat = params.reshape(batches * outer * length, prod(shape[axis + 1 :]))
    taken: Array = np.take(flat, rows.reshape(-1), axis=0)
    return taken.reshape(shape[:axis] + indices.shape[batch:] + shape[axis + 1 :])


def _row_split(shape: tuple[int, ...], indices: Array) -> tuple[int, int]:
    """How a tensor of this shape falls into rows under index vectors: their number and their width."""
    if indices.ndim == 0 or indices.shape[-1] > len(shape):
        raise ValueError(f"indices of shape {list(indices.shape)} do not fit a tensor of rank {len(shape)}")
    depth = indices.shape[-1]
    return prod(shape[:depth]), prod(shape[depth:])


@kernel("GatherNd")
def gather_nd(params: Array, indices: Array, *, bad_indices_policy: str) -> Array:
    count, width = _row_split(params.shape, indices)
    depth = indices.shape[-1]
    if params.ndim == 0:
        raise ValueError("params must have at least one axis")
    if params.size == 0 and prod(indices.shape[:-1]):
        raise ValueError(f"requested entries of params of shape {list(params.shape)}, which is empty")
    rows, valid = flat_rows(indices, params.shape[:depth], bad_indices_policy)
    table = params.reshape(count, width)
    if valid is None:
        taken = np.take(table, rows.reshape(-1), axis=0)
    else:
        taken = _blank((rows.size, width), params.dtype)
        taken[valid.reshape(-1)] = table[rows[valid]]
    return taken.reshape(indices.shape[:-1] + params.shape[depth:])


def _updates_by_row(
    shape: tuple[int, ...], indices: Array, updates: Array, policy: str
) -> tuple[Array, Array, tuple[int, int]]:
    """Row numbers and rows of a scatter into a tensor of this shape, and that tensor's shape as a matrix."""
    if updates.ndim == 0:
        raise ValueError("updates must have at least one axis, and a lone index one before it")
    matrix = _row_split(shape, indices)
    depth = indices.shape[-1]
    if updates.shape != indices.shape[:-1] + shape[depth:]:
        raise ValueError(
            f"updates of shape {list(updates.shape)} do not fit indices of shape {list(indices.shape)} "
            f"into shape {list(shape)}"
        )
    if (indices.size or updates.size) and not (indices.size and updates.size and prod(shape)):
        raise ValueError(f"indices and updates specified for an empty output of shape {list(shape)}")
    rows, valid = flat_rows(indices, shape[:depth], policy)
    table = updates.reshape(rows.size, matrix[1])
    rows = rows.reshape(-1)
    if valid is not None:
        rows, table = rows[valid.reshape(-1)], table[valid.reshape(-1)]
    return rows, table, matrix


@kernel("ScatterNd")
def scatter_nd(indices: Array, updates: Array, shape: Array, *, bad_indices_policy: str) -> Array:
    dims = tuple(shape.tolist())
    if dims and min(dims) < 0:
        raise ValueError(f"shape must not be negative, got {list(dims)}")
    rows, table, matrix = _updates_by_row(dims, indices, updates, bad_indices_policy)
    return row_sums(rows, table, matrix[0]).reshape(dims)


def _scatter(combine: np.ufunc) -> Kernel:
    def tensor_scatter(tensor: Array, indices: Array, updates: Array, *, bad_indices_policy: str) -> Array:
        rows, table, matrix = _updates_by_row(tensor.shape, indices, updates, bad_indices_policy)
        out = np.array(tensor, order="C")
        combine_rows(combine, out.reshape(matrix), rows, table)
        if combine in (np.fmax, np.fmin) and tensor.dtype.kind not in "iu":
            # A NaN among the updates is passed over, one in the tensor stays.
            np.copyto(out, tensor, where=np.isnan(tensor))
        return out

    return tensor_scatter


@kernel("TensorScatterUpdate")
def tensor_scatter_update(tensor: Array, indices: Array, updates: Array, *, bad_indices_policy: str) -> Array:
    rows, table, matrix = _updates_by_row(tensor.shape, indices, updates, bad_indices_policy)
    out = np.array(tensor, order="C")
    out.reshape(matrix)[rows] = table
    return out


kernels(
    {
        "ScatterNdNonAliasingAdd": _scatter(np.add),
        "TensorScatterAdd": _scatter(np.add),
        "TensorScatterSub": _scatter(np.subtract),
        "TensorScatterMax": _scatter(np.fmax),
        "TensorScatterMin": _scatter(np.fmin),
    }
)


def _rows_in_place(combine: np.ufunc | None) -> Kernel:
    def inplace(x: Array, i: Array, v: Array) -> Array:
        if combine is not None and x.dtype.kind == "b":
            raise TypeError("truth values cannot be added")
        if i.ndim != 1 or v.shape != i.shape + x.shape[1:]:
            raise ValueError(f"v of shape {list(v.shape)} does not fit {i.shape} rows of shape {list(x.shape[1:])}")
        out = np.array(x, order="C")
        rows = i % len(x)
        if combine is None:
            out[rows] = v
        else:
            width = prod(x.shape[1:])
            combine_rows(combine, out.reshape(len(x), width), rows, v.reshape(len(i), width))
        return out

    return inplace


kernels(
    {
        "InplaceUpdate": _rows_in_place(None),
        "InplaceAdd": _rows_in_place(np.add),
        "InplaceSub": _rows_in_place(np.subtract),
    }
)


# Padding


def _amounts(paddings: Array, rank: int) -> list[tuple[int, int]]:
    if paddings.shape[1:] != (2,):
        raise ValueError(f"paddings must be a matrix with 2 columns, not of shape {list(paddings.shape)}")
    amounts = [(before, after) for before, after in paddings.tolist()]
    if len(amounts) != rank:
        raise ValueError(f"paddings has {len(amounts)} rows for a tensor of rank {rank}")
    if any(before < 0 or after < 0 for before, after in amounts):
        raise ValueError(f"paddings must not be negative, got {amounts}")
    return amounts


@kernel("PadV2")
def pad_v2(x: Array, paddings: Array, constant_values: Any) -> Array:
    amounts = _amounts(paddings, x.ndim)
    out = np.empty([before + n + after for (before, after), n in zip(amounts, x.shape, strict=True)], x.dtype)
    out[...] = lone(constant_values, "constant_values")
    out[tuple(slice(before, before + n) for (before, _), n in zip(amounts, x.shape, strict=True))] = x
    return out


@kernel("Pad")
def pad(x: Array, paddings: Array) -> Array:
    return pad_v2(x, paddings, np.array(b"" if x.dtype.kind == "O" else 0, x.dtype))


def _edge(mode: str) -> int:
    """1 where the border itself is not repeated."""
    return {"REFLECT": 1, "SYMMETRIC": 0}[mode]


@kernel("MirrorPad")
def mirror_pad(x: Array, paddings: Array, *, mode: str) -> Array:
    edge = _edge(mode)
    for axis, (before, after) in enumerate(_amounts(paddings, x.ndim)):
        n = x.shape[axis]
        if max(before, after) > n - edge:
            raise ValueError(f"paddings {before}, {after} are too large to mirror size {n} of axis {axis} ({mode})")
        if before or after:
            left = np.arange(before + edge - 1, edge - 1, -1)
            right = np.arange(n - edge - 1, n - edge - 1 - after, -1)
            x = np.take(x, np.concatenate((left, np.arange(n), right)), axis=axis)
    return x


@kernel("MirrorPadGrad")
def mirror_pad_gradient(dy: Array, paddings: Array, *, mode: str) -> Array:
    edge = _edge(mode)
    for axis, (before, after) in enumerate(_amounts(paddings, dy.ndim)):
        n = dy.shape[axis] - before - after
        if max(before, after) > n - edge:
            raise ValueError(f"paddings {before}, {after} are too large to mirror size {n} of axis {axis} ({mode})")
        if before or after:
            moved = np.moveaxis(dy, axis, 0)
            inner = moved[before : before + n].copy()
            inner[edge : edge + before] += moved[:before][::-1]
            inner[n - edge - after : n - edge] += moved[before + n :][::-1]
            dy = np.moveaxis(inner, 0, axis)
    return dy


# Reordering


@kernel("Reverse")
def reverse(tensor: Array, dims: Array) -> Array:
    if dims.shape != (tensor.ndim,):
        raise ValueError(f"dims has shape {list(dims.shape)} for a tensor of rank {tensor.ndim}")
    if tensor.ndim and not len(tensor):
        raise ValueError("the first axis is empty")
    return _flip(tensor, np.flatnonzero(dims).tolist())


def _flip(tensor: Array, axes: list[int]) -> Array:
    index: list[Any] = [slice(None)] * tensor.ndim
    for axis in axes:
        index[axis] = slice(None, None, -1)
    flipped: Array = tensor[(*index, ...)]
    return flipped


@kernel("ReverseV2")
def reverse_v2(tensor: Array, axis: Array) -> Array:
    if tensor.ndim == 0 or tensor.size == 0:
        return tensor
    axes = axis.tolist()
    if any(not -tensor.ndim <= a < tensor.ndim for a in axes):
        raise ValueError(f"axes {axes} are not all in [{-tensor.ndim}, {tensor.ndim})")
    if len({a % tensor.ndim for a in axes}) < len(axes):
        raise ValueError(f"an axis is specified more than once in {axes}")
    return _flip(tensor, axes)


@kernel("ReverseSequence")
def reverse_sequence(x: Array, seq_lengths: Array, *, seq_dim: int, batch_dim: int) -> Array:
    if not (0 <= seq_dim < x.ndim and 0 <= batch_dim < x.ndim and seq_dim != batch_dim):
        raise ValueError(f"seq_dim {seq_dim} and batch_dim {batch_dim} do not fit a tensor of rank {x.ndim}")
    steps, batch = x.shape[seq_dim], x.shape[batch_dim]
    if seq_lengths.shape != (batch,):
        raise ValueError(f"seq_lengths has shape {list(seq_lengths.shape)} for a batch of {batch}")
    if batch and not (seq_lengths.min() >= 0 and seq_lengths.max() <= steps):
        raise ValueError(f"seq_lengths must lie in [0, {steps}]: {seq_lengths.tolist()}")
    time, lengths = np.arange(steps), seq_lengths[:, None]
    source = np.where(time < lengths, lengths - 1 - time, time)
    front = np.moveaxis(x, (batch_dim, seq_dim), (0, 1))
    return np.moveaxis(front[np.arange(batch)[:, None], source], (0, 1), (batch_dim, seq_dim))


@kernel("Roll")
def roll(x: Array, shift: Array, axis: Array) -> Array:
    if x.ndim == 0:
        raise ValueError("roll takes a tensor with at least one axis")
    if shift.shape != axis.shape or shift.ndim > 1:
        raise ValueError(f"shift {list(shift.shape)} and axis {list(axis.shape)} differ in shape or are no vectors")
    return np.roll(x, tuple(shift.reshape(-1).tolist()), tuple(axis.reshape(-1).tolist()))


# Dealing out and putting together


@kernel("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(indices: list[Array], data: list[Array]) -> Array:
    row_shape = data[0].shape[indices[0].ndim :]
    for i, (places, values) in enumerate(zip(indices, data, strict=True)):
        if values.shape != places.shape + row_shape:
            raise ValueError(f"data[{i}] {list(values.shape)} does not fit indices[{i}] {list(places.shape)}")
    places = np.concatenate([part.reshape(-1) for part in indices])
    count = int(places.max()) + 1 if places.size else 0
    refuse_outside(places, max(count, 1))
    out = _blank((count, *row_shape), data[0].dtype)
    out[places] = np.concatenate(
        [values.reshape(part.size, *row_shape) for part, values in zip(indices, data, strict=True)]
    )
    return out


@kernel("DynamicPartition")
def dynamic_partition(data: Array, partitions: Array, *, num_partitions: int) -> list[Array]:
    if data.shape[: partitions.ndim] != partitions.shape:
        raise ValueError(
            f"data {list(data.shape)} does not start with the shape {list(partitions.shape)} of partitions"
        )
    refuse_outside(partitions, num_partitions, "partitions")
    parts = partitions.reshape(-1)
    rows = data.reshape(parts.shape + data.shape[partitions.ndim :])
    dealt = rows[np.argsort(parts, kind="stable")]
    ends = np.cumsum(np.bincount(parts, minlength=num_partitions))
    return np.split(dealt, ends[:-1])


# Blocks of space moved to the batch or to the depth, and back


def _block_sizes(block_shape: Array, x: Array) -> list[int]:
    blocks: list[int] = block_shape.tolist()
    if x.ndim < 1 + len(blocks) or any(block < 1 for block in blocks):
        raise ValueError(f"block shape {blocks} does not fit a tensor of shape {list(x.shape)}")
    return blocks


@kernel("SpaceToBatchND")
def space_to_batch_nd(x: Array, block_shape: Array, paddings: Array) -> Array:
    blocks = _block_sizes(block_shape, x)
    space = len(blocks)
    if paddings.shape != (space, 2):
        raise ValueError(f"paddings should have shape [{space}, 2] instead of {list(paddings.shape)}")
    around = np.zeros((x.ndim, 2), np.int64)
    around[1 : 1 + space] = paddings
    padded = pad(x, around) if around.any() else x
    batch, sizes, rest = x.shape[0], padded.shape[1 : 1 + space], padded.shape[1 + space :]
    if any(size % block for size, block in zip(sizes, blocks, strict=True)):
        raise ValueError(f"padded sizes {list(sizes)} are not divisible by the block shape {blocks}")
    outer = [size // block for size, block in zip(sizes, blocks, strict=True)]
    split = padded.reshape(batch, *_interleaved(outer, blocks), *rest)
    order = [*range(2, 2 * space + 1, 2), 0, *range(1, 2 * space, 2), *range(2 * space + 1, split.ndim)]
    return split.transpose(order).reshape(batch * prod(blocks), *outer, *rest)


@kernel("BatchToSpaceND")
def batch_to_space_nd(x: Array, block_shape: Array, crops: Array) -> Array:
    blocks = _block_sizes(block_shape, x)
    space = len(blocks)
    if x.shape[0] % prod(blocks):
        raise ValueError(f"batch size {x.shape[0]} is not divisible by the product of block shape {blocks}")
    batch, outer, rest = x.shape[0] // prod(blocks), x.shape[1 : 1 + space], x.shape[1 + space :]
    split = x.reshape(*blocks, batch, *outer, *rest)
    pairs = [axis for k in range(space) for axis in (space + 1 + k, k)]
    sizes = [size * block for size, block in zip(outer, blocks, strict=True)]
    joined = split.transpose([space, *pairs, *range(2 * space + 1, split.ndim)]).reshape(batch, *sizes, *rest)
    amounts = _amounts(crops, space)
    if any(before + after > size for (before, after), size in zip(amounts, sizes, strict=True)):
        raise ValueError(f"crops {amounts} are larger than the sizes {sizes}")
    kept = (slice(before, size - after) for (before, after), size in zip(amounts, sizes, strict=True))
    return joined[(slice(None), *kept)]


def _interleaved(a: list[int], b: list[int]) -> list[int]:
    return [size for pair in zip(a, b, strict=True) for size in pair]


def _refuse_unless_image(x: Array) -> None:
    if x.ndim != 4:
        raise ValueError(f"input must have rank 4, got shape {list(x.shape)}")


@kernel("SpaceToBatch")
def space_to_batch(x: Array, paddings: Array, *, block_size: int) -> Array:
    _refuse_unless_image(x)
    return space_to_batch_nd(x, np.full(2, block_size), paddings)


@kernel("BatchToSpace")
def batch_to_space(x: Array, crops: Array, *, block_size: int) -> Array:
    _refuse_unless_image(x)
    return batch_to_space_nd(x, np.full(2, block_size), crops)


def _refuse_format(data_format: str) -> None:
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError(f"data_format {data_format} is not supported, only NHWC and NCHW")


@kernel("SpaceToDepth")
def space_to_depth(x: Array, *, block_size: int, data_format: str) -> Array:
    _refuse_format(data_format)
    _refuse_unless_image(x)
    s = block_size
    n, h, w, c = x.shape if data_format == "NHWC" else (x.shape[0], *x.shape[2:], x.shape[1])
    if h % s or w % s:
        raise ValueError(f"height {h} and width {w} should be divisible by block_size {s}")
    if data_format == "NHWC":
        cells = x.reshape(n, h // s, s, w // s, s, c).transpose(0, 1, 3, 2, 4, 5)
        return cells.reshape(n, h // s, w // s, s * s * c)
    cells = x.reshape(n, c, h // s, s, w // s, s).transpose(0, 3, 5, 1, 2, 4)
    return cells.reshape(n, s * s * c, h // s, w // s)


@kernel("DepthToSpace")
def depth_to_space(x: Array, *, block_size: int, data_format: str) -> Array:
    _refuse_format(data_format)
    _refuse_unless_image(x)
    s = block_size
    n, h, w, depth = x.shape if data_format == "NHWC" else (x.shape[0], *x.shape[2:], x.shape[1])
    c, rest = divmod(depth, s * s)
    if rest:
        raise ValueError(f"depth {depth} should be divisible by {s * s}")
    if data_format == "NHWC":
        return x.reshape(n, h, w, s, s, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h * s, w * s, c)
    return x.reshape(n, s, s, c, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c, h * s, w * s)
