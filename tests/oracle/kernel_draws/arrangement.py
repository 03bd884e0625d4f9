"""Recipes of what builds and arranges arrays: shapes, joining, splitting, padding, slicing, blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import INTS, Drawer, Recipe, Shape

Parts = tuple[list[Any], dict[str, Any]]


def broadcast_to(d: Drawer) -> Parts:
    shape = d.shape()
    return [d.array(d.dtype(), d.broadcast_to(shape)), d.given("Tidx", shape).reshape(-1)], {}


def check_numerics(d: Drawer) -> Parts:
    return [d.array(d.dtype(), d.shape())], {"message": "here"}


def _joined(d: Drawer, count: int, shape: Shape, axis: int) -> list[Any]:
    sizes = [tuple(d.dim() if i == axis else n for i, n in enumerate(shape)) for _ in range(count)]
    return [d.array(d.dtype(), s) for s in sizes]


def concat(d: Drawer) -> Parts:
    shape = d.shape(1)
    axis = d.axis(len(shape))
    values = _joined(d, d.integer(2, 4), shape, axis % len(shape))
    if d.op_type == "Concat":
        return [np.int32(axis), values], {}
    return [values, d.given("Tidx", axis)], {}


def concat_offset(d: Drawer) -> Parts:
    shape = d.shape(1)
    axis = d.axis(len(shape))
    sizes = [[d.dim() if i == axis % len(shape) else n for i, n in enumerate(shape)] for _ in range(d.integer(2, 4))]
    return [np.int32(axis), [d.given(d.types.get("shape_type", "int32"), s) for s in sizes]], {}


def transpose(d: Drawer) -> Parts:
    conjugates = d.op_type == "ConjugateTranspose"
    if conjugates and d.dtype() == "string":  # which ends the process of TensorFlow, as scalars do
        d.types["T"] = "complex64"
    shape = d.shape(1 if conjugates else 0)
    order = d.axes(len(shape), least=len(shape))
    return [d.array(d.dtype(), shape), d.given("Tperm", order).reshape(-1)], {}


def empty(d: Drawer) -> Parts:
    return [np.array(d.shape(), np.int32)], {"init": True}


def ensure_shape(d: Drawer) -> Parts:
    shape = d.shape()
    wanted = d.pick([None, shape, tuple(None if d.flag() else n for n in shape)])
    return [d.array(d.dtype(), shape)], {"shape": wanted}


def default_placeholder(d: Drawer) -> Parts:
    shape = d.shape()
    return [d.array(d.dtype("dtype"), shape)], {"shape": tuple(None if d.flag() else n for n in shape)}


def expand_dims(d: Drawer) -> Parts:
    shape = d.shape(0, 3)
    return [d.array(d.dtype(), shape), d.given("Tdim", d.integer(-len(shape) - 1, len(shape)))], {}


def fill(d: Drawer) -> Parts:
    return [d.given("index_type", d.shape()).reshape(-1), d.array(d.dtype(), ())], {}


def identities(d: Drawer) -> Parts:
    return [[d.array(d.pick(["float32", "int64", "string"]), d.shape()) for _ in range(d.integer(1, 3))]], {}


def invert_permutation(d: Drawer) -> Parts:
    count = d.integer(0, 6)
    return [d.given("T", d.random().permutation(count))], {}


def lin_space(d: Drawer) -> Parts:
    return [d.array(d.dtype(), (), corners=False) for _ in range(2)] + [d.given("Tidx", d.integer(1, 6))], {}


def list_diff(d: Drawer) -> Parts:
    return [d.array(d.dtype(), (d.dim(8),), corners=False) for _ in range(2)], {}


def sorted_search(d: Drawer) -> Parts:
    rows = d.dim(3)
    edges = np.sort(d.array(d.dtype(), (rows, d.dim(6)), corners=False), -1)
    return [edges, d.array(d.dtype(), (rows, d.dim(6)), corners=False)], {}


def one_hot(d: Drawer) -> Parts:
    shape = d.shape(0, 3)
    indices = d.array(d.dtype("TI"), shape, -1, 5, corners=False)
    return [indices, np.int32(d.integer(0, 5)), d.array(d.dtype(), ()), d.array(d.dtype(), ())], {
        "axis": d.integer(-1, len(shape))
    }


def pack(d: Drawer) -> Parts:
    shape = d.shape(0, 3)
    values = [d.array(d.dtype(), shape) for _ in range(d.integer(1, 4))]
    return [values], {"axis": d.integer(-len(shape) - 1, len(shape))}


def parallel_concat(d: Drawer) -> Parts:
    shape, count = d.shape(0, 3), d.integer(1, 4)
    return [[d.array(d.dtype(), (1, *shape)) for _ in range(count)]], {"shape": (count, *shape)}


def span(d: Drawer) -> Parts:
    dtype = d.dtype("Tidx")
    unsigned = dtype.startswith("uint")
    delta = d.integer(1, 3) if unsigned or d.flag() else -d.integer(1, 3)
    ends = sorted([d.integer(0 if unsigned else -8, 12), d.integer(0 if unsigned else -8, 12)])
    ends = ends if delta > 0 else ends[::-1]
    scale = 1 if dtype in INTS else 0.75
    return [d.given("Tidx", v) for v in (ends[0], ends[1], delta * scale)], {}


def reshape(d: Drawer) -> Parts:
    shape = d.shape()
    size = int(np.prod(shape))
    new: list[int] = []
    rest = size
    while rest > 1 and len(new) < 3:
        factors = [n for n in range(1, rest + 1) if rest % n == 0]
        new.append(d.pick(factors))
        rest //= new[-1]
    new.append(rest)
    if size and d.flag():
        new[d.integer(0, len(new) - 1)] = -1
    return [d.array(d.dtype(), shape), d.given("Tshape", new)], {}


def any_shape(d: Drawer) -> Parts:
    return [d.array(d.dtype(), d.shape())], {}


def many_shapes(d: Drawer) -> Parts:
    return [[d.array(d.dtype(), d.shape()) for _ in range(d.integer(1, 3))]], {}


def split(d: Drawer) -> Parts:
    shape, parts = list(d.shape(1)), d.integer(1, 3)
    axis = d.axis(len(shape))
    shape[axis] *= parts
    return [np.int32(axis), d.array(d.dtype(), shape)], {"num_split": parts}


def split_v(d: Drawer) -> Parts:
    shape, sizes = list(d.shape(1)), [d.integer(0, 3) for _ in range(d.integer(1, 3))]
    axis = d.axis(len(shape))
    shape[axis] = sum(sizes)
    if d.flag():
        sizes[d.integer(0, len(sizes) - 1)] = -1
    if d.dtype("Tlen") == "int8":  # of which TensorFlow dies
        d.types["Tlen"] = "int64"
    return [d.array(d.dtype(), shape), d.given("Tlen", sizes), np.int32(axis)], {"num_split": len(sizes)}


def squeeze(d: Drawer) -> Parts:
    shape = tuple(1 if d.flag() else n for n in d.shape())
    ones = [i for i, n in enumerate(shape) if n == 1]
    chosen = [i - len(shape) if d.flag() else i for i in ones if d.flag()]
    return [d.array(d.dtype(), shape)], {"squeeze_dims": chosen}


def tile(d: Drawer) -> Parts:
    shape = d.shape()
    return [d.array(d.dtype(), shape), d.given("Tmultiples", [d.integer(0, 3) for _ in shape]).reshape(-1)], {}


def unique(d: Drawer) -> Parts:
    return [d.array(d.dtype(), (d.dim(9),), corners=False)], {}


def unique_v2(d: Drawer) -> Parts:
    shape = d.shape(1, 3, 3)
    return [d.array(d.dtype(), shape, 0, 1.4, corners=False), d.given("Taxis", [d.axis(len(shape))])], {}


def unpack(d: Drawer) -> Parts:
    shape = d.shape(1)
    axis = d.axis(len(shape))
    return [d.array(d.dtype(), shape)], {"axis": axis, "num": shape[axis]}


def unravel(d: Drawer) -> Parts:
    dims = [d.integer(1, 4) for _ in range(d.integer(1, 3))]
    return [d.indices(d.dtype("Tidx"), d.shape(0, 1, 6), int(np.prod(dims)), wrong=False), d.given("Tidx", dims)], {}


def where(d: Drawer) -> Parts:
    return [d.array(d.dtype(), d.shape(1), -1, 1)], {}


def slices(d: Drawer) -> Parts:
    shape = d.shape(1)
    begin = [d.integer(0, n) for n in shape]
    size = [d.pick([-1, d.integer(0, n - b)]) for n, b in zip(shape, begin, strict=True)]
    return [d.array(d.dtype(), shape), d.given("Index", begin), d.given("Index", size)], {}


def _sparse_slice(d: Drawer, rank: int) -> tuple[list[list[int]], dict[str, int]]:
    """begin, end and strides of a slice with masks, that fits a tensor of the rank."""
    entries = d.integer(0, rank)
    masks = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0)
    begin, end, strides = [], [], []
    used = 0
    while used < entries or (d.rarely() and len(begin) < 5):
        kind, bit = d.integer(0, 9), 1 << len(begin)
        masks["begin_mask"] |= bit if d.rarely() else 0
        masks["end_mask"] |= bit if d.rarely() else 0
        if kind == 9:
            masks["new_axis_mask"] |= bit
        elif kind == 8 and not masks["ellipsis_mask"]:
            masks["ellipsis_mask"] |= bit
        elif used < entries:
            masks["shrink_axis_mask"] |= bit if kind == 7 else 0
            used += 1
        else:
            break
        begin.append(d.integer(-5, 4))
        end.append(d.integer(-5, 5))
        strides.append(1 if masks["shrink_axis_mask"] & bit else d.pick([1, 2, -1, -2, 3]))
    return [begin, end, strides], masks


def strided_slice(d: Drawer) -> Parts:
    shape = d.shape()
    places, masks = _sparse_slice(d, len(shape))
    return [d.array(d.dtype(), shape), *(d.given("Index", p).reshape(-1) for p in places)], masks


def _sliced(shape: Shape, places: list[list[int]], masks: dict[str, int]) -> Shape | None:
    index: list[Any] = []
    for i, (b, e, s) in enumerate(zip(*places, strict=True)):
        bit = 1 << i
        if masks["ellipsis_mask"] & bit:
            index.append(Ellipsis)
        elif masks["new_axis_mask"] & bit:
            index.append(None)
        elif masks["shrink_axis_mask"] & bit:
            index.append(b)
        else:
            index.append(slice(None if masks["begin_mask"] & bit else b, None if masks["end_mask"] & bit else e, s))
    try:
        return np.empty(shape)[tuple(index)].shape
    except IndexError:
        return None


def strided_slice_of(d: Drawer) -> Parts:
    """The gradient of a slice, or an update of one: something of the slice's shape goes into a tensor."""
    shape = d.shape()
    places, masks = _sparse_slice(d, len(shape))
    given = [d.given("Index", p).reshape(-1) for p in places]
    dy = d.array(d.dtype(), _sliced(shape, places, masks) or ())
    if d.op_type == "StridedSliceGrad":
        return [d.given("Index", shape).reshape(-1), *given, dy], masks
    return [d.array(d.dtype(), shape), *given, dy], masks


