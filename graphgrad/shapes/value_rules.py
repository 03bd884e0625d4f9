"""Rules for static values: shape arithmetic followed through the graph, and constants through the ops' kernels."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable
from typing import Any

from graphgrad import dtypes, registry
from graphgrad.graph import Operation
from graphgrad.shapes import dims
from graphgrad.shapes.common import first_variable_shape, small_constant
from graphgrad.shapes.values import FOLLOWED, Value, complete, scalar
from graphgrad.tensors import Tensor

LIMIT = 4096  # elements; shapes, axes and permutations are far smaller

Found = Value | list[Value | None] | None
_RULES: dict[str, Callable[[Operation], Found]] = {}
_KINDS = frozenset(
    {dtypes.int32, dtypes.int64, dtypes.bool_, dtypes.float32, dtypes.float64, dtypes.int16, dtypes.int8, dtypes.uint8}
)


def _value(*op_types: str) -> Callable[[Callable[[Operation], Found]], Callable[[Operation], Found]]:
    def register(rule: Callable[[Operation], Found]) -> Callable[[Operation], Found]:
        for op_type in op_types:
            _RULES[op_type] = rule
        return rule

    return register


def may_be_known(op: Operation) -> bool:
    """Whether anything may be known of the operation's values."""
    if not op.outputs or op.outputs[0].dtype not in _KINDS:
        return False
    return op.type in _RULES or _may_be_run(op)


def _may_be_run(op: Operation) -> bool:
    """Whether the op could be run on constants."""
    if not op.inputs or registry.is_control_flow(op.type) or op.type == "PlaceholderWithDefault":
        return False
    return op.signature is not None and not op.signature.is_stateful


def of(op: Operation) -> list[Value | None] | None:
    """The values of the outputs of an op by its rule, else by its kernel on constants; None where none is known."""
    rule = _RULES.get(op.type)
    found = None if rule is None else rule(op)
    if found is None and _may_be_run(op) and all((v := t.value) is not None and v.is_constant for t in op.inputs):
        from graphgrad.runtime import folding  # brings numpy, which few graphs need before they are run

        found = folding.fold(op)
    if found is None:
        return None
    found = found if isinstance(found, list) else [found]
    is_run = _is_run(op)
    return [None if v is None else _marked(op, v, is_run) for v in found]


def _marked(op: Operation, value: Value, is_run: bool) -> Value | None:
    if len(value.flat) > LIMIT or not (is_run or value.by_python or op.type in FOLLOWED):
        return None
    is_constant = is_run and value.is_complete
    is_followed = op.type in FOLLOWED and not (is_constant and op.type == "Cast")
    return value._replace(is_constant=is_constant, followed=value.followed if is_followed else None)


def _is_run(op: Operation) -> bool:
    """Whether TensorFlow's shape functions run the op: on constants, on static shapes, and to pick one dimension."""
    if op.type in ("Const", "Rank", "Size"):
        return True
    if op.type == "Shape":
        shape = _shape_when_run(op.inputs[0])
        return shape is not None and None not in shape
    if op.type in ("ShapeN", "VariableShape"):
        return False
    if op.inputs[0].op.type == "Shape" and (op.type == "Unpack" or _picks_one(op)):
        return True
    return all((v := t.value) is not None and v.is_constant for t in op.inputs)


def _picks_one(op: Operation) -> bool:
    """Whether this is `shape[i]`, with `i` standing in a Const beside it."""
    if op.type != "StridedSlice" or op.inputs[1].op.type != "Const" or not op["shrink_axis_mask"]:
        return False
    return not (op["begin_mask"] or op["end_mask"] or op["ellipsis_mask"] or op["new_axis_mask"])


def _by_python(*inputs: Value) -> bool:
    return all(v.by_python for v in inputs)


@_value("Const")
def _const(op: Operation) -> Found:
    found = small_constant(op)
    return found and Value(found[0], tuple(found[1]), True)


@_value("Shape", "ShapeN")
def _shape(op: Operation) -> Found:
    found: list[Value | None] = []
    for tensor in op.inputs:
        shape = _shape_when_run(tensor)
        is_seen = op.type == "Shape" and shape == tensor.shape and shape is not None and None not in shape
        followed = tensor.shape if shape != tensor.shape else None
        found.append(None if shape is None else Value((len(shape),), shape, is_seen, followed=followed))
    return found


def _shape_when_run(tensor: Tensor) -> tuple[int | None, ...] | None:
    """The shape as a shape function sees it that runs what is constant."""
    value = tensor.value
    return value.shape if value is not None and value.is_constant else tensor.shape


@_value("VariableShape")
def _variable_shape(op: Operation) -> Found:
    shape = first_variable_shape(op)
    return None if shape is None else Value((len(shape),), shape)


