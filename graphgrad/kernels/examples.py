"""Kernels that take features out of serialized examples: sparse, dense and ragged ones, of one example or of many.

A feature is read once into *rows*, the values of each example (None where it has none); in sequences into *lists* of such
rows, one for each step. What becomes of them, sparse, dense or ragged, asks nothing of where they came from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from graphgrad.kernels._parsing import each, row_of
from graphgrad.registry import kernel
from graphgrad.schema.example_pb2 import Example, Feature, SequenceExample
from graphgrad.schema.graph_pb2 import TensorProto

Array = np.ndarray[Any, Any]
Row = Sequence[Any] | None
Place = str  # of a feature, as messages spell it

FIELDS = {"f": "float_list", "i": "int64_list", "O": "bytes_list"}


def values_of(feature: Feature, dtype: np.dtype, place: Place, strict: bool) -> Row:
    """The values of a feature; None where it has none of any kind. Raises ValueError for another kind, and where
    `strict` for none."""
    kind = feature.WhichOneof("kind")
    if kind is None and not strict:
        return None
    if kind != FIELDS[dtype.kind]:
        raise ValueError(f"{place} is a {kind}, not a {FIELDS[dtype.kind]}")
    return getattr(feature, kind).value  # type: ignore[no-any-return]


def flat(rows: Sequence[Row], dtype: np.dtype) -> Array:
    """All values, one after the other."""
    values = [value for row in rows if row is not None for value in row]
    return row_of(values) if dtype.kind == "O" else np.array(values, dtype)


def lengths_of(rows: Sequence[Row]) -> list[int]:
    return [0 if row is None else len(row) for row in rows]


class Batch:
    """The examples that one op reads, one or a vector of them, with their names for messages. A dense feature
    of a sequence must have values of some kind."""

    def __init__(self, serialized: Array, names: Array | None = None, message: Any = Example):
        if serialized.ndim > 1:
            raise ValueError(f"serialized must be a scalar or a vector, not of shape {list(serialized.shape)}")
        if names is not None and names.size and names.shape != serialized.shape:
            raise ValueError(f"there are names of shape {list(names.shape)} for {list(serialized.shape)} examples")
        self.is_one, self.strict = serialized.ndim == 0, message is SequenceExample
        self.names = (
            names.reshape(-1).tolist() if names is not None and names.size else [b"<unknown>"] * serialized.size
        )
        self.messages = []
        for place, data in enumerate(serialized.reshape(-1).tolist()):
            try:
                self.messages.append(message.FromString(data))
            except DecodeError:
                raise ValueError(f"{self.place(place)}: this is no serialized {message.DESCRIPTOR.name}") from None

    def place(self, number: int) -> Place:
        return f"example {number} ({self.names[number].decode('utf-8', 'replace')})"

    def rows(self, key: str, dtype: np.dtype, features: Callable[[Any], Any], strict: bool = False) -> list[Row]:
        """The values that each example has under a key; where `strict`, of some kind."""
        found: list[Row] = []
        for number, message in enumerate(self.messages):
            feature = features(message).feature
            place = f"{self.place(number)}, feature {key!r}"
            found.append(values_of(feature[key], dtype, place, strict) if key in feature else None)
        return found

    def lists(self, key: str, dtype: np.dtype) -> list[list[Row] | None]:
        """What each sequence has under a key, step by step."""
        found: list[list[Row] | None] = []
        for number, message in enumerate(self.messages):
            lists = message.feature_lists.feature_list
            place = f"{self.place(number)}, feature list {key!r}"
            steps = lists[key].feature if key in lists else None
            found.append(None if steps is None else [values_of(step, dtype, place, strict=False) for step in steps])
        return found

    # ----------------------------------------------------------------------------- what becomes of rows
    def sparse(self, rows: list[Row], dtype: np.dtype) -> tuple[Array, Array, Array]:
        """Indices, values and the shape."""
        lengths = lengths_of(rows)
        columns = [np.arange(n) for n in lengths]
        if self.is_one:
            return columns[0].reshape(-1, 1), flat(rows, dtype), np.array(lengths, np.int64)
        indices = np.stack([np.repeat(np.arange(len(rows)), lengths), np.concatenate([np.arange(0), *columns])], 1)
        return indices, flat(rows, dtype), np.array([len(rows), max(lengths, default=0)], np.int64)

    def ragged(self, rows: list[Row], dtype: np.dtype, split_dtype: np.dtype) -> tuple[Array, Array]:
        """Values and splits; a lone example is a row, which needs none."""
        splits = [] if self.is_one else np.append(0, np.cumsum(lengths_of(rows)))
        return flat(rows, dtype), np.array(splits, split_dtype)

    def dense(self, rows: list[Row], key: str, shape: tuple[int | None, ...], default: Array, dtype: np.dtype) -> Array:
        """Values of one shape, or of one that begins with any number and is filled up."""
        if shape and shape[0] is None:
            return self._padded(rows, key, shape[1:], default, dtype)
        if default.size and default.shape != shape:
            raise ValueError(f"the default of {key!r} has shape {list(default.shape)}, values have {list(shape)}")
        size = int(np.prod(shape, dtype=np.int64))
        filled: list[Row] = []
        for number, row in enumerate(rows):
            if row is None:
                if default.shape != shape:
                    raise ValueError(f"{self.place(number)} has no feature {key!r}, which is required")
                row = default.reshape(-1).tolist()
            self._check_size(number, key, row, size, shape)
            filled.append(row)
        return flat(filled, dtype).reshape(shape if self.is_one else (len(rows), *shape))

    def _check_size(self, number: int, key: str, row: Sequence[Any], size: int, shape: Any) -> None:
        if len(row) != size:
            raise ValueError(
                f"{self.place(number)} has {len(row)} values of {key!r}, its shape {list(shape)} wants {size}"
            )

    def _padded(self, rows: list[Row], key: str, inner: Any, default: Array, dtype: np.dtype) -> Array:
        if default.size != 1:
            raise ValueError(f"{key!r} has any number of values: its default, which fills them up, must be one value")
        stride = int(np.prod(inner, dtype=np.int64))
        for number, row in enumerate(rows):
            if row is not None and (not stride or len(row) % stride):
                wanted = f"no multiple of {stride}"
                raise ValueError(f"{self.place(number)} has {len(row)} values of {key!r}, which is {wanted}")
        longest = max(lengths_of(rows), default=0)
        found = np.empty((len(rows), longest), dtype)
        found[...] = default.reshape(())
        for number, row in enumerate(rows):
            if row:
                found[number, : len(row)] = flat([row], dtype)
        found = found.reshape(len(rows), longest // max(stride, 1), *inner)
        return found[0] if self.is_one else found


def key_of(name: Any) -> str:
    """A key of a map of features; what is no text is none."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def keys_of(names: Any) -> list[str]:
    """Keys from a vector, a list of scalars or an attribute. Raises ValueError where one stands there twice."""
    if isinstance(names, np.ndarray):
        items = names.reshape(-1).tolist()
    else:
        items = [name.item() if hasattr(name, "item") else name for name in names]
    return [key_of(item) for item in items]


