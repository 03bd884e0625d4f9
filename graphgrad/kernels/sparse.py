"""Kernels of sparse tensors: rearranging, adding, reducing, and meeting dense tensors.

An index outside the dense shape is an error that names it; entries of one index add up where TensorFlow adds them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from graphgrad.kernels import _serialized  # noqa: F401  (registers what makes strings of sparse tensors)
from graphgrad.kernels._checks import lone, one
from graphgrad.kernels._coordinates import (
    check,
    filled_rows,
    keys,
    matched,
    numbers,
    ordered,
    refuse_outside_shape,
    repeats,
    spanned,
    unfilled_gradients,
)
from graphgrad.kernels._crosses import crosses, flat, hashed, joined, of_dense, of_sparse
from graphgrad.kernels._hashes import farmhash64, siphash64
from graphgrad.kernels._nan_order import largest
from graphgrad.kernels._parsing import row_of
from graphgrad.kernels._precision import HALVES
from graphgrad.kernels._rows import row_sums
from graphgrad.kernels._softmax import row_softmax
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]
Entries = tuple[Array, Array, Array]


# ----------------------------------------------------------------------------------------------- rearranging


@kernel("SparseReorder")
def reorder(indices, values, shape):
    check(indices, values, shape, "input")
    refuse_outside_shape(indices, shape)
    order = ordered(indices)
    return indices[order], values[order]


@kernel("SparseReshape")
def reshape(indices, shape, new_shape):
    if indices.ndim != 2 or shape.ndim != 1 or new_shape.ndim != 1:
        raise ValueError("indices must be a matrix, and both shapes vectors")
    old, new = numbers(shape), list(numbers(new_shape))
    total = int(np.prod(old, dtype=object))
    if new.count(-1) > 1:
        raise ValueError(f"only one output dimension may be -1, got {new}")
    if any(n < -1 for n in new):
        raise ValueError(f"dimensions must not be negative, got {new}")
    if -1 in new:
        others = int(np.prod([n for n in new if n != -1], dtype=object))
        if not others or total % others:
            raise ValueError(f"a tensor of shape {list(old)} does not fit shape {new}")
        new[new.index(-1)] = total // others
    if int(np.prod(new, dtype=object)) != total:
        raise ValueError(f"a tensor of shape {list(old)} does not fit shape {new}")
    refuse_outside_shape(indices, old)
    (flat,) = keys(old, indices)
    places = np.zeros((len(indices), len(new)), np.int64)
    for axis in range(len(new) - 1, -1, -1):
        places[:, axis] = flat % max(new[axis], 1)
        flat = flat // max(new[axis], 1)
    return places, np.array(new, np.int64)


@kernel("SparseSlice")
def sparse_slice(indices, values, shape, start, size):
    check(indices, values, shape)
    if start.shape != shape.shape or size.shape != shape.shape:
        raise ValueError(f"start and size must have {len(shape)} entries, not {start.size} and {size.size}")
    if (start < 0).any() or (size < 0).any():
        raise ValueError(f"start and size must not be negative, got {start.tolist()} and {size.tolist()}")
    kept = ((indices >= start) & (indices - start < size)).all(axis=1)
    return indices[kept] - start, values[kept], np.clip(shape - start, 0, size)


@kernel("SparseSliceGrad")
def slice_grad(dz, indices, start, kept):
    if dz.ndim != 1 or len(dz) != len(kept):
        raise ValueError(f"{dz.size} gradients for {len(kept)} entries that were kept")
    if start.shape != (indices.shape[1],):
        raise ValueError(f"start must have {indices.shape[1]} entries, not {start.size}")
    found, places = _found_in(indices, kept + start)
    if np.count_nonzero(found) != len(kept):
        raise ValueError(f"only {np.count_nonzero(found)} of {len(kept)} kept entries are among the input's")
    return _picked(dz, found, places)


def _found_in(wanted: Array, given: Array) -> tuple[Array, Array]:
    """For each index row whether it is among the given ones, and where."""
    if wanted.shape[1] != given.shape[1]:
        raise ValueError(f"index rows of {wanted.shape[1]} and of {given.shape[1]} numbers")
    return matched(*keys(spanned(wanted, given), wanted, given))


def _picked(dz: Array, found: Array, places: Array) -> Array:
    return np.where(found, dz[places], dz.dtype.type(0)) if len(dz) else np.zeros(len(found), dz.dtype)


@kernel("SparseConcat")
def concat(indices, values, shapes, *, concat_dim):
    for part in zip(indices, values, shapes, strict=True):
        check(*part)
    first = numbers(shapes[0])
    if not -len(first) <= concat_dim < len(first):
        raise ValueError(f"concat_dim = {concat_dim} is outside a tensor of rank {len(first)}")
    axis = concat_dim % len(first)
    for shape in shapes[1:]:
        same = len(shape) == len(first) and all(a == b for i, (a, b) in enumerate(zip(shape, first)) if i != axis)
        if not same:
            raise ValueError(f"shapes must agree but for axis {axis}: {list(first)} and {shape.tolist()}")
    offsets = np.cumsum([0, *(int(shape[axis]) for shape in shapes)])
    moved = np.concatenate(indices)
    moved[:, axis] += np.repeat(offsets[:-1], [len(part) for part in indices])
    order = ordered(moved)
    total = np.array([*first[:axis], offsets[-1], *first[axis + 1 :]], np.int64)
    return moved[order], np.concatenate(values)[order], total


@kernel("SparseSplit")
def split(split_dim, indices, values, shape, *, num_split):
    """Equal parts; the first ones are longer by one where the axis cannot be divided."""
    check(indices, values, shape)
    axis = int(split_dim)
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"split_dim = {axis} is outside a tensor of rank {len(shape)}")
    axis %= len(shape)
    length = int(shape[axis])
    if not 1 <= num_split <= length:
        raise ValueError(f"num_split must be in [1, {length}], got {num_split}")
    sizes = [length // num_split + (part < length % num_split) for part in range(num_split)]
    starts = np.cumsum([0, *sizes])
    parts = []
    for start, size in zip(starts, sizes, strict=False):
        inside = (indices[:, axis] >= start) & (indices[:, axis] < start + size)
        moved, part_shape = indices[inside], shape.copy()
        moved[:, axis] -= start
        part_shape[axis] = size
        parts.append((moved, values[inside], part_shape))
    return tuple(list(column) for column in zip(*parts, strict=True))


@kernel("SparseFillEmptyRows")
def fill_empty_rows(indices, values, shape, default_value):
    """Every row has an entry afterwards; entries come row by row."""
    check(indices, values, shape)
    if default_value.ndim:
        raise ValueError(f"default_value must be a scalar, not of shape {list(default_value.shape)}")
    if not len(shape):
        raise ValueError("the dense shape must have at least one axis")
    _, added, empty, order, back = filled_rows(indices[:, 0], int(shape[0]))
    columns = np.concatenate([indices, np.zeros((len(added), len(shape)), np.int64)])
    columns[len(indices) :, 0] = added
    return columns[order], np.append(values, _repeated(default_value, len(added)))[order], empty, back


def _repeated(value: Array, count: int) -> Array:
    return np.full(count, value[()], value.dtype)


kernel("SparseFillEmptyRowsGrad")(unfilled_gradients)


# ----------------------------------------------------------------------------------------------- sums


def _joined(a: Array, b: Array, shape: Array) -> tuple[Array, Array, Array, Array, Array]:
    """The union of two ascending lists of index rows: the rows, and for each whether and where it stands in either."""
    key_a, key_b = keys(shape, a, b)
    # An index that repeats meets its counterpart of the same number.
    pairs = [np.stack([key, repeats(key)], axis=1) for key in (key_a, key_b)]
    key_a, key_b = keys(spanned(*pairs), *pairs)
    union = np.union1d(key_a, key_b)
    in_a, at_a = matched(union, key_a)
    in_b, at_b = matched(union, key_b)
    rows = np.where(in_a[:, None], a[at_a], 0) if len(a) else np.zeros((len(union), len(shape)), np.int64)
    return np.where(in_a[:, None], rows, b[at_b]) if len(b) else rows, in_a, at_a, in_b, at_b


def _two(a: Entries, b: Entries) -> None:
    check(*a, "a")
    check(*b, "b")
    if a[2].tolist() != b[2].tolist():
        raise ValueError(f"operands' shapes do not match: {a[2].tolist()} and {b[2].tolist()}")
    for indices, _, shape in (a, b):
        refuse_outside_shape(indices, shape)


@kernel("SparseAdd")
def add(a_indices, a_values, a_shape, b_indices, b_values, b_shape, thresh):
    """Where both have an entry and the magnitude of the sum is below the threshold, it is dropped."""
    _two((a_indices, a_values, a_shape), (b_indices, b_values, b_shape))
    rows, in_a, at_a, in_b, at_b = _joined(a_indices, b_indices, a_shape)
    sums = _picked(a_values, in_a, at_a) + _picked(b_values, in_b, at_b)
    kept = ~(in_a & in_b) | (np.abs(sums) >= thresh)
    return rows[kept], sums[kept], a_shape


@kernel("SparseAddGrad")
def add_grad(dz, a_indices, b_indices, sum_indices):
    if dz.shape != (len(sum_indices),):
        raise ValueError(f"gradients of shape {list(dz.shape)} for {len(sum_indices)} entries of the sum")
    return tuple(_picked(dz, *_walked(indices, sum_indices)) for indices in (a_indices, b_indices))


def _walked(wanted: Array, given: Array) -> tuple[Array, Array]:
    """Like `_found_in`, but looked for in one walk over both: what the walk has passed already is not found."""
    found, places = _found_in(wanted, given)
    sought, kept = keys(spanned(wanted, given), wanted, given)
    passed = np.maximum.accumulate(np.append(0, np.searchsorted(kept, sought) + found))[:-1]
    return found & (places >= passed), places


def _extremum(choose: np.ufunc) -> Any:
    def extremum(a_indices, a_values, a_shape, b_indices, b_values, b_shape):
        """An entry that only one operand has meets a zero."""
        _two((a_indices, a_values, a_shape), (b_indices, b_values, b_shape))
        rows, in_a, at_a, in_b, at_b = _joined(a_indices, b_indices, a_shape)
        return rows, choose(_picked(a_values, in_a, at_a), _picked(b_values, in_b, at_b))

    return extremum


kernel("SparseSparseMaximum")(_extremum(np.maximum))
kernel("SparseSparseMinimum")(_extremum(np.minimum))


@kernel("SparseTensorDenseAdd")
def tensor_dense_add(indices, values, shape, dense):
    check(indices, values, shape, "a")
    if numbers(shape) != dense.shape:
        raise ValueError(f"the sparse operand has shape {shape.tolist()}, the dense one {list(dense.shape)}")
    refuse_outside_shape(indices, shape)
    total = np.array(dense)
    np.add.at(total, tuple(indices.T), values)
    return total


# ----------------------------------------------------------------------------------------------- reductions


def _reduced(
    indices: Array, values: Array, shape: Array, axes: Array, combine: np.ufunc
) -> tuple[Array, Array, list[int]]:
    """The index rows of the groups that have entries, what each combines to, and the axes that are kept."""
    check(indices, values, shape, "input")
    refuse_outside_shape(indices, shape)
    rank = len(shape)
    if axes.ndim > 1:
        raise ValueError(f"reduction axes must be a scalar or a vector, not of shape {list(axes.shape)}")
    if any(not -rank <= axis < rank for axis in axes.reshape(-1).tolist()):
        raise ValueError(f"reduction axes {axes.tolist()} are outside a tensor of rank {rank}")
    reduced = {axis % rank for axis in axes.reshape(-1).tolist()}
    kept = [axis for axis in range(rank) if axis not in reduced]
    (key,) = keys([shape[axis] for axis in kept], indices[:, kept])
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    results = combine.reduceat(values[order], starts) if len(starts) else values[:0]
    if combine is np.maximum and np.isnan(results).any():
        rows, lanes = np.split(values[order], starts[1:]), 4 if values.dtype == np.float64 else 8
        for place in np.flatnonzero(np.isnan(results)):
            results[place] = largest(rows[place].tolist(), lanes)
    return indices[:, kept][order][starts], results.astype(values.dtype, copy=False), kept


def _reductions(combine: np.ufunc) -> tuple[Any, Any]:
    def to_dense(indices, values, shape, axes, *, keep_dims):
        rows, results, kept = _reduced(indices, values, shape, axes, combine)
        dense = np.zeros([int(shape[axis]) for axis in kept], values.dtype)
        dense[tuple(rows.T)] = results if kept else (results[0] if len(results) else 0)
        return dense.reshape(_kept_shape(shape, kept)) if keep_dims else dense

    def to_sparse(indices, values, shape, axes, *, keep_dims):
        rows, results, kept = _reduced(indices, values, shape, axes, combine)
        if keep_dims:
            wide = np.zeros((len(rows), len(shape)), np.int64)
            wide[:, kept] = rows
            return wide, results, np.array(_kept_shape(shape, kept), np.int64)
        return rows, results, shape[kept]

    return to_dense, to_sparse


def _kept_shape(shape: Array, kept: list[int]) -> list[int]:
    return [int(n) if axis in kept else 1 for axis, n in enumerate(shape)]


for _name, _combine in {"Sum": np.add, "Max": np.maximum}.items():
    for _suffix, _reduction in zip(("", "Sparse"), _reductions(_combine), strict=True):
        kernel(f"SparseReduce{_name}{_suffix}")(_reduction)


@kernel("SparseSoftmax")
def softmax(indices, values, shape):
    """Over the entries of each row; what is not there counts as minus infinity."""
    check(indices, values, shape, "sp")
    if len(shape) < 2:
        raise ValueError(f"the sparse tensor must have rank 2 or more, not {len(shape)}")
    refuse_outside_shape(indices, shape)
    if not len(values):
        return values
    (key,) = keys(shape[:-1], indices[:, :-1])
    _, rows = np.unique(key, return_inverse=True)
    return row_softmax(values, rows)


# ----------------------------------------------------------------------------------------------- with dense tensors


def _dense_entries(indices: Array, values: Array, shape: Array, dense: Array) -> Array:
    """For each entry the element of the dense operand it meets, which is broadcast to the sparse shape."""
    check(indices, values, shape, "sp")
    extra = len(shape) - dense.ndim
    fits = extra >= 0 and all(
        d == n or d == 1 <= n for d, n in zip(dense.shape, shape[max(extra, 0) :].tolist(), strict=True)
    )
    if not fits:
        raise ValueError(
            f"only the dense operand is broadcast: {list(dense.shape)} does not fit shape {shape.tolist()}"
        )
    refuse_outside_shape(indices, shape)
    places = [indices[:, extra + axis] if n != 1 else 0 for axis, n in enumerate(dense.shape)]
    return np.broadcast_to(dense[tuple(places)], values.shape)


@kernel("SparseDenseCwiseAdd")
def dense_add(indices, values, shape, dense):
    return values + _dense_entries(indices, values, shape, dense)


@kernel("SparseDenseCwiseMul")
def dense_mul(indices, values, shape, dense):
    return values * _dense_entries(indices, values, shape, dense)


@kernel("SparseDenseCwiseDiv")
def dense_div(indices, values, shape, dense):
    divisors = _dense_entries(indices, values, shape, dense)
    if values.dtype.kind not in "iu":
        return values / divisors
    if (divisors == 0).any():
        raise ValueError("integer division by zero")
    quotients = values // divisors
    return quotients + ((quotients < 0) & (quotients * divisors != values)).astype(values.dtype)


@kernel("SparseTensorDenseMatMul")
def tensor_dense_matmul(indices, values, shape, b, *, adjoint_a, adjoint_b):
    check(indices, values, shape, "a")
    if len(shape) != 2 or b.ndim != 2:
        raise ValueError(f"both operands must be matrices, not of ranks {len(shape)} and {b.ndim}")
    rows, columns = indices.T[::-1] if adjoint_a else indices.T
    count, inner = (int(n) for n in (shape[::-1] if adjoint_a else shape))
    right = b.conj().T if adjoint_b else b
    if right.shape[0] != inner:
        raise ValueError(f"cannot multiply A and B: inner dimensions {inner} and {right.shape[0]} differ")
    refuse_outside_shape(indices, shape)
    factors, right = (x.astype(np.float32) if b.dtype in HALVES else x for x in (values, right))
    products = (factors.conj() if adjoint_a else factors)[:, None] * right[columns]
    return row_sums(rows, products, count).astype(b.dtype, copy=False)


@kernel("SparseToDense")
def to_dense(indices, shape, values, default_value, *, validate_indices):
    if shape.ndim != 1:
        raise ValueError(f"output_shape must be a vector, not of shape {list(shape.shape)}")
    if indices.ndim > 2 or values.ndim > 1 or default_value.ndim:
        raise ValueError("sparse_indices must have at most 2 axes, sparse_values at most 1, default_value none")
    rows = indices.reshape(indices.shape if indices.ndim == 2 else (indices.size, 1)).astype(np.int64, copy=False)
    if rows.shape[1] != len(shape):
        raise ValueError(f"output_shape has {len(shape)} entries, index rows have {rows.shape[1]}")
    if values.ndim and len(values) != len(rows):
        raise ValueError(f"{len(values)} values for {len(rows)} indices")
    refuse_outside_shape(rows, shape)
    if validate_indices:
        _refuse_disorder(rows, shape)
    dense = np.full(numbers(shape), default_value[()], values.dtype)
    dense[tuple(rows.T)] = values
    return dense


def _refuse_disorder(rows: Array, shape: Array) -> None:
    (key,) = keys(shape, rows)
    steps = np.diff(key)
    if (steps <= 0).any():
        at = int((steps <= 0).argmax()) + 1
        wrong = "repeated" if steps[at - 1] == 0 else "out of order"
        raise ValueError(f"indices[{at}] = {rows[at].tolist()} is {wrong}")


# ------------------------------------------------------------------------------------------------- crosses


def _crossed(indices, values, shapes, dense_inputs, cross, dtype):
    rows = int(shapes[0][0]) if shapes else len(dense_inputs[0]) if dense_inputs else 0
    columns = [of_sparse(*parts, rows) for parts in zip(indices, values, shapes, strict=True)]
    columns += [of_dense(part, rows) for part in dense_inputs]
    found = crosses(columns, cross, rows)
    lengths = [len(row) for row in found]
    places = [np.arange(n) for n in lengths]
    where = np.stack([np.repeat(np.arange(rows), lengths), np.concatenate([np.arange(0), *places])], 1)
    return where, flat(found, dtype), np.array([rows, max(lengths, default=0)], np.int64)


@kernel("SparseCross")
def sparse_cross(
    indices, values, shapes, dense_inputs, *, hashed_output, num_buckets, hash_key, out_type, internal_type
):
    if internal_type.kind == "O" and any(v.dtype.kind != "O" for v in (*values, *dense_inputs)):
        raise ValueError("features must be strings where internal_type is string")
    cross = hashed(num_buckets, [hash_key]) if hashed_output else joined(b"_X_")
    return _crossed(indices, values, shapes, dense_inputs, cross, out_type)


@kernel("SparseCrossV2")
def sparse_cross_v2(indices, values, shapes, dense_inputs, sep):
    return _crossed(indices, values, shapes, dense_inputs, joined(lone(sep, "sep")), object)


@kernel("SparseCrossHashed")
def sparse_cross_hashed(indices, values, shapes, dense_inputs, num_buckets, strong_hash, salt):
    """Strings, and the lower halves of sparse numbers, are hashed; by a strong hash with the salt as its key."""
    if salt.shape != (2,):
        raise ValueError(f"salt must have shape [2], not {list(salt.shape)}")
    strong = one(strong_hash, "strong_hash")
    if strong and any(v.dtype.kind != "O" for v in dense_inputs):
        raise ValueError("dense features must be strings where strong_hash is true")
    of_string = functools.partial(siphash64, tuple(salt.tolist())) if strong else farmhash64
    values = [v if v.dtype.kind == "O" else row_of([half.tobytes() for half in v.astype("<i4")]) for v in values]
    cross = hashed(one(num_buckets, "num_buckets"), of_string=of_string)
    return _crossed(indices, values, shapes, dense_inputs, cross, np.int64)