@_value("Size")
def _size(op: Operation) -> Found:
    shape = _shape_when_run(op.inputs[0])
    if shape is None or None in shape:
        return None
    return Value((), (math.prod(shape),), shape == op.inputs[0].shape)  # type: ignore[arg-type]


@_value("Rank")
def _rank(op: Operation) -> Found:
    shape = op.inputs[0].shape
    return None if shape is None else Value((), (len(shape),), True)


@_value("Identity", "StopGradient", "CheckNumericsV2", "DebugIdentityV2")
def _identity(op: Operation) -> Found:
    return op.inputs[0].value


@_value("Snapshot", "PreventGradient", "EnsureShape")
def _unseen_identity(op: Operation) -> Found:
    value = op.inputs[0].value
    return value and value._replace(by_python=False)


@_value("Cast")
def _cast(op: Operation) -> Found:
    value, dtype = op.inputs[0].value, op["DstT"]
    if value is None or dtype.is_complex:
        return None
    convert = bool if dtype is dtypes.bool_ else float if dtype.is_floating else int
    try:
        return value._replace(flat=tuple(None if v is None else convert(v) for v in value.flat))
    except (ValueError, OverflowError):
        return None


@_value("Reshape")
def _reshape(op: Operation) -> Found:
    value, shape = op.inputs[0].value, op.outputs[0].shape
    return None if value is None or shape is None or None in shape else Value(shape, value.flat)  # type: ignore[arg-type]


@_value("ExpandDims", "Squeeze")
def _expand_dims(op: Operation) -> Found:
    return _reshape(op)


@_value("Pack")
def _pack(op: Operation) -> Found:
    parts = [t.value for t in op.inputs]
    shapes: list[Any] = [t.shape for t in op.inputs]
    inner = next((s for s in shapes if s is not None), ())  # a part without a shape is taken for a number
    if None in inner or op["axis"] != 0 or any(s not in (inner, None) for s in shapes):
        return None
    count = math.prod(inner)
    seen = [p.flat if p is not None and (p.is_constant or p.by_python) else (None,) * count for p in parts]
    flat = tuple(x for part in seen for x in part)
    return Value((len(parts), *inner), flat, all(p is not None and p.by_python for p in parts))


@_value("Unpack")
def _unpack(op: Operation) -> Found:
    value = op.inputs[0].value
    if value is None or op["axis"] != 0 or not value.shape:
        return None
    step = math.prod(value.shape[1:])
    return [
        Value(value.shape[1:], value.flat[i * step : (i + 1) * step], value.by_python) for i in range(value.shape[0])
    ]


@_value("ConcatV2", "Concat")
def _concat(op: Operation) -> Found:
    inputs = op.inputs[:-1] if op.type == "ConcatV2" else op.inputs[1:]
    axis = scalar(op.inputs[-1 if op.type == "ConcatV2" else 0])
    parts = []
    for tensor in inputs:
        value = tensor.value
        shape = tensor.shape if value is None else value.shape
        if not shape or None in shape or axis is None:
            return None
        parts.append(value or Value(shape, (None,) * math.prod(shape)))  # type: ignore[arg-type]
    return _joined(parts, axis % len(parts[0].shape))


def _joined(parts: list[Value], axis: int) -> Value:
    """Row after row: what each part holds behind the axis, for every place before it."""
    head, tail = parts[0].shape[:axis], parts[0].shape[axis + 1 :]
    runs = [math.prod(p.shape[axis:]) for p in parts]

    def joined(elements: list[tuple[Any, ...]]) -> tuple[Any, ...]:
        rows = range(math.prod(head))
        return tuple(x for row in rows for e, n in zip(elements, runs, strict=True) for x in e[row * n : row * n + n])

    followed = joined([p.as_shape for p in parts]) if any(p.followed is not None for p in parts) else None
    shape = (*head, sum(p.shape[axis] for p in parts), *tail)
    return Value(shape, joined([p.flat for p in parts]), _by_python(*parts), followed=followed)


@_value("Tile")
def _tile(op: Operation) -> Found:
    value, times = op.inputs[0].value, scalar(op.inputs[1])
    if value is None or times is None or len(value.shape) != 1:
        return None
    return Value((value.shape[0] * times,), value.flat * times)


@_value("Transpose")
def _transpose(op: Operation) -> Found:
    value, perm = op.inputs[0].value, complete(op.inputs[1])
    if value is None or perm is None or len(value.shape) > 2:
        return None
    if perm in ((), (0,), (0, 1)):
        return value._replace(by_python=False)
    rows, columns = value.shape
    return Value((columns, rows), tuple(value.flat[r * columns + c] for c in range(columns) for r in range(rows)))


