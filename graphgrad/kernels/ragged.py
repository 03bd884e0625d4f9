"""Kernels of ragged tensors, rows of differing lengths: flat values beside the splits that cut them into rows.

Splits ascend from 0 to the number of what they cut; anything else is an error.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from graphgrad.kernels._coordinates import filled_rows, unfilled_gradients
from graphgrad.kernels._crosses import crosses, flat, hashed, joined, of_dense, of_sparse
from graphgrad.kernels._ragged_rows import RaggedRows, padded
from graphgrad.kernels._rows import refuse_outside
from graphgrad.kernels._variants import boxed, boxes, unboxed
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]


def check_splits(splits: Array, count: int) -> None:
    """Raises ValueError unless the splits cut so many things into rows."""
    if splits.ndim != 1 or not len(splits):
        raise ValueError("splits must be a vector with at least one entry")
    if splits[0] != 0 or splits[-1] != count or (np.diff(splits) < 0).any():
        raise ValueError(f"splits must ascend from 0 to {count}, got {splits.tolist()[:8]}")


def check_nested(splits: list[Array], values: Array) -> None:
    for outer, inner in itertools.zip_longest(splits, splits[1:]):
        check_splits(outer, len(values) if inner is None else len(inner) - 1)


def spans(starts: Array, lengths: Array) -> Array:
    """The numbers of all spans, one after the other: each counts up from its start."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


@kernel("RaggedRange")
def ragged_range(starts, limits, deltas, *, Tsplits):
    if any(x.ndim > 1 for x in (starts, limits, deltas)):
        raise ValueError("starts, limits and deltas must be scalars or vectors")
    if len({len(x) for x in (starts, limits, deltas) if x.ndim}) > 1:
        raise ValueError("starts, limits and deltas must be of one length")
    starts, limits, deltas = np.broadcast_arrays(*map(np.atleast_1d, (starts, limits, deltas)))
    if (deltas == 0).any():
        raise ValueError("deltas must not be 0")
    distance = limits - starts
    if starts.dtype.kind == "f":
        lengths = np.ceil(np.abs(distance / deltas))
    else:
        lengths = (np.abs(distance) + np.abs(deltas) - 1) // np.abs(deltas)
    lengths = np.where((distance < 0) & (deltas > 0) | (distance > 0) & (deltas < 0), 0, lengths)
    if not (lengths <= np.iinfo(Tsplits).max).all():
        raise ValueError(f"a row must not have more than {np.iinfo(Tsplits).max} elements")
    lengths = lengths.astype(np.int64)
    steps = spans(np.zeros(len(lengths), np.int64), lengths)
    # One after the other is added, as TensorFlow does, so floating steps round as there.
    values = np.repeat(starts, lengths)
    if starts.dtype.kind == "f":
        rows = [_counted(s, d, n) for s, d, n in zip(starts, deltas, lengths.tolist(), strict=True)]
        values = np.concatenate(rows) if rows else values
    else:
        values = (values + steps.astype(starts.dtype) * np.repeat(deltas, lengths)).astype(starts.dtype)
    return np.append(0, np.cumsum(lengths)).astype(Tsplits), values


def _counted(start: Any, step: Any, length: int) -> Array:
    terms = np.full(length, step, np.asarray(start).dtype)
    terms[:1] = start
    return np.add.accumulate(terms)


@kernel("RaggedGather")
def gather(splits, values, indices, *, OUTPUT_RAGGED_RANK, Tsplits):
    """Rows by index; axes of the indices before the last become splits of rows of one length."""
    check_nested(splits, values)
    refuse_outside(indices, len(splits[0]) - 1)
    rows = indices.reshape(-1)
    result = []
    for axis in range(indices.ndim - 1):
        outer, inner = int(np.prod(indices.shape[: axis + 1])), indices.shape[axis + 1]
        result.append((np.arange(outer + 1) * inner).astype(Tsplits))
    for cut in splits:
        starts, lengths = cut[rows], cut[np.asarray(rows) + 1] - cut[rows]
        result.append(np.append(0, np.cumsum(lengths)).astype(Tsplits))
        rows = spans(starts, lengths)
    result = result if indices.ndim else result[1:]  # of a lone row what lies below it
    if len(result) != OUTPUT_RAGGED_RANK:
        raise ValueError(f"OUTPUT_RAGGED_RANK is {OUTPUT_RAGGED_RANK}, and the result has {len(result)} splits")
    return result, values[rows]


@kernel("RaggedTensorToSparse")
def to_sparse(splits, values):
    check_nested(splits, values)
    rows, columns = [], []
    count = len(values)
    for cut in reversed(splits):
        lengths = np.diff(cut)
        columns.append(np.arange(cut[-1]) - np.repeat(cut[:-1], lengths))
        rows.append(np.repeat(np.arange(len(lengths)), lengths))
    place = np.arange(count)
    index = []
    for row, column in zip(rows, columns, strict=True):
        index.append(column[place])
        place = row[place]
    index.append(place)
    inner = np.indices(values.shape[1:]).reshape(values.ndim - 1, int(np.prod(values.shape[1:]))).T
    outer = np.stack(index[::-1], axis=1)
    indices = np.concatenate([np.repeat(outer, len(inner), axis=0), np.tile(inner, (count, 1))], axis=1)
    longest = [int(np.diff(cut).max(initial=0)) for cut in splits]
    shape = np.array([len(splits[0]) - 1, *longest, *values.shape[1:]], np.int64)
    return indices.astype(np.int64), values.reshape(-1), shape