def pad(d: Drawer) -> Parts:
    shape = d.shape(0, 4, 3)
    widths = d.given("Tpaddings", [[d.integer(0, 2), d.integer(0, 2)] for _ in shape]).reshape(-1, 2)
    extra = [d.array(d.dtype(), ())] if d.op_type == "PadV2" else []
    return [d.array(d.dtype(), shape), widths, *extra], {}


def mirror_pad(d: Drawer) -> Parts:
    shape, mode = tuple(d.integer(1, 4) for _ in range(d.integer(0, 4))), d.pick(["REFLECT", "SYMMETRIC"])
    most = [n - 1 if mode == "REFLECT" else n for n in shape]
    widths = [[d.integer(0, m), d.integer(0, m)] for m in most]
    if d.op_type == "MirrorPadGrad":
        shape = tuple(n + a + b for n, (a, b) in zip(shape, widths, strict=True))
    return [d.array(d.dtype(), shape, corners=False), d.given("Tpaddings", widths).reshape(-1, 2)], {"mode": mode}


def reverse(d: Drawer) -> Parts:
    shape = d.shape()
    return [d.array(d.dtype(), shape), d.array("bool", (len(shape),))], {}


def reverse_v2(d: Drawer) -> Parts:
    shape = d.shape()
    return [d.array(d.dtype(), shape), d.given("Tidx", d.axes(len(shape))).reshape(-1)], {}


