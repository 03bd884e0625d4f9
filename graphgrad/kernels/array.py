"""Kernels of the array family: shapes, identities, joining and splitting, repeating, filling, sets of values.

Results are views of the inputs where the elements stay what they are; an input is never written to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, prod
from typing import Any

import numpy as np

from graphgrad.kernels._checks import fits, lone, one
from graphgrad.kernels._rows import refuse_outside
from graphgrad.kernels._variants import zeros_of
from graphgrad.registry import kernel, kernels, planned

Array = np.ndarray[Any, Any]
NumpyType = np.dtype[Any]
Shape = tuple[int, ...]


# Identities


def _identity(x: Array) -> Array:
    return x


kernels(
    dict.fromkeys(
        (
            "Identity",
            "StopGradient",
            "PreventGradient",
            "Snapshot",
            "RefIdentity",
            "PlaceholderWithDefault",
            "GuaranteeConst",
            "DeepCopy",
            "Copy",
            "CopyHost",
            "DebugIdentity",
            "DebugIdentityV2",
            "DebugIdentityV3",
            "DebugGradientIdentity",
            "DebugGradientRefIdentity",
            "_EagerConst",
        ),
        _identity,
    )
)


@kernel("IdentityN")
def identity_n(inputs: list[Array]) -> list[Array]:
    return list(inputs)


@kernel("CheckNumerics")
def check_numerics(tensor: Array, *, message: str) -> Array:
    if not np.isfinite(tensor).all():
        found = {"Inf": np.isinf(tensor).any(), "NaN": np.isnan(tensor).any()}
        raise ValueError(f"{message} : Tensor had {' and '.join(k for k, v in found.items() if v)} values")
    return tensor


@kernel("CheckNumericsV2")
def check_numerics_v2(tensor: Array, *, message: str) -> Array:
    if not np.isfinite(tensor).all():
        infinite = np.isinf(tensor)
        found = {
            "-Inf": (infinite & (tensor < 0)).any(),
            "+Inf": (infinite & (tensor > 0)).any(),
            "NaN": np.isnan(tensor).any(),
        }
        raise ValueError(f"{message} : Tensor had {', '.join(k for k, v in found.items() if v)} values")
    return tensor


@kernel("EnsureShape")
def ensure_shape(x: Array, *, shape: tuple[int | None, ...] | None) -> Array:
    if shape is not None and not _compatible(shape, x.shape):
        raise ValueError(f"shape {list(x.shape)} is not compatible with expected shape {list(shape)}")
    return x


def _compatible(wanted: tuple[int | None, ...], shape: Shape) -> bool:
    return len(wanted) == len(shape) and all(want in (None, have) for want, have in zip(wanted, shape, strict=True))


# Shapes as tensors


@kernel("Shape")
def shape_of(x: Array, *, out_type: NumpyType) -> Array:
    return np.array(x.shape, out_type)


@kernel("ShapeN")
def shapes_of(inputs: list[Array], *, out_type: NumpyType) -> list[Array]:
    return [np.array(x.shape, out_type) for x in inputs]


@kernel("Size")
def size_of(x: Array, *, out_type: NumpyType) -> Any:
    return out_type.type(x.size)


@kernel("Rank")
def rank_of(x: Array) -> Any:
    return np.int32(x.ndim)


@kernel("UnravelIndex")
def unravel_index(indices: Array, dims: Array) -> Array:
    if indices.ndim > 1 or dims.ndim != 1:
        raise ValueError(f"indices must be a scalar or vector, dims a vector: {indices.shape}, {dims.shape}")
    if not indices.size:
        raise ValueError("there are no indices to unravel")
    return np.array(np.unravel_index(indices, tuple(dims.tolist())), dims.dtype)


# The same elements under another shape


def _dims(shape: Array, name: str) -> Shape:
    """A shape tensor as a tuple, sizes checked; a lone number is a shape of one axis."""
    if shape.ndim > 1:
        raise ValueError(f"{name} must be a vector, not of shape {list(shape.shape)}")
    dims = tuple(shape.reshape(-1).tolist())
    if dims and min(dims) < 0:
        raise ValueError(f"{name} must not be negative, got {list(dims)}")
    return dims


def _axis_below(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is not in [{-rank}, {rank})")
    return axis % rank if rank else 0


@kernel("Reshape")
def reshape(tensor: Array, shape: Array) -> Array:
    dims = shape.tolist()
    if dims and min(dims) < -1:
        raise ValueError(f"a size in the shape must be -1 or not negative, got {dims}")
    if tensor.size == 0 and 0 in dims and dims.count(-1) == 1:
        # Numpy refuses to choose the open size; TensorFlow infers it from the sizes that are not zero.
        known = prod(size for size in dims if size > 0)
        dims[dims.index(-1)] = prod(size for size in tensor.shape if size) // known
    return tensor.reshape(dims)


@kernel("ExpandDims")
def expand_dims(x: Array, dim: Array) -> Array:
    axis = _axis_below(one(dim, "dim"), x.ndim + 1)
    return x.reshape((*x.shape[:axis], 1, *x.shape[axis:]))


@kernel("Squeeze")
def squeeze(x: Array, *, squeeze_dims: Shape) -> Array:
    if not squeeze_dims:
        return x.reshape([size for size in x.shape if size != 1])
    return np.squeeze(x, axis=tuple({_axis_below(axis, x.ndim) for axis in squeeze_dims}))


@kernel("Transpose")
def transpose(x: Array, perm: Array) -> Array:
    return x.transpose(perm.tolist())


@kernel("ConjugateTranspose")
def conjugate_transpose(x: Array, perm: Array) -> Array:
    moved = x.transpose(perm.tolist())
    return moved.conj() if np.iscomplexobj(x) else moved


@kernel("InvertPermutation")
def invert_permutation(x: Array) -> Array:
    if x.ndim != 1:
        raise ValueError(f"invert_permutation takes a vector, got shape {x.shape}")
    refuse_outside(x, len(x))
    inverse = np.full_like(x, -1)
    inverse[x] = np.arange(len(x), dtype=x.dtype)
    if (inverse < 0).any():
        raise ValueError(f"{x.tolist()} is no permutation: a value stands in it twice")
    return inverse


# Joining and splitting


@kernel("Pack")
def pack(values: list[Array], *, axis: int) -> Array:
    shape, dtype = values[0].shape, values[0].dtype
    if any(value.shape != shape for value in values):
        raise ValueError(f"shapes of all inputs must match: {[list(value.shape) for value in values]}")
    place = _axis_below(axis, len(shape) + 1)
    if not shape and dtype.kind != "O":
        return np.array(values, dtype)
    wide = (*shape[:place], 1, *shape[place:])
    return np.concatenate([value.reshape(wide) for value in values], axis=place)


@kernel("Unpack")
def unpack(value: Array, *, num: int, axis: int) -> list[Array]:
    place = _axis_below(axis, value.ndim)
    if value.ndim == 0 or value.shape[place] != num:
        raise ValueError(f"cannot unpack shape {list(value.shape)} along axis {axis} into {num} tensors")
    pieces = np.moveaxis(value, place, 0) if place else value
    return [pieces[i, ...] for i in range(num)]


@kernel("ConcatV2")
def concat(values: list[Array], axis: Array) -> Array:
    return np.concatenate(values, axis=one(axis, "axis"))


@kernel("Concat")
def concat_v1(concat_dim: Array, values: list[Array]) -> Array:
    return np.concatenate(values, axis=one(concat_dim, "concat_dim"))


@kernel("ParallelConcat")
def parallel_concat(values: list[Array], *, shape: tuple[int | None, ...] | None) -> Array:
    """Rows, one in each of the values, as the attribute says beforehand."""
    if any(value.shape[:1] != (1,) for value in values):
        raise ValueError(f"each value must be one row, not of shapes {[list(value.shape) for value in values]}")
    result = np.concatenate(values, axis=0)
    if not fits(result.shape, shape):
        raise ValueError(f"the values make a tensor of shape {list(result.shape)}, not {list(shape)}")
    return result


@kernel("ConcatOffset")
def concat_offset(concat_dim: Array, shapes: list[Array]) -> list[Array]:
    axis = _axis_below(lone(concat_dim, "concat_dim"), len(shapes[0]))
    first = shapes[0].tolist()
    offsets, reached = [], 0
    for i, shape in enumerate(shapes):
        sizes = shape.tolist()
        if sizes[:axis] != first[:axis] or sizes[axis + 1 :] != first[axis + 1 :]:
            raise ValueError(f"all sizes except {axis} must match: shape {i} is {sizes}, shape 0 is {first}")
        offset = np.zeros_like(shape)
        offset[axis] = reached
        reached += sizes[axis]
        offsets.append(offset)
    return offsets


def _cut(value: Array, axis: int, sizes: Sequence[int]) -> list[Array]:
    before = (slice(None),) * axis
    pieces, start = [], 0
    for size in sizes:
        pieces.append(value[(*before, slice(start, start + size))])
        start += size
    return pieces


@kernel("Split")
def split(split_dim: Array, value: Array, *, num_split: int) -> list[Array]:
    axis = _axis_below(lone(split_dim, "split_dim"), value.ndim)
    if value.ndim == 0 or value.shape[axis] % num_split:
        raise ValueError(f"shape {list(value.shape)} does not split evenly in {num_split} along axis {axis}")
    return _cut(value, axis, [value.shape[axis] // num_split] * num_split)


@kernel("SplitV")
def split_v(value: Array, size_splits: Array, split_dim: Array, *, num_split: int) -> list[Array]:
    axis = _axis_below(one(split_dim, "split_dim"), value.ndim)
    sizes, whole = size_splits.tolist(), value.shape[axis] if value.ndim else 0
    if len(sizes) != num_split:
        raise ValueError(f"size_splits has {len(sizes)} entries for {num_split} outputs")
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = whole - (sum(sizes) + 1)
    if min(sizes) < 0 or sum(sizes) != whole or (num_split == 1 and size_splits.item() != whole):
        raise ValueError(f"sizes {size_splits.tolist()} do not split axis {axis} of size {whole}")
    return _cut(value, axis, sizes)


# Repeating and filling


@kernel("Tile")
def tile(x: Array, multiples: Array) -> Array:
    repeats = _dims(multiples, "multiples")
    if len(repeats) != x.ndim:
        raise ValueError(f"multiples has {len(repeats)} entries for a tensor of rank {x.ndim}")
    grid = [length for pair in zip(repeats, x.shape, strict=True) for length in pair]
    out = np.empty(grid, x.dtype)
    out[...] = x.reshape([length for size in x.shape for length in (1, size)])
    return out.reshape([count * size for count, size in zip(repeats, x.shape, strict=True)])


def _filled(shape: Shape, value: Any, dtype: NumpyType) -> Array:
    out = np.empty(shape, dtype)
    out[...] = value
    return out


@kernel("BroadcastTo")
def broadcast_to(x: Array, shape: Array) -> Array:
    dims = _dims(shape, "shape")
    if x.shape == dims:
        return x
    if x.ndim > len(dims):
        raise ValueError(f"cannot broadcast shape {list(x.shape)} to fewer axes: {list(dims)}")
    return _filled(dims, x, x.dtype)


@planned("BroadcastTo")
def plan_broadcast_to(x: Any, shape: Any) -> Callable[..., Array] | None:
    return None if shape.value is None or x.shape == tuple(shape.value) else _spread_over(tuple(shape.value.tolist()))


@planned("Tile")
def plan_tile(x: Any, multiples: Any) -> Callable[..., Array] | None:
    """Where only axes of one element are repeated, which is what sums hand back."""
    if multiples.value is None or any(n != 1 and size != 1 for n, size in zip(multiples.value, x.shape, strict=True)):
        return None
    return _spread_over(tuple(int(n) * size for n, size in zip(multiples.value, x.shape, strict=True)))


def _spread_over(shape: Shape) -> Callable[..., Array]:
    def call(x: Array, _: Array, out: Array | None = None) -> Array:
        out = np.empty(shape, x.dtype) if out is None else out
        out[...] = x
        return out

    return call


@kernel("Fill")
def fill(dims: Array, value: Array) -> Array:
    return _filled(_dims(dims, "dims"), value.reshape(()), value.dtype)


kernels({"ZerosLike": zeros_of})


@kernel("OnesLike")
def ones_like(x: Array) -> Array:
    return np.ones(x.shape, x.dtype)


@kernel("Empty")
def empty(shape: Array, *, dtype: NumpyType) -> Array:
    return _filled(_dims(shape, "shape"), b"" if dtype.kind == "O" else 0, dtype)


@kernel("Range")
def range_of(start: Array, limit: Array, delta: Array) -> Array:
    first, last, step = one(start, "start"), one(limit, "limit"), one(delta, "delta")
    start, limit, delta = start.reshape(()), limit.reshape(()), delta.reshape(())
    if step == 0:
        raise ValueError("range requires delta != 0")
    if not (isfinite(last - first) and (last - first) * step >= 0):
        raise ValueError(f"range cannot come from {first} to {last} in steps of {step}")
    dtype = start.dtype
    if dtype.kind in "iu":
        return np.arange(first, last, step).astype(dtype)
    # In the type itself, as TensorFlow counts: a half may round to one point less.
    count = int(np.ceil(abs((limit - start) / delta)))
    points: Array = start + delta * np.arange(count).astype(dtype)
    return points


@kernel("LinSpace")
def lin_space(start: Array, stop: Array, num: Array) -> Array:
    count, dtype = lone(num, "num"), start.dtype
    lone(start, "start"), lone(stop, "stop")
    if count <= 0:
        raise ValueError(f"linspace requires num > 0, got {count}")
    if count == 1:
        return start.reshape(1)
    step = (stop - start) / dtype.type(count - 1)
    points: Array = start + step * np.arange(count).astype(dtype)
    points[0], points[-1] = start, stop
    return points


@kernel("OneHot")
def one_hot(indices: Array, depth: Array, on_value: Array, off_value: Array, *, axis: int) -> Array:
    length = lone(depth, "depth")
    for value, name in ((on_value, "on_value"), (off_value, "off_value")):
        lone(value, name)
    if length < 0:
        raise ValueError(f"depth must not be negative, got {length}")
    place = _axis_below(axis, indices.ndim + 1)
    shape = (*indices.shape[:place], length, *indices.shape[place:])
    before = prod(indices.shape[:place])
    table = indices.reshape(before, indices.size // before if before else 0)
    out = _filled((before, length, table.shape[1]), off_value, off_value.dtype)
    i, j = np.nonzero((table >= 0) & (table < length))
    out[i, table[i, j], j] = on_value
    return out.reshape(shape)


# Sets of values


@kernel("Where")
def where(condition: Array) -> Array:
    if condition.ndim == 0:
        raise ValueError("where takes a tensor with at least one axis")
    return np.argwhere(condition)


def _identities(x: Array) -> Array:
    """Values that are equal where TensorFlow takes the entries of a vector for the same."""
    if x.dtype.itemsize != 2 or x.dtype.kind in "iu":
        return x
    # Halves are the same where their bits are, which tells 0 from -0.
    bits = x.view(np.uint16).astype(np.int64)
    return np.where(np.isnan(x), (1 << 16) + np.arange(len(x)), bits)


def _in_order_by_table(x: Array) -> tuple[Array, Array, Array]:
    """What `_in_order_of_appearance` gives, for integers of a small range: without sorting them."""
    offsets = x.astype(np.int64) - int(x.min())
    first = np.full(int(offsets.max()) + 1, -1)
    first[offsets[::-1]] = np.arange(len(x))[::-1]
    places = np.sort(first[first >= 0])
    rank = np.empty_like(first)
    rank[offsets[places]] = np.arange(len(places))
    number = rank[offsets]
    return places, number, np.bincount(number)


def _is_narrow(x: Array) -> bool:
    return (
        x.size > 0
        and x.ndim == 1
        and x.dtype.kind in "iu"
        and x.dtype != np.uint64
        and int(x.max()) - int(x.min()) < 4 * len(x)
    )


def _in_order_of_appearance(x: Array, axis: int | None = None) -> tuple[Array, Array, Array]:
    """First place of each value, the values' numbers in order of appearance, counts; a NaN equals nothing."""
    if _is_narrow(x):
        return _in_order_by_table(x)
    _, first, number, count = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[number.reshape(-1)], count[order]


