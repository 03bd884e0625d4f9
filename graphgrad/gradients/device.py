"""Gradients of ops that place, move and combine tensors over devices, meshes and replicas.

The transpose of moving data one way is moving it back; no gradient flows to what names the places.
"""

from __future__ import annotations

from typing import Any

from graphgrad.errors import ArgumentError, MissingGradientError
from graphgrad.graph import Operation
from graphgrad.registry import gradient, no_gradient
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor

no_gradient("TPUReplicatedInput", "XlaVariadicReduce")


# ---------------------------------------------------------------------- replicas
@gradient("AllToAll")
def all_to_all(g, op, dz):
    """Split and concatenated the other way round."""
    split, concat = op["split_dimension"], op["concat_dimension"]
    dx = g.AllToAll(dz, op.inputs[1], concat_dimension=split, split_dimension=concat, split_count=op["split_count"])
    return dx, None


@gradient("CrossReplicaSum")
def cross_replica_sum(g, op, dz):
    return g.CrossReplicaSum(dz, op.inputs[1]), None


@gradient("CollectivePermute")
def collective_permute(g, op, dz):
    """Sources and targets exchanged."""
    pairs = op.inputs[1][:, ::-1]
    return g.CollectivePermute(dz, pairs), None


# ---------------------------------------------------------------------- meshes
@gradient("Relayout")
def relayout(g, op, dz):
    return g.RelayoutLike(dz, op.inputs[0])


@gradient("RelayoutLike")
def relayout_like(g, op, dz):
    return g.RelayoutLike(dz, op.inputs[0]), None


@gradient("CopyToMesh")
def copy_to_mesh(g, op, dz):
    return g.CopyToMeshGrad(dz, op.inputs[0])


@gradient("CopyToMeshGrad")
def copy_to_mesh_grad(g, op, dz):
    return g.CopyToMeshGrad(dz, op.inputs[0]), None


# ---------------------------------------------------------------------- several GPUs
def refuse_but_sums(op: Operation) -> None:
    """Raises MissingGradientError where the op combines by something else than a sum."""
    if op["reduction"] != "sum":
        raise MissingGradientError(
            f"no gradient for op type {op.type!r} (node {op.name!r}) with reduction {op['reduction']!r}, only for 'sum'",
            [{"op": op.type, "node": op.name, "path": [op.name], "custom_gradient": None}],
        )


@gradient("NcclAllReduce")
def nccl_all_reduce(g, op, dz):
    refuse_but_sums(op)
    with g.on_device(op.device):
        return g.NcclAllReduce(
            g.dense(dz), reduction="sum", num_devices=op["num_devices"], shared_name=op["shared_name"] + "_grad"
        )


@gradient("NcclReduce")
def nccl_reduce(g, op, dz):
    refuse_but_sums(op)
    dz = g.dense(dz)
    with g.on_device(op.device):
        return [g.NcclBroadcast(dz, shape=dz.shape)] * len(op.inputs)


@gradient("NcclBroadcast")
def nccl_broadcast(g, op, dz):
    """The sum of what arrives is left to the devices: its summands are taken in place of it."""
    summands = dz.op.inputs if isinstance(dz, Tensor) and dz.op.type in ("AddN", "Identity") else [g.dense(dz)]
    with g.on_device(op.device):
        return g.NcclReduce(summands, reduction="sum")


# ---------------------------------------------------------------------- XLA
@gradient("XlaSharding")
def xla_sharding(g, op, dz):
    sharding = op["sharding"]
    sharded = g.op("XlaSharding", dz, sharding=sharding, unspecified_dims=op["unspecified_dims"])
    sharded.annotate("_XlaSharding", sharding)
    return sharded.outputs[0]


def spmd(op: Operation) -> dict[str, Any]:
    """The attributes that either direction has."""
    return {key: op[key] for key in ("manual_sharding", "dim", "unspecified_dims")}


@gradient("XlaSpmdFullToShardShape")
def xla_full_to_shard(g, op, dz):
    shape = op.inputs[0].shape
    if not dims.is_known(shape):
        raise ArgumentError(
            f"the gradient of {op.type} node {op.name!r} needs the full shape of its input, which is {dims.show(shape)}"
        )
    return g.XlaSpmdShardToFullShape(dz, full_shape=shape, **spmd(op))


@gradient("XlaSpmdShardToFullShape")
def xla_shard_to_full(g, op, dz):
    return g.XlaSpmdFullToShardShape(dz, **spmd(op))


@gradient("XlaClusterOutput")
def xla_cluster_output(g, op, dz):
    """The op hands its input on. TensorFlow refuses here, for the sake of speed."""
    return dz
