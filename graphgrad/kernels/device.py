"""Kernels of ops that place, move and combine tensors: this interpreter is one device, one replica, a mesh of one.

Whatever needs a partner it has not got is refused, naming what is missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]


@kernel("Relayout", "CopyToMesh", "XlaSharding", "XlaClusterOutput", "XlaSpmdFullToShardShape", "NcclBroadcast")
def handed_on(x):
    return x


@kernel("RelayoutLike", "CopyToMeshGrad")
def handed_on_as(x, like):
    return x


def _refuse_partners(groups: Array) -> None:
    if groups.ndim != 2 or groups.shape[1] > 1 or (groups.size and groups.max() > 0):
        raise ValueError(f"group_assignment {groups.tolist()} needs other replicas, and the interpreter is one replica")


@kernel("CrossReplicaSum")
def cross_replica_sum(x, groups):
    _refuse_partners(groups)
    return x


@kernel("AllToAll")
def all_to_all(x, groups, *, split_count):
    _refuse_partners(groups)
    if split_count != 1:
        raise ValueError(f"split_count = {split_count}, and the interpreter is one replica")
    return x


@kernel("CollectivePermute")
def collective_permute(x, pairs):
    """Zeros where nobody sends."""
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"source_target_pairs must have two columns, not shape {list(pairs.shape)}")
    if pairs.size and pairs.max() > 0:
        raise ValueError(
            f"source_target_pairs {pairs.tolist()} name other replicas, and the interpreter is one replica"
        )
    return x if len(pairs) else np.zeros_like(x)


@kernel("XlaSpmdShardToFullShape")
def shard_to_full(x, *, full_shape):
    fits = full_shape is None or (
        len(full_shape) == x.ndim and all(n in (None, m) for n, m in zip(full_shape, x.shape, strict=True))
    )
    if not fits:
        raise ValueError(f"a shard of shape {list(x.shape)} of {list(full_shape)} needs the other shards")
    return x


_COMBINE = {"sum": np.add, "prod": np.multiply, "min": np.minimum, "max": np.maximum}


@kernel("NcclReduce")
def nccl_reduce(inputs, *, reduction):
    combine = _COMBINE.get(reduction)
    if combine is None:
        raise ValueError(f"reduction must be one of {', '.join(_COMBINE)}, not {reduction!r}")
    total = inputs[0]
    for x in inputs[1:]:
        total = combine(total, x)
    return total


@kernel("NcclAllReduce")
def nccl_all_reduce(x, *, num_devices):
    if num_devices != 1:
        raise ValueError(f"num_devices = {num_devices}, and the interpreter is one device")
    return x
