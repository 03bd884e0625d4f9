"""Recipes of what lives behind handles: hash tables, tensor lists, tensor arrays, stacks, optionals.

Each draw is a program that fills the thing, does what the op does, and reads everything that can be read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad import dtypes
from graphgrad.tensors import Tensor
from tests.oracle.kernel_draws.drawing import Drawer, Program, Recipe

Parts = tuple[list[Any], dict[str, Any], Program]

# ------------------------------------------------------------------------------------------------- tables

PAIRS = [
    ("int64", "float32"),
    ("string", "int64"),
    ("int64", "string"),
    ("string", "string"),
    ("int32", "int32"),
    ("string", "float32"),
    ("int64", "int64"),
]


def _keys(d: Drawer, dtype: str, count: int, among: int = 6) -> Any:
    if dtype == "string":
        return d.array("string", (count,), values=[b"a", b"b", b"c", b"dd", b"", b"e"])
    return d.random().integers(0, among, count).astype(dtype)


def _distinct(d: Drawer, dtype: str, count: int) -> Any:
    if dtype == "string":
        found = np.empty(count, object)
        found[:] = [b"a", b"b", b"c", b"dd", b"", b"e"][:count]
        return found
    return d.random().permutation(6)[:count].astype(dtype)


def table(maker: str, ref: bool, fixed: bool, width: bool, dense: bool) -> Recipe:
    """A table that is filled, asked, and, where it can change, changed; then its size and what it holds, in order."""

    def recipe(d: Drawer) -> Parts:
        key, value = d.pick([p for p in PAIRS if not dense or p in DENSE_PAIRS])
        shape = (d.integer(1, 3),) if "OfTensors" in maker or (width and d.flag()) else ()
        count = d.integer(1 if fixed else 0, 5)
        fill = _distinct(d, key, count)
        values = d.array(value, (count, *shape), corners=False)
        asked = _keys(d, key, d.integer(0, 5))
        default = d.array(value, shape, corners=False)
        attrs = {"key_dtype": dtypes.by_name(key), "value_dtype": dtypes.by_name(value)}
        if width:
            attrs["value_shape"] = shape
        d.types.clear()
        inputs = [fill, values, asked, default]
        if dense:
            inputs += [_sentinel(key, 0), _sentinel(key, 1)][: 1 if ref else 2]

        def program(
            g: Any, keys: Tensor, values: Tensor, asked: Tensor, default: Tensor, *marks: Tensor, **a: Any
        ) -> list[Tensor]:
            kind = {} if "Anonymous" in maker else {"shared_name": "table"}
            handle = g.op(maker, *marks, name="table", **kind, **a).outputs[0]
            v2 = "" if ref else "V2"
            filled = g.op(f"InitializeTable{v2}" if fixed else f"LookupTableInsert{v2}", handle, keys, values)
            with g.control_dependencies([filled]):
                size = g.op(f"LookupTableSize{v2}", handle).outputs[0]
                found = g.op(f"LookupTableFind{v2}", handle, asked, default).outputs[0]
            outputs = [size, found]
            if not fixed and not ref:
                with g.control_dependencies([found, size]):
                    removed = g.LookupTableRemoveV2(handle, asked)
                with g.control_dependencies([removed]):
                    outputs.append(g.LookupTableSizeV2(handle))
                    outputs.append(g.LookupTableFindV2(handle, keys, default))
            return outputs

        return inputs, attrs, program

    return recipe


DENSE_PAIRS = (("int64", "float32"), ("string", "int64"), ("int64", "int64"), ("string", "float32"))


def _sentinel(key: str, which: int) -> Any:
    found = np.empty((), object if key == "string" else key)
    found[()] = (b"<none>", b"<gone>")[which] if key == "string" else (-100, -200)[which]
    return found


# -------------------------------------------------------------------------------------------------- lists


def tensor_list(d: Drawer) -> Parts:
    """A list made of a tensor, changed as the op changes it, stacked."""
    shape, count = d.shape(0, 2, 3), d.integer(1, 4)
    dtype = d.pick(["float32", "int64", "bool", "complex64", "string"])
    x = d.array(dtype, (count, *shape), corners=False)
    item = d.array(dtype, shape, corners=False)
    at = np.int32(d.integer(0, count - 1))
    order = d.random().integers(0, count, d.integer(0, 4)).astype(np.int32)
    once = d.random().permutation(count).astype(np.int32)
    size = np.int32(d.integer(0, 5))
    element = np.array(shape, np.int32)
    op_type = d.op_type
    d.types.clear()

    def program(g: Any, *inputs: Tensor) -> list[Tensor]:
        x, item, at, order, once, size, element = inputs
        kind = x.dtype
        start = g.TensorListFromTensor(x, element, element_dtype=kind)

        def stack(handle: Tensor) -> Tensor:
            return g.TensorListStack(handle, element, element_dtype=kind)

        programs = {
            "TensorListFromTensor": lambda: [stack(start)],
            "TensorListStack": lambda: [stack(start)],
            "TensorListLength": lambda: [g.TensorListLength(start)],
            "TensorListElementShape": lambda: [g.TensorListElementShape(start, shape_type=dtypes.int32)],
            "TensorListGetItem": lambda: [g.TensorListGetItem(start, at, element, element_dtype=kind)],
            "TensorListSetItem": lambda: [stack(g.TensorListSetItem(start, at, item))],
            "TensorListPushBack": lambda: [stack(g.TensorListPushBack(start, item))],
            "TensorListPopBack": lambda: (lambda rest, last: [stack(rest), last])(
                *g.TensorListPopBack(start, element, element_dtype=kind)
            ),
            "TensorListGather": lambda: [g.TensorListGather(start, order, element, element_dtype=kind)],
            "TensorListScatter": lambda: [stack(g.TensorListScatter(x, once, element))],
            "TensorListScatterV2": lambda: [
                stack(g.TensorListScatterV2(x, once, element, g.constant(-1, dtypes.int32)))
            ],
            "TensorListScatterIntoExistingList": lambda: [stack(g.TensorListScatterIntoExistingList(start, x, once))],
            "TensorListConcatLists": lambda: [stack(g.TensorListConcatLists(start, start, element_dtype=kind))],
            "TensorListResize": lambda: [g.TensorListLength(g.TensorListResize(start, size))],
            "TensorListReserve": lambda: [
                stack(
                    g.TensorListSetItem(
                        g.TensorListReserve(element, g.constant(1, dtypes.int32), element_dtype=kind),
                        g.constant(0, dtypes.int32),
                        item,
                    )
                )
            ],
            "EmptyTensorList": lambda: [
                stack(
                    g.TensorListPushBack(
                        g.EmptyTensorList(element, g.constant(-1, dtypes.int32), element_dtype=kind), item
                    )
                )
            ],
        }
        return programs[op_type]()

    return [x, item, at, order, once, size, element], {}, program


def joined_list(d: Drawer) -> Parts:
    """A tensor cut into a list by lengths, and joined again."""
    lengths = np.array([d.integer(0, 3) for _ in range(d.integer(1, 4))], np.int64)
    shape = d.shape(0, 2, 3)
    x = d.array(d.pick(["float32", "int64", "string"]), (int(lengths.sum()), *shape), corners=False)
    op_type = d.op_type
    d.types.clear()

    def program(g: Any, x: Tensor, lengths: Tensor, element: Tensor, leading: Tensor) -> list[Tensor]:
        handle = g.TensorListSplit(x, element, lengths)
        if op_type == "TensorListConcat":
            return list(g.TensorListConcat(handle, element_dtype=x.dtype))
        return list(g.TensorListConcatV2(handle, element, leading, element_dtype=x.dtype))

    return [x, lengths, np.array([-1, *shape], np.int32), np.zeros(0, np.int64)], {}, program


# ------------------------------------------------------------------------------------------------- arrays


def tensor_array(version: str) -> Recipe:
    """A tensor array of this version, filled in one of the three ways, read in one of the three."""

    def recipe(d: Drawer) -> Parts:
        count, shape = d.integer(1, 4), (d.integer(1, 3), *d.shape(0, 1, 3))
        x = d.array(d.pick(["float32", "int64", "complex64", "string"]), (count, *shape), corners=False)
        order = d.random().permutation(count).astype(np.int32)
        at = np.int32(d.integer(0, count - 1))
        fill = d.pick(
            [f"TensorArray{w}{version}" for w in ("Scatter", "Split", "Unpack" if version == "" else "Scatter")]
        )
        read = d.pick(
            [
                f"TensorArray{w}{version}"
                for w in ("Gather", "Read", "Concat", "Size", "Pack" if version == "" else "Gather")
            ]
        )
        fill = d.op_type if any(w in d.op_type for w in ("Scatter", "Split", "Unpack", "Write")) else fill
        read = d.op_type if any(w in d.op_type for w in ("Gather", "Read", "Concat", "Size", "Pack")) else read
        read = f"TensorArrayRead{version}" if "Write" in fill else read
        d.types.clear()

        def program(g: Any, x: Tensor, order: Tensor, at: Tensor, lengths: Tensor, size: Tensor) -> list[Tensor]:
            made = g.op(f"TensorArray{version}", size, dtype=x.dtype)
            handle = made.outputs[0]
            flow = made.outputs[1] if version == "V3" else g.constant(0.0, dtypes.float32)
            flow = _filled(g, fill, handle, flow, x, order, at, lengths)
            reader = f"TensorArray{'Read' if 'Read' in read else 'X'}{version}"
            if read == reader:
                return [g.op(read, handle, at, flow, dtype=x.dtype).outputs[0]]
            if "Gather" in read:
                return [g.op(read, handle, order, flow, dtype=x.dtype).outputs[0]]
            if "Size" in read:
                return [g.op(read, handle, flow).outputs[0]]
            return list(g.op(read, handle, flow, dtype=x.dtype).outputs)

        lengths = np.full(count, 1, np.int64)
        return [x, order, at, lengths, np.int32(count)], {}, program

    return recipe


def _filled(
    g: Any, fill: str, handle: Tensor, flow: Tensor, x: Tensor, order: Tensor, at: Tensor, lengths: Tensor
) -> Tensor:
    if "Write" in fill:
        first = g.op("GatherV2", x, at, g.constant(0, dtypes.int32)).outputs[0]
        return g.op(fill, handle, at, first, flow).outputs[0]  # type: ignore[no-any-return]
    if "Scatter" in fill:
        return g.op(fill, handle, order, x, flow).outputs[0]  # type: ignore[no-any-return]
    if "Unpack" in fill:
        return g.op(fill, handle, x, flow).outputs[0]  # type: ignore[no-any-return]
    return g.op(fill, handle, x, lengths, flow).outputs[0]  # type: ignore[no-any-return]


def stack(d: Drawer) -> Parts:
    """Two tensors pushed, and one popped."""
    dtype = d.pick(["float32", "int64", "string"])
    a, b = d.array(dtype, d.shape(), corners=False), d.array(dtype, d.shape(), corners=False)
    v2 = d.op_type.endswith("V2")
    d.types.clear()

    def program(g: Any, a: Tensor, b: Tensor) -> list[Tensor]:
        if v2:
            handle = g.StackV2(g.constant(-1, dtypes.int32), elem_type=a.dtype, stack_name="s")
        else:
            handle = g.Stack(elem_type=a.dtype, stack_name="s")
        end = "V2" if v2 else ""
        with g.control_dependencies([g.op(f"StackPush{end}", handle, a)]):
            second = g.op(f"StackPush{end}", handle, b)
        with g.control_dependencies([second]):
            return [second.outputs[0], g.op(f"StackPop{end}", handle, elem_type=a.dtype).outputs[0]]

    return [a, b], {}, program


def optional(d: Drawer) -> Parts:
    x, y = d.array("float32", d.shape(), corners=False), d.array("string", d.shape())
    op_type = d.op_type

    def program(g: Any, x: Tensor, y: Tensor) -> list[Tensor]:
        handle = g.OptionalNone() if op_type == "OptionalNone" else g.OptionalFromValue([x, y])
        has = g.OptionalHasValue(handle)
        if op_type in ("OptionalNone", "OptionalHasValue"):
            return [has]
        types, shapes = (x.dtype, y.dtype), (None, None)
        return [has, *g.OptionalGetValue(handle, output_types=types, output_shapes=shapes)]

    return [x, y], {}, program


def _table(recipe: Recipe, *ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(" ".join(ops).split(), recipe)


MUTABLE = table("MutableHashTableV2", ref=False, fixed=False, width=False, dense=False)
ARRAY_WAYS = ["Write", "Read", "Gather", "Scatter", "Concat", "Split", "Size"]

RECIPES: dict[str, Recipe] = {
    **_table(
        table("HashTableV2", ref=False, fixed=True, width=False, dense=False),
        "HashTableV2 InitializeTableV2 LookupTableFindV2 LookupTableSizeV2",
    ),
    **_table(
        table("HashTable", ref=True, fixed=True, width=False, dense=False),
        "HashTable InitializeTable LookupTableFind LookupTableSize",
    ),
    "AnonymousHashTable": table("AnonymousHashTable", ref=False, fixed=True, width=False, dense=False),
    **_table(MUTABLE, "MutableHashTableV2 LookupTableInsertV2 LookupTableRemoveV2"),
    **_table(
        table("MutableHashTable", ref=True, fixed=False, width=False, dense=False), "MutableHashTable LookupTableInsert"
    ),
    "AnonymousMutableHashTable": table("AnonymousMutableHashTable", ref=False, fixed=False, width=False, dense=False),
    "MutableHashTableOfTensorsV2": table(
        "MutableHashTableOfTensorsV2", ref=False, fixed=False, width=True, dense=False
    ),
    "MutableHashTableOfTensors": table("MutableHashTableOfTensors", ref=True, fixed=False, width=True, dense=False),
    "AnonymousMutableHashTableOfTensors": table(
        "AnonymousMutableHashTableOfTensors", ref=False, fixed=False, width=True, dense=False
    ),
    "MutableDenseHashTableV2": table("MutableDenseHashTableV2", ref=False, fixed=False, width=True, dense=True),
    "AnonymousMutableDenseHashTable": table(
        "AnonymousMutableDenseHashTable", ref=False, fixed=False, width=True, dense=True
    ),
    **_table(
        tensor_list,
        """TensorListFromTensor TensorListStack TensorListLength TensorListElementShape TensorListGetItem
        TensorListSetItem TensorListPushBack TensorListPopBack TensorListGather TensorListScatter TensorListScatterV2
        TensorListScatterIntoExistingList TensorListConcatLists TensorListResize TensorListReserve EmptyTensorList""",
    ),
    **_table(joined_list, "TensorListSplit TensorListConcat TensorListConcatV2"),
    **_table(tensor_array("V3"), "TensorArrayV3", *[f"TensorArray{w}V3" for w in ARRAY_WAYS]),
    **_table(tensor_array("V2"), "TensorArrayV2", *[f"TensorArray{w}V2" for w in ARRAY_WAYS]),
    **_table(
        tensor_array(""), "TensorArray TensorArrayPack TensorArrayUnpack", *[f"TensorArray{w}" for w in ARRAY_WAYS]
    ),
    **_table(stack, "Stack StackPush StackPop StackV2 StackPushV2 StackPopV2"),
    **_table(optional, "OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone"),
}
