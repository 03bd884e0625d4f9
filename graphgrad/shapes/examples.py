"""Static shapes of features taken out of serialized examples: a batch in front of what each feature is."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import same_as_first, scalar, unknown

shapes(same_as_first, "DecodeJSONExample")
shapes(scalar, "SerializeTensor")
shapes(unknown, "ParseTensor")


def batch_of(op: Operation) -> Shape:
    """The examples an op reads: one, a vector of them, or, in the second versions, either."""
    if op.type.startswith("ParseSingle"):
        return ()
    given = op.inputs[0].shape
    return given if op.type.endswith("V2") else dims.merge((None,), given)


def sparse(batch: Shape, count: int, steps: int = 0) -> list[Shape]:
    """Indices, values and shapes of so many features; `steps` is 1 for lists of them."""
    rank = None if batch is None else len(batch) + 1 + steps
    return [(None, rank)] * count + [(None,)] * count + [(rank,)] * count


def ragged(batch: Shape, count: int) -> list[Shape]:
    """Values and splits, which a lone example does not need."""
    return [(None,)] * count + [splits(batch)] * count


def splits(batch: Shape) -> Shape:
    return (dims.total(batch[0], 1) if batch else None,)


def dense(batch: Shape, declared: tuple[Shape, ...], *between: None) -> list[Shape]:
    return [dims.join(batch, between, inner) for inner in declared]


@shape("ParseExample", "ParseExampleV2", "ParseSingleExample")
def parse_example(op: Operation) -> list[Shape]:
    batch = batch_of(op)
    found = [*sparse(batch, len(op["sparse_types"])), *dense(batch, op["dense_shapes"])]
    return found + ragged(batch, len(op["ragged_value_types"])) if op.type == "ParseExampleV2" else found


@shape("ParseSequenceExample", "ParseSequenceExampleV2", "ParseSingleSequenceExample")
def parse_sequence_example(op: Operation) -> list[Shape]:
    batch = batch_of(op)
    found = [*sparse(batch, len(op["context_sparse_types"])), *dense(batch, op["context_dense_shapes"])]
    v2 = op.type == "ParseSequenceExampleV2"
    if v2:
        found += ragged(batch, len(op["context_ragged_value_types"]))
    found += sparse(batch, len(op["feature_list_sparse_types"]), 1)
    found += dense(batch, op["feature_list_dense_shapes"], None)
    if op.type != "ParseSingleSequenceExample":
        found += [batch] * len(op["feature_list_dense_types"])
    if v2:
        count = len(op["feature_list_ragged_value_types"])
        found += [(None,)] * count + [splits(batch)] * count + [(None,)] * count
    return found