def _refuse_twice(*groups: list[str]) -> None:
    """Raises ValueError where a key is asked for in two ways."""
    keys = [key for group in groups for key in group]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"features are asked for twice: {', '.join(map(repr, twice))}")


def _columns(triples: Sequence[tuple[Array, ...]], count: int) -> tuple[list[Array], ...]:
    """What each of several features gave as one list for each output."""
    return tuple(list(column) for column in zip(*triples, strict=True)) if triples else tuple([] for _ in range(count))


def _features(message: Example) -> Any:
    return message.features


def _context(message: SequenceExample) -> Any:
    return message.context


# ------------------------------------------------------------------------------------------------- examples


def parse(batch: Batch, sparse_keys, dense_keys, ragged_keys, dense_defaults, types, dense_shapes, features=_features):
    """Sparse indices, values and shapes; dense values; ragged values and splits."""
    sparse_types, dense_types, ragged_types, split_types = types
    _refuse_twice(sparse_keys, dense_keys, ragged_keys)
    sparse = [
        batch.sparse(batch.rows(key, dtype, features), dtype)
        for key, dtype in zip(sparse_keys, sparse_types, strict=True)
    ]
    dense = [
        batch.dense(batch.rows(key, dtype, features, batch.strict), key, shape, default, dtype)
        for key, dtype, shape, default in zip(dense_keys, dense_types, dense_shapes, dense_defaults, strict=True)
    ]
    ragged = [
        batch.ragged(batch.rows(key, dtype, features), dtype, splits)
        for key, dtype, splits in zip(ragged_keys, ragged_types, split_types, strict=True)
    ]
    return (*_columns(sparse, 3), dense, *_columns(ragged, 2))