@_value("BroadcastGradientArgs")
def _broadcast_gradient_args(op: Operation) -> Found:
    a, b = complete(op.inputs[0]), complete(op.inputs[1])
    if a is None or b is None:
        return None
    if a == b:
        return [Value((0,), ()), Value((0,), ())]
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    found = [tuple(i for i in range(rank) if side[i] == 1) for side in (a, b)]
    return [Value((len(axes),), axes) for axes in found]


@_value("Split")
def _split(op: Operation) -> Found:
    axis, value, count = scalar(op.inputs[0]), op.inputs[1].value, op["num_split"]
    if value is None or axis not in (0, -1) or len(value.shape) != 1 or value.shape[0] % count:
        return None
    step = value.shape[0] // count
    return [Value((step,), value.flat[i * step : (i + 1) * step], value.by_python) for i in range(count)]


@_value("Slice")
def _slice(op: Operation) -> Found:
    value, begin, sizes = op.inputs[0].value, complete(op.inputs[1]), complete(op.inputs[2])
    if value is None or begin is None or sizes is None or len(begin) != len(value.shape):
        return None
    ranges = [
        range(start, dim if size == -1 else start + size)
        for start, size, dim in zip(begin, sizes, value.shape, strict=True)
    ]
    strides = [math.prod(value.shape[i + 1 :]) for i in range(len(ranges))]
    flat = tuple(value.flat[sum(map(operator.mul, place, strides))] for place in itertools.product(*ranges))
    return Value(tuple(map(len, ranges)), flat)


@_value("StridedSlice")
def _strided_slice(op: Operation) -> Found:
    value, bounds = op.inputs[0].value, [complete(t) for t in op.inputs[1:]]
    if value is None or len(value.shape) != 1 or any(b is None or len(b) != 1 for b in bounds):
        return None
    if op["ellipsis_mask"] or op["new_axis_mask"]:
        return None
    (begin,), (end,), (step,) = bounds  # type: ignore[misc]
    if op["shrink_axis_mask"]:
        return Value((), (value.flat[begin],)) if -len(value.flat) <= begin < len(value.flat) else None
    part = slice(None if op["begin_mask"] else begin, None if op["end_mask"] else end, step)
    followed = None if value.followed is None else value.followed[part]
    return Value((len(value.flat[part]),), value.flat[part], followed=followed)


@_value("GatherV2", "Gather")
def _gather(op: Operation) -> Found:
    value, indices = op.inputs[0].value, op.inputs[1].value
    if value is None or indices is None or len(value.shape) != 1 or op.get("batch_dims", 0):
        return None
    if any(i is not None and not 0 <= i < len(value.flat) for i in indices.flat):
        return None
    return Value(indices.shape, tuple(None if i is None else value.flat[i] for i in indices.flat))


@_value("Range")
def _range(op: Operation) -> Found:
    values = [t.value for t in op.inputs]
    if any(v is None or not v.is_complete for v in values):
        return None
    start, limit, step = (v.scalar for v in values)  # type: ignore[union-attr]
    if not all(isinstance(v, int) for v in (start, limit, step)) or step == 0 or abs(limit - start) > LIMIT * abs(step):
        return None
    flat = tuple(range(start, limit, step))
    return Value((len(flat),), flat, _by_python(*values))  # type: ignore[arg-type]


@_value("Fill")
def _fill(op: Operation) -> Found:
    shape, value = complete(op.inputs[0]) or op.outputs[0].shape, op.inputs[1].value
    if shape is None or None in shape or value is None or math.prod(shape) > LIMIT:  # type: ignore[arg-type]
        return None
    return Value(shape, value.flat * math.prod(shape), value.by_python and shape == op.outputs[0].shape)  # type: ignore[arg-type]


@_value("ZerosLike", "OnesLike")
def _like(op: Operation) -> Found:
    shape = op.outputs[0].shape
    if shape is None or None in shape or math.prod(shape) > LIMIT:  # type: ignore[arg-type]
        return None
    return Value(shape, (int(op.type == "OnesLike"),) * math.prod(shape))  # type: ignore[arg-type]


@_value("InvertPermutation")
def _invert_permutation(op: Operation) -> Found:
    flat = complete(op.inputs[0])
    if flat is None or sorted(flat) != list(range(len(flat))):
        return None
    return Value((len(flat),), tuple(flat.index(i) for i in range(len(flat))))


