"""Static shapes of lookup tables and of what is found in them.

The shape of a table's values stands on the op that made it.
"""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import scalar
from graphgrad.tensors import Tensor

KINDS = ("HashTable", "MutableHashTable", "MutableHashTableOfTensors", "MutableDenseHashTable")

shapes(scalar, *[f"{kind}V2" for kind in KINDS], *[f"Anonymous{kind}" for kind in KINDS], "LookupTableSizeV2")


def table_of(handle: Tensor) -> Operation | None:
    """The op that made the table behind a handle, where the way to it is plain."""
    op = handle.op
    while op.type == "Identity":
        op = op.inputs[0].op
    return op if op.type.endswith(("HashTable", "HashTableV2", "OfTensors", "OfTensorsV2")) else None


def value_shape(table: Operation) -> Shape:
    """The shape of one value: a scalar but for tables of tensors."""
    return table.get("value_shape", ())  # type: ignore[no-any-return]


@shape("HashTable", "MutableHashTable", "MutableHashTableOfTensors", "MutableDenseHashTable")
def reference(op: Operation) -> Shape:
    return (2,)


@shape("LookupTableSize")
def size(op: Operation) -> Shape:
    return ()


@shape("LookupTableFindV2")
def find(op: Operation) -> Shape:
    """The keys' shape, where one key is a scalar, and then the value's."""
    table = table_of(op.inputs[0])
    if table is None or table.type in ("HashTableV2", "AnonymousHashTable"):
        return None
    if "MutableDense" in table.type and table.inputs[0].shape is None:  # of the empty key
        return None
    return dims.join(op.inputs[1].shape, value_shape(table))


@shape("LookupTableFind")
def find_by_reference(op: Operation) -> Shape:
    return None


@shape("LookupTableExport", "LookupTableExportV2")
def export(op: Operation) -> list[Shape]:
    return [None, None]