@kernel("RaggedTensorToTensor")
def to_tensor(shape, values, default_value, partitions, *, row_partition_types):
    return padded(shape, values, default_value, partitions, row_partition_types)


@kernel("RaggedFillEmptyRows")
def fill_empty_rows(value_rowids, values, nrows, default_value):
    """Every row has a value afterwards."""
    if value_rowids.ndim != 1 or values.shape != value_rowids.shape:
        raise ValueError("value_rowids and values must be vectors of one length")
    if nrows.ndim or default_value.ndim:
        raise ValueError("nrows and default_value must be scalars")
    rows, added, empty, order, back = filled_rows(value_rowids, int(nrows))
    return rows, np.append(values, np.full(len(added), default_value[()], values.dtype))[order], empty, back


kernel("RaggedFillEmptyRowsGrad")(unfilled_gradients)


# ----------------------------------------------------------------------------------------------- variants


@kernel("RaggedTensorToVariant")
def to_variant(splits, values, *, batched_input):
    """One variant for the whole, or one for each row."""
    check_nested(splits, values)
    whole = RaggedRows(list(splits), values)
    if not batched_input:
        return boxed(whole)
    return boxes(whole.rows() if splits else [RaggedRows([], row) for row in values])


@kernel("RaggedTensorFromVariant")
def from_variant(encoded, *, input_ragged_rank, output_ragged_rank, Tvalues, Tsplits):
    given = encoded if isinstance(encoded, np.ndarray) else boxed(encoded)
    parts = [unboxed(part, RaggedRows) for part in given.reshape(-1)]
    inner = output_ragged_rank - given.ndim if input_ragged_rank == -1 else input_ragged_rank
    if inner < 0 or inner + given.ndim != output_ragged_rank:
        raise ValueError(
            f"an input of rank {given.ndim} with input_ragged_rank {input_ragged_rank} does not give output_ragged_rank "
            f"{output_ragged_rank}"
        )
    for part in parts:
        if len(part.splits) != inner or part.values.dtype != Tvalues:
            raise ValueError(
                f"a variant holds {len(part.splits)} splits and {part.values.dtype.name} values, "
                f"wanted are {inner} and {np.dtype(Tvalues).name}"
            )
    if not given.ndim:
        return [s.astype(Tsplits, copy=False) for s in parts[0].splits], parts[0].values
    outer = [np.arange(int(np.prod(given.shape[:axis])) + 1) * given.shape[axis] for axis in range(1, given.ndim)]
    joined = RaggedRows.joined(parts, inner, Tvalues)
    return [s.astype(Tsplits, copy=False) for s in (*outer, *joined.splits)], joined.values


@kernel("RaggedTensorToVariantGradient")
def to_variant_gradient(encoded, row_splits, dense_values_shape, *, Tvalues):
    """The values of the variants one after the other, of the shape asked for. A variant that got no gradient holds none:
    the rows it stands for are zeros, as many as the splits say."""
    given = encoded if isinstance(encoded, np.ndarray) else boxed(encoded)
    shape = tuple(int(n) for n in dense_values_shape)
    parts = [np.asarray(unboxed(part, RaggedRows).values, Tvalues).reshape(-1) for part in given.reshape(-1)]
    lengths = np.diff(row_splits) if row_splits.ndim else ()
    if sum(part.size for part in parts) != math.prod(shape) and len(parts) == len(lengths):
        row = math.prod(shape[1:])
        parts = [part if part.size else np.zeros(int(n) * row, Tvalues) for part, n in zip(parts, lengths, strict=True)]
    return np.concatenate([np.zeros(0, Tvalues), *parts]).reshape(shape)


@kernel("RaggedCross")
def ragged_cross(
    ragged_values,
    ragged_row_splits,
    sparse_indices,
    sparse_values,
    sparse_shape,
    dense_inputs,
    *,
    input_order,
    hashed_output,
    num_buckets,
    hash_key,
    out_values_type,
    out_row_splits_type,
):
    """All ways to take one feature of each column; `input_order` says which kind each column is of."""
    rows = rows_of_columns(ragged_row_splits, sparse_shape, dense_inputs)
    kinds = {
        "R": iter([of_ragged(*parts, rows) for parts in zip(ragged_values, ragged_row_splits, strict=True)]),
        "S": iter([of_sparse(*p, rows) for p in zip(sparse_indices, sparse_values, sparse_shape, strict=True)]),
        "D": iter([of_dense(part, rows) for part in dense_inputs]),
    }
    columns = [next(kinds[letter]) for letter in input_order]
    found = crosses(columns, hashed(num_buckets, [hash_key]) if hashed_output else joined(b"_X_"), rows)
    splits = np.append(0, np.cumsum([len(row) for row in found]))
    return flat(found, out_values_type), splits.astype(out_row_splits_type)


def rows_of_columns(ragged_row_splits, sparse_shape, dense_inputs):
    """How many rows the first of the columns has."""
    counts = [len(splits) - 1 for splits in ragged_row_splits]
    counts += [int(shape[0]) for shape in sparse_shape] + [len(part) for part in dense_inputs]
    if not counts:
        raise ValueError("there are no columns to cross")
    return counts[0]


def of_ragged(values, splits, rows):
    check_splits(splits, len(values))
    if len(splits) != rows + 1:
        raise ValueError(f"ragged features of {len(splits) - 1} rows do not go with {rows}")
    cut = splits.tolist()
    return [values[a:b].tolist() for a, b in itertools.pairwise(cut)]
