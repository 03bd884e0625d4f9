"""Static shapes of ops that place, move and combine tensors over devices, meshes and replicas."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import same_as_first

shapes(
    same_as_first,
    *["CrossReplicaSum", "CollectivePermute", "Relayout", "RelayoutLike", "CopyToMesh", "CopyToMeshGrad"],
    *["NcclAllReduce", "NcclBroadcast", "NcclReduce", "XlaSharding", "XlaClusterOutput", "XlaSpmdFullToShardShape"],
)


@shape("AllToAll")
def all_to_all(op: Operation) -> Shape:
    x, count = op.inputs[0].shape, op["split_count"]
    concat, split = op["concat_dimension"], op["split_dimension"]
    if x is None or x[concat] is None or x[split] is None:
        return None
    found = list(x)
    found[concat] = dims.product(found[concat], count)
    found[split] = dims.quotient(found[split], count)
    return tuple(found)


@shape("XlaSpmdShardToFullShape")
def shard_to_full(op: Operation) -> Shape:
    return op["full_shape"]