@kernel("ParseExample")
def parse_example(serialized, names, sparse_keys, dense_keys, dense_defaults, *, sparse_types, Tdense, dense_shapes):
    if serialized.ndim != 1:
        raise ValueError(f"serialized must be a vector, not of shape {list(serialized.shape)}")
    types = (sparse_types, Tdense, (), ())
    keys = keys_of(sparse_keys), keys_of(dense_keys), []
    return parse(Batch(serialized, names), *keys, dense_defaults, types, dense_shapes)[:4]


@kernel("ParseExampleV2")
def parse_example_v2(
    serialized,
    names,
    sparse_keys,
    dense_keys,
    ragged_keys,
    dense_defaults,
    *,
    sparse_types,
    Tdense,
    ragged_value_types,
    ragged_split_types,
    dense_shapes,
):
    types = (sparse_types, Tdense, ragged_value_types, ragged_split_types)
    keys = keys_of(sparse_keys), keys_of(dense_keys), keys_of(ragged_keys)
    return parse(Batch(serialized, names), *keys, dense_defaults, types, dense_shapes)


@kernel("ParseSingleExample")
def parse_single_example(serialized, dense_defaults, *, sparse_keys, dense_keys, sparse_types, Tdense, dense_shapes):
    if serialized.ndim:
        raise ValueError(f"serialized must be a scalar, not of shape {list(serialized.shape)}")
    types = (sparse_types, Tdense, (), ())
    return parse(Batch(serialized), list(sparse_keys), list(dense_keys), [], dense_defaults, types, dense_shapes)[:4]


# ------------------------------------------------------------------------------------------------- sequences


def sparse_list(batch: Batch, key: str, dtype: np.dtype) -> tuple[Array, Array, Array]:
    """Indices by sequence, step and place; a lone sequence has no first index."""
    lists = [steps or [] for steps in batch.lists(key, dtype)]
    rows = [row for steps in lists for row in steps]
    lengths = lengths_of(rows)
    sequence = np.repeat(np.arange(len(lists)), [len(steps) for steps in lists])
    step = np.concatenate([np.arange(0), *(np.arange(len(steps)) for steps in lists)])
    place = np.concatenate([np.arange(0), *map(np.arange, lengths)])
    indices = np.stack([np.repeat(sequence, lengths), np.repeat(step, lengths), place], 1)
    shape = [len(lists), max(map(len, lists), default=0), max(lengths, default=0)]
    first = int(batch.is_one)
    return indices[:, first:], flat(rows, dtype), np.array(shape[first:], np.int64)


