"""Lists of tensors, tensor arrays and optionals: what carries tensors from one op to another."""

from __future__ import annotations

from typing import Any

from graphgrad.tensors import Tensor
from tests.cases import LAST_VERSIONS
from tests.oracle.draws import ALL, Drawer, sketch

NUMBERS = ("float32", "float32", "float64", "float32", "float64", *ALL)


def rows(d: Drawer, count: int = 3, rank: int | None = None) -> Tensor:
    return d.tensor(
        (count, *(d.integer(1, 3) for _ in range(d.integer(0, 2) if rank is None else rank))), d.pick(*NUMBERS)
    )


def element(d: Drawer, x: Tensor, *kinds: str) -> Tensor:
    """The elements' shape, as an op is told it."""
    shape, kind = list(d.value(x).shape[1:]), d.pick("int32", *kinds)
    return d.pick(d.index(shape, kind), d.const(-1, kind), d.const([-1] * len(shape), kind))


def of_rows(d: Drawer, x: Tensor) -> Tensor:
    return d.g.TensorListFromTensor(x, element(d, x, "int64"))


def stack(d: Drawer, handle: Tensor, x: Tensor, count: int) -> list[Tensor]:
    number = d.pick(-1, count)
    return d.op("TensorListStack", handle, element(d, x), element_dtype=x.dtype, num_elements=number)


def item_like(d: Drawer, x: Tensor) -> Tensor:
    return d.tensor(d.value(x).shape[1:], x.dtype.name)


@sketch("TensorListFromTensor", "TensorListStack")
def from_tensor(d: Drawer, op: str) -> Any:
    x = rows(d)
    return stack(d, of_rows(d, x), x, 3)


@sketch("TensorListPushBack")
def push(d: Drawer, op: str) -> Any:
    x = rows(d)
    handle = of_rows(d, x)
    for _ in range(d.integer(1, 2)):
        handle = d.g.TensorListPushBack(handle, item_like(d, x))
    return d.op("TensorListStack", handle, element(d, x), element_dtype=x.dtype)


@sketch("TensorListPopBack")
def pop(d: Drawer, op: str) -> Any:
    x = rows(d)
    handle, last = d.g.TensorListPopBack(of_rows(d, x), element(d, x), element_dtype=x.dtype)
    return [last, *stack(d, handle, x, 2)] if d.chance(0.6) else [last]


@sketch("TensorListGetItem")
def get(d: Drawer, op: str) -> Any:
    x = rows(d)
    return d.op(op, of_rows(d, x), d.index(d.integer(0, 2), "int32"), element(d, x), element_dtype=x.dtype)


@sketch("TensorListSetItem")
def put(d: Drawer, op: str) -> Any:
    x = rows(d)
    handle = d.g.TensorListSetItem(
        of_rows(d, x), d.index(d.integer(0, 2), "int32"), item_like(d, x), resize_if_index_out_of_bounds=d.chance(0.3)
    )
    return stack(d, handle, x, 3)


@sketch("TensorListResize")
def resize(d: Drawer, op: str) -> Any:
    x, count = rows(d), d.integer(1, 4)
    handle = d.g.TensorListResize(of_rows(d, x), d.index(count, "int32"))
    return stack(d, handle, x, count)


@sketch("TensorListGather")
def gather(d: Drawer, op: str) -> Any:
    x = rows(d)
    indices = d.index(d.rng.integers(0, 3, d.integer(1, 4)), "int32")
    return d.op(op, of_rows(d, x), indices, element(d, x), element_dtype=x.dtype)


@sketch("TensorListScatter", "TensorListScatterV2", "TensorListScatterIntoExistingList")
def scatter(d: Drawer, op: str) -> Any:
    x = rows(d)
    indices = d.index(d.rng.permutation(3), "int32")
    if op == "TensorListScatter":
        return stack(d, d.g.TensorListScatter(x, indices, element(d, x, "int64")), x, 3)
    if op == "TensorListScatterV2":
        return stack(
            d, d.g.TensorListScatterV2(x, indices, element(d, x, "int64"), d.index(d.pick(3, -1), "int32")), x, 3
        )
    old = d.tensor(d.value(x).shape, x.dtype.name)
    return stack(d, d.g.TensorListScatterIntoExistingList(of_rows(d, old), x, indices), x, 3)


@sketch("TensorListSplit", "TensorListConcat", "TensorListConcatV2")
def split(d: Drawer, op: str) -> Any:
    lengths = [d.integer(1, 2) for _ in range(d.integer(1, 3))]
    x = d.tensor((sum(lengths), *(d.integer(1, 3) for _ in range(d.integer(0, 1)))), d.pick(*NUMBERS))
    inner = list(d.value(x).shape[1:])
    handle = d.g.TensorListSplit(x, d.const([-1, *inner]), d.index(lengths, "int64"))
    if op == "TensorListConcat":
        return d.op(op, handle, element_dtype=x.dtype, element_shape=d.pick(None, (None, *inner)))
    return d.op(
        "TensorListConcatV2",
        handle,
        d.const([-1, *inner]),
        d.const(d.pick([], lengths), "int64"),
        element_dtype=x.dtype,
    )


ARRAY_OPS = [
    f"TensorArray{name}{v}"
    for name in ("Write", "Read", "Scatter", "Gather", "Split", "Concat")
    for v in ("", "V2", "V3")
]


