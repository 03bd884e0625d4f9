"""Ops that place, move and combine tensors: TensorFlow's CPU builds their gradients and runs none of them."""

from tests.cases import case, const, f32

_ALONE = const([[0]])

CASES = [
    case("AllToAll", f32(4, 2), _ALONE, concat_dimension=0, split_dimension=1, split_count=1),
    case("CrossReplicaSum", f32(4, 2), _ALONE),
    case("CollectivePermute", f32(4, 2), const([[0, 0]])),
    case("Relayout", f32(4, 2), layout="sharding_specs:x,y, mesh:|x=1,y=1|*CPU"),
    case("RelayoutLike", f32(4, 2), f32(4, 2)),
    case("CopyToMesh", f32(4, 2), mesh="m"),
    case("CopyToMeshGrad", f32(4, 2), f32(4, 2)),
    case("XlaSharding", f32(4, 2), sharding="", unspecified_dims=[1]),
    case("XlaSpmdFullToShardShape", f32(4, 2), manual_sharding="", dim=0),
    case("XlaSpmdShardToFullShape", f32(4, 2), manual_sharding="", full_shape=(4, 2)),
    case("XlaClusterOutput", f32(4, 2)),
    case("NcclAllReduce", f32(2), reduction="sum", num_devices=1, shared_name="all"),
    case("NcclReduce", [f32(2), f32(2)], reduction="sum"),
    case("NcclBroadcast", f32(2), shape=(2,)),
]