def dense_list(batch: Batch, key: str, dtype: np.dtype, shape: Any, may_miss: bool) -> tuple[Array, Array]:
    """Steps of one shape, filled up with zeros, and how many there are."""
    size = int(np.prod(shape, dtype=np.int64))
    lists = batch.lists(key, dtype)
    for number, steps in enumerate(lists):
        if steps is None and not may_miss:
            raise ValueError(f"{batch.place(number)} has no feature list {key!r}, which is required")
        for row in steps or []:
            batch._check_size(number, key, row or [], size, shape)
    counts = np.array([len(steps or []) for steps in lists], np.int64)
    found = np.empty((len(lists), int(counts.max(initial=0)), *shape), dtype)
    found[...] = b"" if dtype.kind == "O" else 0
    for number, steps in enumerate(lists):
        if steps:
            found[number, : len(steps)] = flat(steps, dtype).reshape(len(steps), *shape)
    return (found[0], counts[0]) if batch.is_one else (found, counts)


def ragged_list(batch: Batch, key: str, dtype: np.dtype, split_dtype: np.dtype) -> tuple[Array, Array, Array]:
    """Values, where each sequence's steps begin, and where each step's values do."""
    lists = [steps or [] for steps in batch.lists(key, dtype)]
    rows = [row for steps in lists for row in steps]
    outer = np.append(0, np.cumsum([len(steps) for steps in lists]))
    inner = np.append(0, np.cumsum(lengths_of(rows)))
    return flat(rows, dtype), outer.astype(split_dtype), inner.astype(split_dtype)


def parse_sequences(batch: Batch, sparse_keys, dense_keys, ragged_keys, types, dense_shapes, may_miss):
    """The feature lists of sequences: sparse, dense with their lengths, ragged."""
    sparse_types, dense_types, ragged_types, split_types = types
    _refuse_twice(sparse_keys, dense_keys, ragged_keys)
    sparse = [sparse_list(batch, key, dtype) for key, dtype in zip(sparse_keys, sparse_types, strict=True)]
    dense = [
        dense_list(batch, key, dtype, shape, missing)
        for key, dtype, shape, missing in zip(dense_keys, dense_types, dense_shapes, may_miss, strict=True)
    ]
    ragged = [
        ragged_list(batch, key, dtype, splits)
        for key, dtype, splits in zip(ragged_keys, ragged_types, split_types, strict=True)
    ]
    return (*_columns(sparse, 3), *_columns(dense, 2), *_columns(ragged, 3))


@kernel("ParseSequenceExampleV2")
def parse_sequence_example_v2(
    serialized,
    debug_name,
    context_sparse_keys,
    context_dense_keys,
    context_ragged_keys,
    feature_list_sparse_keys,
    feature_list_dense_keys,
    feature_list_ragged_keys,
    feature_list_dense_missing_assumed_empty,
    context_dense_defaults,
    *,
    context_sparse_types,
    Tcontext_dense,
    context_ragged_value_types,
    context_ragged_split_types,
    context_dense_shapes,
    feature_list_sparse_types,
    feature_list_dense_types,
    feature_list_ragged_value_types,
    feature_list_ragged_split_types,
    feature_list_dense_shapes,
):
    batch = Batch(serialized, debug_name, SequenceExample)
    keys = map(keys_of, (context_sparse_keys, context_dense_keys, context_ragged_keys))
    types = (context_sparse_types, Tcontext_dense, context_ragged_value_types, context_ragged_split_types)
    context = parse(batch, *keys, context_dense_defaults, types, context_dense_shapes, _context)
    keys = map(keys_of, (feature_list_sparse_keys, feature_list_dense_keys, feature_list_ragged_keys))
    types = (feature_list_sparse_types, feature_list_dense_types)
    types += (feature_list_ragged_value_types, feature_list_ragged_split_types)
    may_miss = feature_list_dense_missing_assumed_empty.tolist()
    return *context, *parse_sequences(batch, *keys, types, feature_list_dense_shapes, may_miss)


