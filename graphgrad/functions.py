"""TensorFlow's Python functions that gradient rules are written in: lower case, with their static short cuts.

Contract: `g.OpName(...)` is the raw op and `g.function(...)` is what `tf.function` of that name builds, node names
and constants included; where TensorFlow folds a known shape into a constant, so does the function here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from graphgrad import dtypes, handles
from graphgrad.attributes import Shape
from graphgrad.build import Int32s, OpBuilder
from graphgrad.dtypes import DType
from graphgrad.errors import ModelError
from graphgrad.graph import Graph, Operation
from graphgrad.shapes import dims, values
from graphgrad.tensors import IndexedSlices, Tensor

SMALL = 1000  # elements; TensorFlow writes zeros and ones of fewer as constants


class GraphBuilder(OpBuilder):
    """The builder as gradient rules see it."""

    def __init__(self, graph: Graph):
        super().__init__(graph)
        self.zeros_by_shape = False  # zeros_for needs the output's shape only, so that a loop records no more of it
        self.recording: Any = None  # where the graph is a function's body: what takes note of what its loops record
        self._zeros: set[Tensor] = set()
        self._divided: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()

    # ------------------------------------------------------------------ shapes
    def shape(self, x: Any, name: str = "Shape", optimize: bool = True, out_type: DType = dtypes.int32) -> Tensor:
        """The shape as a vector; a constant where it is static. An IndexedSlices becomes dense."""
        if isinstance(x, IndexedSlices):
            with self.name_scope(name) as name:
                x = self.dense(x)
        static = x.shape
        if optimize and dims.is_known(static):
            return self.constant(list(static), out_type, name=name)  # type: ignore[arg-type]
        return self.Shape(x, out_type=out_type, name=name)

    def size(self, x: Tensor, out_type: DType = dtypes.int32) -> Tensor:
        """The number of elements; a constant where it is static."""
        count = dims.size(x.shape)
        if count is not None:
            return self.constant(count, out_type, name="Size")
        return self.Size(x, out_type=out_type)

    def rank(self, x: Any) -> Tensor:
        """The rank; a constant where it is static."""
        with self.name_scope("Rank") as scope:
            x = self.dense(x)
            static = x.shape
            return self.Rank(x, name=scope) if static is None else self.constant(len(static), dtypes.int32, name=scope)

    # ------------------------------------------------------------------ filled tensors
    def zeros(self, shape: Any, dtype: DType = dtypes.float32, name: str = "zeros") -> Tensor:
        """Zeros of a static shape (a constant if small) or of a shape tensor."""
        return self._note_zeros(self._filled(shape, False if dtype is dtypes.bool_ else 0, dtype, name))

    def made_as_zeros(self, x: Tensor) -> bool:
        """Whether x was made by `zeros` or `zeros_like`."""
        return x in self._zeros

    def _note_zeros(self, x: Tensor) -> Tensor:
        self._zeros.add(x)
        return x

    def ones(self, shape: Any, dtype: DType = dtypes.float32, name: str = "ones") -> Tensor:
        """Ones of a static shape (a constant if small) or of a shape tensor."""
        return self._filled(shape, True if dtype is dtypes.bool_ else 1, dtype, name)

    def _filled(self, shape: Any, value: Any, dtype: DType, name: str) -> Tensor:
        is_static = not isinstance(shape, Tensor) and not any(isinstance(d, Tensor) for d in shape)
        if is_static and math.prod(shape) < SMALL:
            return self.constant(value, dtype, shape=tuple(shape), name=name)
        with self.name_scope(name) as scope:
            if is_static:
                shape = self.constant(list(shape), dtypes.int32, name="shape_as_tensor")
            elif not isinstance(shape, Tensor):
                shape = self.packed(shape, name="packed")
            if not is_static and not shape.shape:
                shape = self.Reshape(shape, [-1])
            return self._fill(shape, value, dtype, scope)

    def _fill(self, shape: Tensor, value: Any, dtype: DType, scope: str) -> Tensor:
        return self.Fill(shape, self.constant(value, dtype), name=scope)

    def zeros_like(self, x: Tensor, dtype: DType | None = None, optimize: bool = True) -> Tensor:
        """Zeros of the shape of `x`; a constant where it is static and small."""
        if optimize and dims.is_known(x.shape) and x.dtype is not dtypes.variant:
            return self.zeros(x.shape, dtype or x.dtype, name="zeros_like")  # type: ignore[arg-type]
        if dtype is not None and dtype is not x.dtype:
            with self.name_scope("zeros_like") as scope:
                shape = self.shape_as_tensor(x, optimize)
                return self._note_zeros(self._fill(shape, 0, dtype, scope))
        return self._note_zeros(self.ZerosLike(x, name="zeros_like"))

    def ones_like(self, x: Tensor, dtype: DType | None = None, optimize: bool = True) -> Tensor:
        """Ones of the shape of `x`."""
        with self.name_scope("ones_like") as scope:
            shape = self.shape_as_tensor(x, optimize)
            ones = self._fill(shape, 1, dtype or x.dtype, scope)  # type: ignore[arg-type]
        ones.shaped_like(x)
        return ones

    def shape_as_tensor(self, x: Tensor, optimize: bool = True) -> Tensor:
        """The shape as a vector, under the name that functions give it which make a tensor like `x`."""
        if optimize and dims.is_known(x.shape):
            with self.name_scope("Shape"):
                return self.constant(list(x.shape), dtypes.int32, name="shape_as_tensor")  # type: ignore[arg-type]
        return self.Shape(x)

    def shape_with_gaps(self, shape: Shape) -> int | list[int] | Tensor:
        """A static shape as tensor lists are given it: -1 for what is not known, a constant made at once for a scalar."""
        if shape == ():
            return self.constant([], dtypes.int32)
        return -1 if shape is None else Int32s(-1 if n is None else n for n in shape)

    # ------------------------------------------------------------------ element-wise
    def cast(self, x: Any, dtype: DType) -> Any:
        """`x` itself where it has the dtype already; a number starts as a constant, of an IndexedSlices go the values."""
        if isinstance(x, Tensor):
            return x if x.dtype is dtype else self.Cast(x, DstT=dtype)
        with self.name_scope("Cast") as scope:
            if isinstance(x, IndexedSlices):
                values = x.values if x.dtype is dtype else self.Cast(x.values, DstT=dtype, name=scope)
                return dataclasses.replace(x, values=values)
            number = self.constant(x, name="x")
            return number if number.dtype is dtype else self.Cast(number, DstT=dtype, name=scope)

    def scalar_mul(self, scalar: float, x: Any) -> Any:
        """A number times a tensor, or times the values of an IndexedSlices."""
        if isinstance(x, IndexedSlices):
            return dataclasses.replace(x, values=self.scalar_mul(scalar, x.values))
        return self.Mul(self.constant(scalar, x.dtype, name="scalar"), x)

    def conj(self, x: Any) -> Any:
        """The complex conjugate; real tensors are their own, of variants it is not seen. An IndexedSlices becomes dense."""
        if isinstance(x, Tensor):
            return self.Conj(x) if x.dtype.is_complex or x.dtype is dtypes.variant else x  # type: ignore[union-attr]
        with self.name_scope("Conj") as scope:
            x = self.dense(x, name="x")
            return self.Conj(x, name=scope) if x.dtype.is_complex else x  # type: ignore[union-attr]

    def matmul(
        self,
        x: Tensor,
        y: Tensor,
        adjoint_a: bool = False,
        adjoint_b: bool = False,
        grad_a: bool = False,
        grad_b: bool = False,
        a_is_sparse: bool = False,
        b_is_sparse: bool = False,
    ) -> Tensor:
        """The product of matrices, or of batches of them where the rank is above two or unknown.

        bfloat16 beside another type, and matrices said to be sparse, are SparseMatMul's, whose result is float32.
        """
        is_sparse = a_is_sparse or b_is_sparse
        with self.name_scope("MatMul") as scope:
            x, y = self.dense(x, "a"), self.dense(y, "b")
            if not is_sparse and any(t.shape is None or len(t.shape) > 2 for t in (x, y)):
                return self.BatchMatMulV2(
                    x, y, adj_x=adjoint_a, adj_y=adjoint_b, grad_x=grad_a, grad_y=grad_b, name=scope
                )
            x, y = self.conj(x) if adjoint_a else x, self.conj(y) if adjoint_b else y
            flags = {"transpose_a": adjoint_a, "transpose_b": adjoint_b}
            if is_sparse or self._are_mixed(x, y):
                product = self.SparseMatMul(x, y, **flags, a_is_sparse=a_is_sparse, b_is_sparse=b_is_sparse, name=scope)
                return self.cast(product, dtypes.bfloat16) if x.dtype is y.dtype is dtypes.bfloat16 else product
            return self.MatMul(x, y, **flags, grad_a=grad_a, grad_b=grad_b, name=scope)

    def _are_mixed(self, x: Tensor, y: Tensor) -> bool:
        """Whether one is bfloat16 and the other is of another type, wider than a byte."""
        if x.dtype is y.dtype or dtypes.bfloat16 not in (x.dtype, y.dtype):
            return False
        return not {x.dtype, y.dtype} & {dtypes.int8, dtypes.uint8}

    # ------------------------------------------------------------------ reductions
    def reduce_sum(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Sum over `axis`, or over all axes."""
        return self._reduce("Sum", x, axis, keepdims)

    def reduce_mean(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Mean over `axis`, or over all axes."""
        return self._reduce("Mean", x, axis, keepdims)

    def reduce_prod(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Product over `axis`, or over all axes."""
        return self._reduce("Prod", x, axis, keepdims)

    def reduce_min(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """The least over `axis`, or over all axes."""
        return self._reduce("Min", x, axis, keepdims)

    def reduce_max(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        """The greatest over `axis`, or over all axes."""
        return self._reduce("Max", x, axis, keepdims)

    def _reduce(self, op_type: str, x: Tensor, axis: Any, keepdims: bool) -> Tensor:
        if axis is None:
            static = x.shape
            axis = self.constant(list(range(len(static))), dtypes.int32) if static else self.range(0, self.rank(x))
            reduced = getattr(self, op_type)(x, axis, keep_dims=keepdims)
            if not keepdims:
                reduced.has_shape(())
            return reduced
        return getattr(self, op_type)(x, axis, keep_dims=keepdims)

    def range(self, start: Any, limit: Any, delta: Any = 1, dtype: DType | None = None) -> Tensor:
        """The integers from `start` up to `limit`."""
        with self.name_scope("range") as scope:
            bounds = []
            for name, bound in (("start", start), ("limit", limit), ("delta", delta)):
                bounds.append(bound if isinstance(bound, Tensor) else self.constant(bound, dtype, name=name))
            widest = dtype or (dtypes.int64 if any(b.dtype is dtypes.int64 for b in bounds) else bounds[0].dtype)
            return self.Range(*[self.cast(b, widest) for b in bounds], name=scope)  # type: ignore[arg-type]

    def reduced_shape(self, shape: Any, axes: Any) -> Any:
        """`shape` with ones at `axes`: a list where both are known to TensorFlow's Python, else a tensor."""
        known, known_axes = self._numbers(shape), self._numbers(axes)
        if known is not None and known_axes is not None:
            result = Int32s(known)
            for axis in known_axes:
                if not -len(result) <= axis < len(result):
                    raise ModelError(f"axis {axis} is none of a tensor of rank {len(result)}")
                result[axis] = 1
            return result
        # TensorFlow stumbles over int64 axes here; as int32 they do.
        axes = self.cast(axes, dtypes.int32)
        rank = self.size(shape, out_type=axes.dtype)
        axes = (axes + rank) % rank
        axes_shape = self.shape(axes)
        indices = [self.range(0, rank), axes]
        return self.DynamicStitch(indices, [shape, self.ones(axes_shape, shape.dtype)])

    def reduced_shape_and_scaling(self, shape: Sequence[int], axes: Sequence[int]) -> Any:
        """Static shape with ones at `axes`, and how often each axis repeats to give `shape` back.

        TensorFlow leaves the nodes of this division in the graph, once for each shape and axes: so does this.
        """
        kept = self.reduced_shape(shape, axes)
        key = (tuple(shape), tuple(axes))
        if key not in self._divided:
            self._divided.add(key)
            self.FloorDiv(list(shape), self.Maximum(kept, 1), name="floordiv")
        return kept, [whole // max(one, 1) for whole, one in zip(shape, kept, strict=True)]

    def _numbers(self, x: Any) -> Sequence[int] | None:
        if not isinstance(x, Tensor):
            return x
        value = values.python_value(x)
        return None if value is None else value.flat

    # ------------------------------------------------------------------ rearranging
    def stack(self, tensors: Sequence[Any], axis: int = 0, name: str = "stack") -> Tensor:
        """Packs scalars or tensors along a new axis, the first by default; numbers alone make a constant."""
        if axis != 0:
            return self.Pack(tensors, axis=axis, name=name)
        if not any(isinstance(t, Tensor) for t in tensors):
            return self.constant(list(tensors), name=name)
        return self.packed(tensors, name)

    def concat(self, tensors: Sequence[Any], axis: Any, name: str = "concat") -> Tensor:
        """Joins tensors along an axis; a lone one passes an Identity."""
        if len(tensors) == 1:
            with self.name_scope(name):
                if not isinstance(axis, Tensor):
                    self.constant(axis, dtypes.int32, name="concat_dim")
                return self.identity(tensors[0], name=name)
        return self.ConcatV2(tensors, axis, name=name)

    def identity(self, x: Any, name: str = "Identity") -> Any:
        """An Identity; one for each part of an IndexedSlices."""
        if isinstance(x, Tensor):
            return self.Identity(x, name=name)
        shape = x.dense_shape
        return IndexedSlices(
            values=self.Identity(x.values),
            indices=self.Identity(x.indices),
            dense_shape=None if shape is None else self.Identity(shape),
        )

    def transpose(self, x: Tensor, perm: Any = None, conjugate: bool = False, name: str = "transpose") -> Tensor:
        """Permutes axes, conjugating complex tensors on demand; reverses them where no permutation is given."""
        op_type = "ConjugateTranspose" if conjugate and x.dtype.is_complex else "Transpose"  # type: ignore[union-attr]
        with self.name_scope(name) as scope:
            if perm is None:
                static = x.shape
                if static is None:
                    perm = self.Range(self.Rank(x) - 1, -1, -1)
                else:
                    perm = list(range(len(static) - 1, -1, -1))
            return getattr(self, op_type)(x, perm, name=scope)

    def gather(self, params: Tensor, indices: Tensor, axis: Any = 0) -> Tensor:
        """Rows (or slices along `axis`) of `params`."""
        return self.GatherV2(params, indices, axis)

    def getitem(self, x: Tensor, key: Any) -> Tensor:
        """`x[key]` for integers, slices, ellipsis and None, as a StridedSlice."""
        begin, end, strides = [], [], []
        masks = dict.fromkeys(["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"], 0)
        for i, item in enumerate(key if isinstance(key, tuple) else (key,)):
            bit = 1 << i
            if isinstance(item, slice):
                masks["begin_mask"] |= bit * (item.start is None)
                masks["end_mask"] |= bit * (item.stop is None)
                like = next((t for t in (item.start, item.stop, item.step) if isinstance(t, Tensor)), None)
                for bounds, given, default in ((begin, item.start, 0), (end, item.stop, 0), (strides, item.step, 1)):
                    if given is None and like is not None:
                        given = self.constant(default, like.dtype)
                    bounds.append(default if given is None else given)
            elif item is Ellipsis or item is None:
                masks["ellipsis_mask" if item is Ellipsis else "new_axis_mask"] |= bit
                for bounds, default in ((begin, 0), (end, 0), (strides, 1)):
                    bounds.append(default)
            else:
                begin.append(item)
                end.append(item + 1)
                wide = isinstance(item, Tensor) and item.dtype is dtypes.int64
                strides.append(self.constant(1, dtypes.int64) if wide else 1)
                masks["shrink_axis_mask"] |= bit
        with self.name_scope("strided_slice") as scope:
            packed = [self.stack(bounds, name="stack") for bounds in (begin, end, strides)]
            if any(p.dtype is dtypes.int64 for p in packed):
                packed = [self.cast(p, dtypes.int64) for p in packed]
            return self.StridedSlice(x, *packed, name=scope, **masks)

    # ------------------------------------------------------------------ gradients
    def zeros_for(self, output: Tensor) -> Tensor | None:
        """The gradient of an output that nothing was handed on for; None for a handle whose variable is not known."""
        if output.dtype is dtypes.resource:
            if handles.variable(output) is None:
                return None
            return self.zeros(self.VariableShape(output), self.variable_dtype(output))
        if not self.zeros_by_shape or output.dtype is dtypes.variant:
            return self.zeros_like(output, optimize=False)
        if dims.is_known(output.shape):
            return self.constant(0, output.dtype, shape=output.shape)
        return self.zeros(self.Shape(output), output.dtype)  # type: ignore[arg-type]

    def unconnected(self, x: Tensor) -> Tensor:
        """The zero gradient of an x that ys do not depend on."""
        if x.dtype is dtypes.resource:
            return self.zeros(self.variable_shape(x), self.variable_dtype(x))
        return self.zeros_like(x)

    def variable_shape(self, handle: Tensor) -> Tensor:
        """The shape of the variable behind a resource handle; a constant where it is static."""
        static = handles.variable_shape(handle)
        if static is not None and None not in static:
            return self.constant(list(static), dtypes.int32)
        return self.VariableShape(handle)

    def variable_dtype(self, handle: Tensor) -> DType:
        """The dtype of the variable behind a resource handle, float32 where the graph does not say."""
        made = handles.variable(handle)
        return made["dtype"] if made is not None else dtypes.float32

    def widen_index(self, indices: Tensor) -> Tensor:
        """int32 indices as int64, to stand beside others."""
        return self.cast(indices, dtypes.int64)

    def add_n(self, tensors: Sequence[Tensor]) -> Tensor:
        """The sum of one or more tensors."""
        return tensors[0] if len(tensors) == 1 else self.AddN(tensors)

    def add_n_by_device(self, tensors: Sequence[Tensor]) -> Tensor:
        """The sum of tensors, those of each device first; colocated with the first of them."""
        on_device: dict[str, list[Tensor]] = {}
        for tensor in tensors:
            on_device.setdefault(tensor.op.device, []).append(tensor)
        summands = []
        for device in sorted(on_device):
            with self.colocate_with(on_device[device][0].op, ignore_existing=True):
                summands.append(self.add_n(on_device[device]))
        return self.add_n(summands)

    def tuple(self, gradients: Sequence[Any]) -> list[Any]:
        """The gradients behind a gate: none is ready before all are."""
        with self.name_scope("tuple"):
            gate = self.group([g.op for g in gradients if g is not None])
            return [self._gated(gate, g) for g in gradients]

    def group(self, ops: Sequence[Operation]) -> Operation:
        """A NoOp behind these operations; with several devices, behind one NoOp on each."""
        on_device: dict[str, list[Operation]] = {}
        for op in dict.fromkeys(ops):
            on_device.setdefault(op.device, []).append(op)
        with self.name_scope("group_deps") as scope:
            if len(on_device) == 1:
                with self.anywhere(ops[0].device), self.control_dependencies(ops):
                    return self.op("NoOp", name=scope)
            gates = []
            for device in sorted(on_device):
                with self.anywhere(device), self.control_dependencies(on_device[device]):
                    gates.append(self.op("NoOp"))
            with self.control_dependencies(gates):
                return self.op("NoOp", name=scope)

    def _gated(self, gate: Operation, gradient: Any) -> Any:
        if gradient is None:
            return None
        tensor = gradient.values if isinstance(gradient, IndexedSlices) else gradient
        with self.colocate_with(tensor.op), self.control_dependencies([gate]):
            identity = self.Identity(tensor, name="control_dependency")
        return dataclasses.replace(gradient, values=identity) if isinstance(gradient, IndexedSlices) else identity

    def here(self, x: Tensor, gradient: Tensor) -> Tensor:
        """A constant from another branch or loop than the gradient stands in is written again; others are as they are."""
        if self.flow is None or x.op.type != "Const" or self.flow.are_together(x.op, gradient.op):
            return x
        return self.constant_like(x.op)

    def python_value(self, x: Tensor) -> values.Value | None:
        """The value of a small tensor where TensorFlow's Python layer sees it (`tf.get_static_value`)."""
        return values.python_value(x)


def static_shape(x: Tensor) -> Shape:
    """The static shape where all of it is known, else None."""
    shape = x.shape
    return shape if dims.is_known(shape) else None
