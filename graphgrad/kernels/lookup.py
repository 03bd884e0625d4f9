"""Kernels of lookup tables, which outlive a run: filled once by an initialiser, or changed as one goes.

A table's handle is the table itself; a key that is missing gives the default value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]


class Table:
    """Keys of one dtype to values of one dtype and shape. One that is not mutable is filled exactly once."""

    __slots__ = (
        "entries",
        "is_filled",
        "is_mutable",
        "key_dtype",
        "key_shape",
        "name",
        "refused",
        "value_dtype",
        "value_shape",
    )

    def __init__(
        self,
        name: str,
        key_dtype: np.dtype[Any],
        value_dtype: np.dtype[Any],
        value_shape: tuple[int, ...] | None = (),
        *,
        is_mutable: bool,
        key_shape: tuple[int, ...] = (),
        refused: tuple[Any, ...] = (),
    ):
        self.name, self.key_dtype, self.value_dtype, self.value_shape = name, key_dtype, value_dtype, value_shape
        self.is_mutable, self.key_shape, self.refused = is_mutable, key_shape, refused
        self.entries: dict[Any, Any] = {}
        self.is_filled = is_mutable

    def destroy(self) -> None:
        """Forgets everything."""
        self.entries.clear()
        self.is_filled = self.is_mutable

    def __repr__(self) -> str:
        return f"<Table {self.name!r}>"

    def keys_of(self, keys: Array) -> list[Any]:
        """Keys as the entries have them. Raises ValueError where they are of another dtype or shape."""
        if keys.dtype != self.key_dtype:
            raise ValueError(f"table {self.name!r} has {self.key_dtype.name} keys, not {keys.dtype.name}")
        if not self.key_shape:
            return list(keys.reshape(-1).tolist())
        if keys.shape[keys.ndim - len(self.key_shape) :] != self.key_shape:
            raise ValueError(f"keys of table {self.name!r} are of shape {list(self.key_shape)}, not {list(keys.shape)}")
        rows = keys.reshape(-1, int(np.prod(self.key_shape)))
        return [tuple(row) for row in rows.tolist()]

    def outer_shape(self, keys: Array) -> tuple[int, ...]:
        return keys.shape[: keys.ndim - len(self.key_shape)]

    def insert(self, keys: Array, values: Array) -> None:
        """Adds entries, over older ones of the same key."""
        listed = self._insertable(keys)
        for key, value in zip(listed, self._rows(keys, values), strict=True):
            self.entries[key] = value

    def replace(self, keys: Array, values: Array) -> None:
        """Has these entries and no others; of a dense table they are its buckets, some of them empty or deleted."""
        self.entries.clear()
        if self.refused:
            keys = keys.reshape(len(keys), *self.key_shape)
            used = [i for i, key in enumerate(self.keys_of(keys)) if key not in self.refused]
            keys, values = keys[used], values.reshape(len(values), *(self.value_shape or ()))[used]
        self.insert(keys, values)

    def _insertable(self, keys: Array) -> list[Any]:
        listed = self.keys_of(keys)
        for key in listed:
            if key in self.refused:
                raise ValueError(f"the key {key!r} is the empty or the deleted key of table {self.name!r}")
        return listed

    def _rows(self, keys: Array, values: Array) -> Any:
        """One value per key; scalars as Python's."""
        if values.dtype != self.value_dtype:
            raise ValueError(f"table {self.name!r} has {self.value_dtype.name} values, not {values.dtype.name}")
        outer = self.outer_shape(keys)
        inner = values.shape[len(outer) :]
        if values.shape[: len(outer)] != outer or (self.value_shape is not None and inner != self.value_shape):
            raise ValueError(
                f"expected shape {[*outer, *(self.value_shape or ())]} for the values of table {self.name!r}, "
                f"got {list(values.shape)}"
            )
        rows = values.reshape(-1, *inner) if values.size else values.reshape(int(np.prod(outer)), *inner)
        return rows if inner else values.reshape(-1)

    def fill(self, keys: Array, values: Array) -> None:
        """Fills a table that is not mutable; doing it again with the same content is no error."""
        if keys.shape != values.shape:
            raise ValueError(f"keys and values must have the same size {keys.size} vs {values.size}")
        listed = self.keys_of(keys)
        found: dict[Any, Any] = {}
        for key, value in zip(listed, self._rows(keys, values), strict=True):
            if key in found and found[key] != value:
                raise ValueError(f"table {self.name!r} has different values for the key {key!r}")
            found[key] = value
        if self.is_filled and found != self.entries:
            raise ValueError(f"table {self.name!r} was already initialized with different data")
        self.entries, self.is_filled = found, True

    def find(self, keys: Array, default: Array) -> Array:
        """The values of keys; where a key is missing the default, or its own row of defaults."""
        if not self.is_filled:
            raise ValueError(f"table {self.name!r} is not initialized: run its initializer first, with --run-first")
        if default.dtype != self.value_dtype:
            raise ValueError(f"table {self.name!r} has {self.value_dtype.name} values, not {default.dtype.name}")
        outer, inner = self.outer_shape(keys), self.value_shape
        if inner is None:
            inner = default.shape
        if default.shape not in (inner, (*outer, *inner)):
            raise ValueError(f"the default must have the shape {list(inner)} of a value, not {list(default.shape)}")
        out = np.empty((int(np.prod(outer)), *inner), self.value_dtype)
        out[...] = default.reshape(-1, *inner) if default.shape == (*outer, *inner) and outer else default
        entries = self.entries
        for place, key in enumerate(self.keys_of(keys)):
            if key in entries:
                out[place] = entries[key]
        return out.reshape(*outer, *inner)

    def exported(self) -> tuple[Array, Array]:
        """All keys and values, in the order they came."""
        keys = np.empty((len(self.entries), *self.key_shape), self.key_dtype)
        values = np.empty((len(self.entries), *(self.value_shape or ())), self.value_dtype)
        for place, (key, value) in enumerate(self.entries.items()):
            keys[place] = np.reshape(key, self.key_shape) if self.key_shape else key
            values[place] = value
        return keys, values