@kernel("ParseSequenceExample")
def parse_sequence_example(
    serialized,
    debug_name,
    context_dense_defaults,
    *,
    feature_list_dense_missing_assumed_empty,
    context_sparse_keys,
    context_dense_keys,
    feature_list_sparse_keys,
    feature_list_dense_keys,
    context_sparse_types,
    Tcontext_dense,
    feature_list_dense_types,
    context_dense_shapes,
    feature_list_sparse_types,
    feature_list_dense_shapes,
):
    batch = Batch(serialized, debug_name, SequenceExample)
    types = (context_sparse_types, Tcontext_dense, (), ())
    keys = list(context_sparse_keys), list(context_dense_keys), []
    context = parse(batch, *keys, context_dense_defaults, types, context_dense_shapes, _context)[:4]
    types = (feature_list_sparse_types, feature_list_dense_types, (), ())
    keys = list(feature_list_sparse_keys), list(feature_list_dense_keys), []
    may_miss = [key in feature_list_dense_missing_assumed_empty for key in feature_list_dense_keys]
    return *context, *parse_sequences(batch, *keys, types, feature_list_dense_shapes, may_miss)[:5]


@kernel("ParseSingleSequenceExample")
def parse_single_sequence_example(
    serialized,
    feature_list_dense_missing_assumed_empty,
    context_sparse_keys,
    context_dense_keys,
    feature_list_sparse_keys,
    feature_list_dense_keys,
    context_dense_defaults,
    debug_name,
    *,
    context_sparse_types,
    Tcontext_dense,
    feature_list_dense_types,
    context_dense_shapes,
    feature_list_sparse_types,
    feature_list_dense_shapes,
):
    if serialized.ndim:
        raise ValueError(f"serialized must be a scalar, not of shape {list(serialized.shape)}")
    keys_given = (context_sparse_keys, context_dense_keys, feature_list_sparse_keys, feature_list_dense_keys)
    if any(key.ndim for keys in keys_given for key in keys):
        raise ValueError("a key must be a scalar")
    if feature_list_dense_missing_assumed_empty.ndim != 1:
        shape = list(feature_list_dense_missing_assumed_empty.shape)
        raise ValueError(f"feature_list_dense_missing_assumed_empty must be a vector, not of shape {shape}")
    batch = Batch(serialized, debug_name, SequenceExample)
    types = (context_sparse_types, Tcontext_dense, (), ())
    keys = keys_of(context_sparse_keys), keys_of(context_dense_keys), []
    context = parse(batch, *keys, context_dense_defaults, types, context_dense_shapes, _context)[:4]
    types = (feature_list_sparse_types, feature_list_dense_types, (), ())
    keys = keys_of(feature_list_sparse_keys), keys_of(feature_list_dense_keys), []
    missing = keys_of(feature_list_dense_missing_assumed_empty)
    may_miss = [key in missing for key in keys[1]]
    return *context, *parse_sequences(batch, *keys, types, feature_list_dense_shapes, may_miss)[:4]


# ------------------------------------------------------------------------------------------------- other messages


@kernel("DecodeJSONExample")
def decode_json_example(json_examples):
    from google.protobuf import json_format

    def decoded(text: bytes) -> bytes:
        try:
            found = json.loads(text)
            if not isinstance(found, dict):
                raise ValueError("it is no object")
            return json_format.ParseDict(found, Example()).SerializeToString(deterministic=True)
        except (json_format.ParseError, ValueError) as error:
            raise ValueError(f"{text[:40]!r} is no example in JSON: {' '.join(str(error).split())}") from None

    return each(decoded, json_examples)


@kernel("SerializeTensor")
def serialize_tensor(tensor):
    from graphgrad.formats import arrays

    return row_of([arrays.to_proto(tensor).SerializeToString(deterministic=True)]).reshape(())


@kernel("ParseTensor")
def parse_tensor(serialized, *, out_type):
    from graphgrad.formats import arrays

    if serialized.ndim:
        raise ValueError(f"serialized must be a scalar, not of shape {list(serialized.shape)}")
    try:
        array = arrays.from_proto(TensorProto.FromString(serialized.item()))
    except (DecodeError, KeyError):
        raise ValueError("this is no serialized tensor") from None
    if array.dtype != out_type:
        raise ValueError(f"the serialized tensor is {array.dtype.name}, not {np.dtype(out_type).name}")
    return array