def _is_rounded(op: Operation) -> bool:
    """Whether results are rounded to a dtype that Python has no numbers of: constants are left to the kernels."""
    dtype = op.outputs[0].dtype
    return dtype is None or dtype.is_floating


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "AddV2": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "FloorDiv": lambda a, b: None if b == 0 else a // b,
    "Div": lambda a, b: None if b == 0 or isinstance(a, float) else a // b,
    "FloorMod": lambda a, b: None if b == 0 else a % b,
    "Maximum": max,
    "Minimum": min,
    "Equal": operator.eq,
    "NotEqual": operator.ne,
    "Less": operator.lt,
    "LessEqual": operator.le,
    "Greater": operator.gt,
    "GreaterEqual": operator.ge,
    "LogicalAnd": lambda a, b: a and b,
    "LogicalOr": lambda a, b: a or b,
}


def _repeated(value: Value, count: int) -> tuple[Any, ...]:
    return value.flat * count if len(value.flat) == 1 else value.flat


@_value(*_ARITHMETIC)
def _arithmetic(op: Operation) -> Found:
    a, b = (t.value for t in op.inputs)
    if a is None or b is None or _is_rounded(op):
        return None
    if a.shape == b.shape or (len(b.flat) == 1 and len(a.shape) >= len(b.shape)):
        shape = a.shape
    elif len(a.flat) == 1 and len(b.shape) >= len(a.shape):
        shape = b.shape
    else:
        return None
    count = math.prod(shape)
    apply = _ARITHMETIC[op.type]
    pairs = zip(_repeated(a, count), _repeated(b, count), strict=True)
    flat = tuple(None if x is None or y is None else apply(x, y) for x, y in pairs)
    return Value(shape, flat, op.type in ("Equal", "NotEqual") and _by_python(a, b))


@_value("Neg")
def _neg(op: Operation) -> Found:
    value = op.inputs[0].value
    return value and Value(value.shape, tuple(None if v is None else -v for v in value.flat))


@_value("Select", "SelectV2")
def _select(op: Operation) -> Found:
    condition, x, y = (t.value for t in op.inputs)
    if condition is None or x is None or y is None or not condition.shape == x.shape == y.shape:
        return None
    choose = zip(condition.flat, x.flat, y.flat, strict=True)
    return Value(x.shape, tuple(None if c is None else a if c else b for c, a, b in choose))


_REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "Prod": math.prod,
    "Sum": sum,
    "Max": max,
    "Min": min,
    "All": all,
    "Any": any,
}


@_value(*_REDUCTIONS)
def _reduce(op: Operation) -> Found:
    value, axes, shape = op.inputs[0].value, complete(op.inputs[1]), op.outputs[0].shape
    if value is None or axes is None or not value.is_complete or shape is None or len(value.shape) > 1:
        return None
    if _is_rounded(op):
        return None
    if value.shape and not axes:
        return value._replace(by_python=False)
    if not value.flat and op.type in ("Max", "Min"):
        return None
    return Value(shape, (_REDUCTIONS[op.type](value.flat),))  # type: ignore[arg-type]


@_value("BroadcastArgs")
def _broadcast_args(op: Operation) -> Found:
    a, b = (t.value for t in op.inputs)
    if a is None or b is None:
        return None
    shape = dims.broadcast(a.flat, b.flat)
    return None if shape is None else Value((len(shape),), shape)


@_value("DynamicStitch", "ParallelDynamicStitch")
def _dynamic_stitch(op: Operation) -> Found:
    half = len(op.inputs) // 2
    merged: dict[int, Any] = {}
    for indices, data in zip(op.inputs[:half], op.inputs[half:], strict=True):
        places, found = complete(indices), data.value
        if places is None or indices.shape is None or data.shape != indices.shape:
            return None
        merged.update(zip(places, found.flat if found is not None else (None,) * len(places), strict=True))
    if sorted(merged) != list(range(len(merged))):
        return None
    return Value((len(merged),), tuple(merged[i] for i in range(len(merged))))


@_value("ListDiff", "SetDiff1D")
def _list_diff(op: Operation) -> Found:
    x, y = complete(op.inputs[0]), complete(op.inputs[1])
    if x is None or y is None:
        return None
    kept = [(v, i) for i, v in enumerate(x) if v not in y]
    return [Value((len(kept),), tuple(v for v, _ in kept)), Value((len(kept),), tuple(i for _, i in kept))]


@_value("ConcatOffset")
def _concat_offset(op: Operation) -> Found:
    axis, shapes = scalar(op.inputs[0]), [complete(t) for t in op.inputs[1:]]
    if axis is None or any(s is None for s in shapes):
        return None
    offset, found = 0, []
    for shape in shapes:
        axis = axis % len(shape)  # type: ignore[arg-type]
        found.append(Value((len(shape),), tuple(offset if i == axis else 0 for i in range(len(shape)))))  # type: ignore[arg-type]
        offset += shape[axis]  # type: ignore[index]
    return found  # type: ignore[return-value]
