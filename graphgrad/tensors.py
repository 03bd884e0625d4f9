"""Tensors of a graph, with TensorFlow's Python operators, and the sparse gradients made of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from graphgrad.attributes import Shape
from graphgrad.dtypes import DType
from graphgrad.errors import NotAGraphTensorError

if TYPE_CHECKING:
    from graphgrad.graph import Graph, Operation


class Tensor:
    """Output `index` of an operation. `dtype` is None where the op type is unknown and says nothing."""

    __slots__ = ("_shape_like", "dtype", "index", "op")

    def __init__(self, op: Operation, index: int, dtype: DType | None):
        self.op, self.index, self.dtype = op, index, dtype
        self._shape_like: Tensor | None = None

    @property
    def name(self) -> str:
        return f"{self.op.name}:{self.index}"

    @property
    def input_name(self) -> str:
        """How the inputs of nodes spell it: without ':0'."""
        return self.op.name if self.index == 0 else self.name

    @property
    def graph(self) -> Graph:
        return self.op.graph

    @property
    def shape(self) -> Shape:
        """The static shape: a tuple with None for unknown dimensions, or None for an unknown rank."""
        facts = self.op.facts
        if facts is not None and self._shape_like is None and self.index < len(facts.shapes):
            return facts.shapes[self.index]
        return self.op.graph.inference.shape(self)

    @property
    def value(self) -> Any:
        """What is statically known of a small integer or bool tensor: a `shapes.values.Value`, or None."""
        return self.op.graph.inference.value(self)

    def shaped_like(self, other: Tensor) -> None:
        """Notes that this tensor has the shape of `other`, which may know more of it; looked at when first asked."""
        if self._shape_like is not None:
            self.op.graph.inference.shape(self)
        if other is not self:
            self._shape_like = other

    def has_shape(self, shape: Shape) -> None:
        """Notes a shape that the op's own rule may not tell."""
        self.op.graph.inference.learn(self, shape)

    def __repr__(self) -> str:
        return f"<Tensor {self.name!r} shape={self.shape} dtype={self.dtype}>"

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise NotAGraphTensorError(f"{self.name} is a tensor of a graph and holds no numbers: use graphgrad.evaluate")

    def __bool__(self) -> bool:
        raise NotAGraphTensorError(f"{self.name} is a tensor of a graph; it has no truth value before it is run")

    # TensorFlow's Python operators, with the node names they give.
    def __add__(self, other: Any) -> Tensor:
        return self.graph.build.AddV2(self, other, name="add")

    def __radd__(self, other: Any) -> Tensor:
        return self.graph.build.AddV2(other, self, name="add")

    def __sub__(self, other: Any) -> Tensor:
        return self.graph.build.Sub(self, other, name="sub")

    def __rsub__(self, other: Any) -> Tensor:
        return self.graph.build.Sub(other, self, name="sub")

    def __mul__(self, other: Any) -> Tensor:
        return self.graph.build.Mul(self, other, name="mul")

    def __rmul__(self, other: Any) -> Tensor:
        return self.graph.build.Mul(other, self, name="mul")

    def __truediv__(self, other: Any) -> Tensor:
        return self.graph.build.RealDiv(self, other, name="truediv")

    def __rtruediv__(self, other: Any) -> Tensor:
        return self.graph.build.RealDiv(other, self, name="truediv")

    def __floordiv__(self, other: Any) -> Tensor:
        return self.graph.build.FloorDiv(self, other, name="floordiv")

    def __mod__(self, other: Any) -> Tensor:
        return self.graph.build.FloorMod(self, other, name="mod")

    def __pow__(self, other: Any) -> Tensor:
        return self.graph.build.Pow(self, other, name="pow")

    def __neg__(self) -> Tensor:
        return self.graph.build.Neg(self)

    def __lt__(self, other: Any) -> Tensor:
        return self.graph.build.Less(self, other)

    def __le__(self, other: Any) -> Tensor:
        return self.graph.build.LessEqual(self, other)

    def __gt__(self, other: Any) -> Tensor:
        return self.graph.build.Greater(self, other)

    def __ge__(self, other: Any) -> Tensor:
        return self.graph.build.GreaterEqual(self, other)

    __iter__ = None  # or Python would go through indices without end

    def __getitem__(self, key: Any) -> Tensor:
        return self.graph.build.getitem(self, key)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class IndexedSlices:
    """A sparse gradient: `values[i]` belongs to row `indices[i]` of a tensor of `dense_shape` (may be None)."""

    values: Tensor
    indices: Tensor
    dense_shape: Tensor | None

    @property
    def dtype(self) -> DType | None:
        return self.values.dtype

    @property
    def op(self) -> Operation:
        return self.values.op

    @property
    def graph(self) -> Graph:
        return self.values.graph

    @property
    def name(self) -> str:
        return self.values.name

    def __neg__(self) -> IndexedSlices:
        return dataclasses.replace(self, values=-self.values)

    @property
    def shape(self) -> Shape:
        """What the values of `dense_shape` say."""
        from graphgrad.shapes.values import python_shape

        return None if self.dense_shape is None else python_shape(self.dense_shape)