def reverse_sequence(d: Drawer) -> Parts:
    shape = d.shape(2)
    batch, seq = d.axes(len(shape), least=2)[:2]
    rank = len(shape)
    lengths = d.array(d.dtype("Tlen"), (shape[batch],), 0, shape[seq], corners=False)
    return [d.array(d.dtype(), shape), lengths], {"batch_dim": batch % rank, "seq_dim": seq % rank}


def roll(d: Drawer) -> Parts:
    shape = d.shape(1)
    axes: Any = [d.axis(len(shape)) for _ in range(d.integer(1, 3))]
    shifts: Any = [d.integer(-6, 6) for _ in axes]
    if len(axes) == 1 and d.flag():
        axes, shifts = axes[0], shifts[0]
    return [d.array(d.dtype(), shape), d.given("Tshift", shifts), d.given("Taxis", axes)], {}


def depth(d: Drawer) -> Parts:
    block, first = d.integer(2, 3), d.rarely()
    sizes = [d.integer(1, 2) * (block if d.op_type == "SpaceToDepth" else 1) for _ in range(2)]
    channels = d.integer(1, 2) * (1 if d.op_type == "SpaceToDepth" else block * block)
    shape = (d.integer(1, 2), channels, *sizes) if first else (d.integer(1, 2), *sizes, channels)
    return [d.array(d.dtype(), shape)], {"block_size": block, "data_format": "NCHW" if first else "NHWC"}