@sketch(*ARRAY_OPS)
def tensor_array(d: Drawer, op: str) -> Any:
    version = op[-2:] if op[-2] == "V" else ""
    name = op.removesuffix(version).removeprefix("TensorArray")
    d.graph.message.versions.producer = LAST_VERSIONS.get(op, 2300)
    x = rows(d, rank=d.integer(0, 1) if name in ("Split", "Concat") else None)
    made = getattr(d.g, f"TensorArray{version}")(
        d.const(3), dtype=x.dtype, dynamic_size=False, clear_after_read=False, tensor_array_name="t"
    )
    handle, flow = made if version == "V3" else (made, d.const(0.0, "float32"))

    def call(what: str, *operands: Any, **attrs: Any) -> Any:
        return getattr(d.g, f"TensorArray{what}{version}")(handle, *operands, **attrs)

    if name in ("Write", "Read"):
        for i in range(3):
            flow = call("Write", d.index(i, "int32"), item_like(d, x), flow)
        return [call("Read", d.index(i, "int32"), flow, dtype=x.dtype) for i in range(d.integer(1, 3))]
    if name in ("Scatter", "Gather"):
        flow = call("Scatter", d.index(d.rng.permutation(3), "int32"), x, flow)
        return [call("Gather", d.index(d.rng.permutation(3)[: d.integer(1, 3)], "int32"), flow, dtype=x.dtype)]
    flow = call("Split", x, d.index([1, 1, 1], "int64"), flow)
    return [call("Concat", flow, dtype=x.dtype)[0]]


@sketch("OptionalFromValue", "OptionalGetValue")
def optional(d: Drawer, op: str) -> Any:
    parts = [d.tensor(d.shape(), d.pick(*NUMBERS)) for _ in range(d.integer(1, 2))]
    handle = d.g.OptionalFromValue(parts)
    return d.op(
        "OptionalGetValue",
        handle,
        output_types=tuple(p.dtype for p in parts),
        output_shapes=tuple(p.shape for p in parts),
    )


@sketch("RandomGamma")
def gamma(d: Drawer, op: str) -> Any:
    alpha = d.tensor(d.shape(0, 2), d.dtype(op), 0.5, 3)
    d.numbers = False
    return d.op(op, d.index(list(d.dims(d.integer(0, 2)))), alpha, seed=d.integer(0, 9), seed2=d.integer(0, 9))


def shape_ending_in(d: Drawer, shape: tuple[int, ...]) -> list[int]:
    return [*d.dims(d.integer(0, 2)), *shape]


@sketch("StatelessRandomGammaV2", "StatelessRandomGammaV3")
def stateless_gamma(d: Drawer, op: str) -> Any:
    alpha_shape = d.shape(0, 2)
    dtype = d.dtype(op, "dtype")
    shape = d.index(shape_ending_in(d, alpha_shape))
    alpha = d.tensor(alpha_shape, dtype, 0.5, 3)
    if op.endswith("V2"):
        return d.op(op, shape, d.index([d.integer(0, 99), 7]), alpha)
    key, counter = d.const([d.integer(0, 99)], "uint64"), d.const([1, 2], "uint64")
    return d.op(op, shape, key, counter, d.const(1), alpha)


@sketch("StatelessParameterizedTruncatedNormal")
def truncated(d: Drawer, op: str) -> Any:
    whole, dtype = d.shape(0, 2), d.dtype(op, "dtype")
    shape = d.index(shape_ending_in(d, whole))
    seed = d.index([d.integer(0, 99), 7])
    parts = [d.narrowed(whole) if d.chance(0.5) else whole for _ in range(4)]
    limits = [(-0.5, 0.5), (0.5, 1.5), (-2.0, -1.0), (1.0, 2.0)]
    return d.op(op, shape, seed, *(d.tensor(p, dtype, *limit) for p, limit in zip(parts, limits, strict=True)))


@sketch("CompositeTensorVariantFromComponents", "CompositeTensorVariantToComponents")
def composite(d: Drawer, op: str) -> Any:
    d.numbers = False
    parts = [d.tensor(d.shape(), d.pick(*NUMBERS)) for _ in range(d.integer(1, 2))]
    handle = d.g.CompositeTensorVariantFromComponents(parts, metadata="")
    return d.op("CompositeTensorVariantToComponents", handle, metadata="", Tcomponents=tuple(p.dtype for p in parts))


@sketch("NcclAllReduce", "NcclReduce", "NcclBroadcast")
def nccl(d: Drawer, op: str) -> Any:
    d.numbers = False
    shape, dtype = d.shape(), d.dtype(op)
    x = d.tensor(shape, dtype)
    with d.g.on_device("/device:GPU:0" if d.chance(0.9) else ""):  # else TensorFlow raises
        return reduced(d, op, x)


def reduced(d: Drawer, op: str, x: Tensor) -> Any:
    shape, dtype = d.value(x).shape, x.dtype.name
    if op == "NcclAllReduce":
        return d.op(
            op, x, reduction=d.pick("sum", "sum", "prod"), num_devices=d.integer(1, 3), shared_name=d.pick("all", "a")
        )
    if op == "NcclReduce":
        others = [d.tensor(shape, dtype) for _ in range(d.integer(0, 2))]
        return d.op(op, [x, *others], reduction=d.pick("sum", "sum", "prod"))
    return d.op(op, x, shape=shape)