def _shared(state: Any, container: str, name: str, make: Any, node_name: str = "") -> Table:
    """The table of that name; one that is mutable starts with the entries that are given of its node."""
    table: Table = state.resource(f"table/{container}/{name}", lambda: _with_entries(make(), state.entries(node_name)))
    return table


def _with_entries(table: Table, entries: tuple[Array, Array] | None) -> Table:
    if entries is not None:
        table.replace(*entries)
    return table


# ----------------------------------------------------------------------------------------------- making


@kernel("HashTable", "HashTableV2")
def hash_table(*, container, shared_name, key_dtype, value_dtype, state, node_name):
    name = shared_name or node_name
    return _shared(state, container, name, lambda: Table(name, key_dtype, value_dtype, is_mutable=False))


@kernel("AnonymousHashTable")
def anonymous_hash_table(*, key_dtype, value_dtype, node_name):
    return Table(node_name, key_dtype, value_dtype, is_mutable=False)


@kernel("MutableHashTable", "MutableHashTableV2")
def mutable_hash_table(*, container, shared_name, key_dtype, value_dtype, state, node_name):
    name = shared_name or node_name
    return _shared(state, container, name, lambda: Table(name, key_dtype, value_dtype, is_mutable=True), node_name)


@kernel("AnonymousMutableHashTable")
def anonymous_mutable_hash_table(*, key_dtype, value_dtype, node_name):
    return Table(node_name, key_dtype, value_dtype, is_mutable=True)


@kernel("MutableHashTableOfTensors", "MutableHashTableOfTensorsV2")
def mutable_table_of_tensors(*, container, shared_name, key_dtype, value_dtype, value_shape, state, node_name):
    name = shared_name or node_name
    return _shared(
        state, container, name, lambda: Table(name, key_dtype, value_dtype, value_shape, is_mutable=True), node_name
    )


@kernel("AnonymousMutableHashTableOfTensors")
def anonymous_table_of_tensors(*, key_dtype, value_dtype, value_shape, node_name):
    return Table(node_name, key_dtype, value_dtype, value_shape, is_mutable=True)


def _dense(name: str, empty: Array, deleted: Array | None, dtype: Any, shape: Any) -> Table:
    if deleted is not None and empty.shape != deleted.shape:
        raise ValueError(
            f"the empty and the deleted key differ in shape: {list(empty.shape)} and {list(deleted.shape)}"
        )
    table = Table(name, empty.dtype, dtype, shape, is_mutable=True, key_shape=empty.shape)
    refused = [table.keys_of(key)[0] for key in (empty, deleted) if key is not None]
    if deleted is not None and refused[0] == refused[1]:
        raise ValueError("the empty and the deleted key must be different")
    table.refused = tuple(refused)
    return table


@kernel("MutableDenseHashTable")
def dense_hash_table(empty_key, *, container, shared_name, value_dtype, value_shape, state, node_name):
    name = shared_name or node_name
    return _shared(state, container, name, lambda: _dense(name, empty_key, None, value_dtype, value_shape), node_name)


@kernel("MutableDenseHashTableV2")
def dense_hash_table_v2(empty_key, deleted_key, *, container, shared_name, value_dtype, value_shape, state, node_name):
    name = shared_name or node_name
    return _shared(
        state, container, name, lambda: _dense(name, empty_key, deleted_key, value_dtype, value_shape), node_name
    )


@kernel("AnonymousMutableDenseHashTable")
def anonymous_dense_hash_table(empty_key, deleted_key, *, value_dtype, value_shape, node_name):
    return _dense(node_name, empty_key, deleted_key, value_dtype, value_shape)


# ----------------------------------------------------------------------------------------------- using


@kernel("LookupTableFind", "LookupTableFindV2")
def find(table, keys, default_value):
    return table.find(keys, default_value)


@kernel("LookupTableSize", "LookupTableSizeV2")
def size(table):
    return np.int64(len(table.entries))


@kernel("InitializeTable", "InitializeTableV2")
def initialize(table, keys, values):
    if table.is_mutable:
        raise ValueError(f"table {table.name!r} is mutable and takes no initializer")
    table.fill(keys, values)


@kernel("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
def initialize_from_file(table, filename, *, key_index, value_index, vocab_size, delimiter, offset, state):
    """A key and a value a line: a column, the whole line, or its number."""
    from graphgrad.formats.vocabulary import entries

    path = filename.item().decode()
    dtypes = table.key_dtype, table.value_dtype
    table.fill(*entries(path, state.read_asset(path), (key_index, value_index), dtypes, vocab_size, delimiter, offset))


@kernel("LookupTableInsert", "LookupTableInsertV2")
def insert(table, keys, values):
    _refuse_unless_mutable(table)
    table.insert(keys, values)


@kernel("LookupTableRemoveV2")
def remove(table, keys):
    _refuse_unless_mutable(table)
    for key in table.keys_of(keys):
        table.entries.pop(key, None)


@kernel("LookupTableImport", "LookupTableImportV2")
def import_all(table, keys, values):
    """Replaces everything."""
    if table.is_mutable:
        table.replace(keys, values)
    else:
        table.is_filled = False
        table.fill(keys, values)


@kernel("LookupTableExport", "LookupTableExportV2")
def export_all(table):
    return table.exported()


def _refuse_unless_mutable(table: Table) -> None:
    if not table.is_mutable:
        raise ValueError(f"table {table.name!r} is not mutable")