@kernel("Unique")
def unique(x: Array, *, out_idx: NumpyType) -> tuple[Array, ...]:
    return unique_with_counts(x, out_idx=out_idx)[:2]


@kernel("UniqueWithCounts")
def unique_with_counts(x: Array, *, out_idx: NumpyType) -> tuple[Array, ...]:
    if x.ndim != 1:
        raise ValueError(f"unique expects a vector, got shape {x.shape}")
    first, number, count = _in_order_of_appearance(_identities(x))
    return x[first], number.astype(out_idx), count.astype(out_idx)


@kernel("UniqueV2")
def unique_v2(x: Array, axis: Array, *, out_idx: NumpyType) -> tuple[Array, ...]:
    return unique_with_counts_v2(x, axis, out_idx=out_idx)[:2]


@kernel("UniqueWithCountsV2")
def unique_with_counts_v2(x: Array, axis: Array, *, out_idx: NumpyType) -> tuple[Array, ...]:
    if axis.ndim != 1 or axis.size > 1:
        raise ValueError(f"axis must be a vector of at most one entry, got {axis.tolist()}")
    if axis.size == 0:
        return unique_with_counts(x, out_idx=out_idx)
    place = _axis_below(axis.item(), x.ndim)
    slices = np.moveaxis(x, place, 0).reshape(x.shape[place], x.size // max(x.shape[place], 1))
    if slices.shape[1] == 1:
        first, number, count = _in_order_of_appearance(_identities(slices[:, 0]))
    elif slices.size == 0:
        first, number, count = _all_alike(len(slices))
    else:
        values = slices.astype(np.float32) if x.dtype.kind == "V" else slices
        _, number, _ = _in_order_of_appearance(values.reshape(-1))
        first, number, count = _in_order_of_appearance(number.reshape(slices.shape), axis=0)
    return np.take(x, first, axis=place), number.astype(out_idx), count.astype(out_idx)


def _all_alike(length: int) -> tuple[Array, Array, Array]:
    distinct = min(length, 1)
    return np.zeros(distinct, np.int64), np.zeros(length, np.int64), np.full(distinct, length)


@kernel("ListDiff")
def list_diff(x: Array, y: Array, *, out_idx: NumpyType) -> tuple[Array, Array]:
    both = _identities(np.concatenate((x, y)))
    places = np.flatnonzero(~np.isin(both[: len(x)], both[len(x) :]))
    return x[places], places.astype(out_idx)


def _bound(sorted_inputs: Array, values: Array, before: Callable[[Array, Array], Array]) -> Array:
    """Bisection of all rows at once: the first place in its row where `before(entry, value)` is false."""
    if sorted_inputs.ndim != 2 or values.ndim != 2 or len(sorted_inputs) != len(values):
        raise ValueError(f"need two matrices of as many rows, got {sorted_inputs.shape} and {values.shape}")
    low = np.zeros(values.shape, np.int64)
    left = np.full(values.shape, sorted_inputs.shape[1])
    for _ in range(sorted_inputs.shape[1].bit_length()):
        middle = np.minimum(low + left // 2, sorted_inputs.shape[1] - 1)
        on = before(np.take_along_axis(sorted_inputs, middle, axis=1), values) & (left > 0)
        low = np.where(on, middle + 1, low)
        left = np.where(on, left - left // 2 - 1, left // 2)
    return low


def _not_above(entry: Array, value: Array) -> Array:
    return ~(value < entry)


@kernel("LowerBound")
def lower_bound(sorted_inputs: Array, values: Array, *, out_type: NumpyType) -> Array:
    return _bound(sorted_inputs, values, np.less).astype(out_type)


@kernel("UpperBound")
def upper_bound(sorted_inputs: Array, values: Array, *, out_type: NumpyType) -> Array:
    return _bound(sorted_inputs, values, _not_above).astype(out_type)