def blocks(d: Drawer) -> Parts:
    """SpaceToBatchND or BatchToSpaceND, and their first versions for images."""
    nd, back = d.op_type.endswith("ND"), d.op_type.startswith("BatchToSpace")
    spatial = d.integer(1, 3) if nd else 2
    block = [d.integer(1, 3) for _ in range(spatial)] if nd else [d.integer(2, 3)] * spatial
    widths = [[d.integer(0, 2), d.integer(0, 2)] for _ in range(spatial)]
    whole = [d.integer(1, 2) * b for b in block]
    whole = [w + b * -(-sum(p) // b) for w, b, p in zip(whole, block, widths, strict=True)]
    rest = d.shape(0, 2, 2) if nd else (d.integer(1, 2),)
    batch = d.integer(1, 2)
    if back:
        batch *= int(np.prod(block))
        sizes = [w // b for w, b in zip(whole, block, strict=True)]
    else:
        sizes = [w - sum(p) for w, p in zip(whole, widths, strict=True)]
    x = d.array(d.dtype(), (batch, *sizes, *rest))
    if not nd:
        return [x, d.given(next(iter({"Tidx", "Tpaddings"} & d.types.keys())), widths)], {"block_size": block[0]}
    last = "Tcrops" if back else "Tpaddings"
    return [x, d.given("Tblock_shape", block), d.given(last, widths)], {}


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


RECIPES: dict[str, Recipe] = {
    "BroadcastTo": broadcast_to,
    **_table(check_numerics, "CheckNumerics CheckNumericsV2"),
    **_table(concat, "Concat ConcatV2"),
    "ConcatOffset": concat_offset,
    **_table(transpose, "Transpose ConjugateTranspose"),
    "Empty": empty,
    "EnsureShape": ensure_shape,
    "PlaceholderWithDefault": default_placeholder,
    "ExpandDims": expand_dims,
    "Fill": fill,
    "IdentityN": identities,
    "InvertPermutation": invert_permutation,
    "LinSpace": lin_space,
    "ListDiff": list_diff,
    **_table(sorted_search, "LowerBound UpperBound"),
    "OneHot": one_hot,
    "Pack": pack,
    "ParallelConcat": parallel_concat,
    "Range": span,
    "Reshape": reshape,
    **_table(any_shape, "Rank Shape Size"),
    "ShapeN": many_shapes,
    "Split": split,
    "SplitV": split_v,
    "Squeeze": squeeze,
    "Tile": tile,
    **_table(unique, "Unique UniqueWithCounts"),
    **_table(unique_v2, "UniqueV2 UniqueWithCountsV2"),
    "Unpack": unpack,
    "UnravelIndex": unravel,
    "Where": where,
    "Slice": slices,
    "StridedSlice": strided_slice,
    **_table(strided_slice_of, "StridedSliceGrad TensorStridedSliceUpdate"),
    **_table(pad, "Pad PadV2"),
    **_table(mirror_pad, "MirrorPad MirrorPadGrad"),
    "Reverse": reverse,
    "ReverseV2": reverse_v2,
    "ReverseSequence": reverse_sequence,
    "Roll": roll,
    **_table(depth, "DepthToSpace SpaceToDepth"),
    **_table(blocks, "BatchToSpace BatchToSpaceND SpaceToBatch SpaceToBatchND"),
}
