"""What one run of a plan tells of every run with feeds of the same shapes: the values that never change, whose memory
an array shows, and which arrays something may hold on to.

Kernels keep one promise that all this rests on: whether a result is a view of an input depends on shapes, dtypes and
attributes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphgrad.runtime.steps import Step

Array = np.ndarray[Any, Any]

# Ops whose outputs follow from the shapes of their inputs.
_OF_SHAPES = frozenset(["Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike"])

# op type -> the inputs whose values, beside all shapes, decide the shape of the outputs.
_SHAPE_FROM: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        [
            "AddN",
            "AvgPool",
            "AvgPool3D",
            "BatchMatMul",
            "BatchMatMulV2",
            "BatchMatMulV3",
            "BiasAdd",
            "BiasAddGrad",
            "BiasAddV1",
            "BroadcastGradientArgs",
            "Conv2D",
            "Conv3D",
            "Cross",
            "Cumprod",
            "Cumsum",
            "DepthwiseConv2dNative",
            "Diag",
            "DiagPart",
            "FusedBatchNorm",
            "FusedBatchNormGrad",
            "FusedBatchNormGradV2",
            "FusedBatchNormGradV3",
            "FusedBatchNormV2",
            "FusedBatchNormV3",
            "Gather",
            "GatherNd",
            "Identity",
            "IdentityN",
            "InvertPermutation",
            "L2Loss",
            "LRN",
            "LRNGrad",
            "LogSoftmax",
            "MatMul",
            "MaxPool",
            "MaxPool3D",
            "MaxPool3DGrad",
            "MaxPoolGrad",
            "MaxPoolGradGrad",
            "Pack",
            "PreventGradient",
            "Reverse",
            "ReverseSequence",
            "ReverseV2",
            "Roll",
            "Shape",
            "ShapeN",
            "Size",
            "Snapshot",
            "Softmax",
            "SoftmaxCrossEntropyWithLogits",
            "SparseSoftmaxCrossEntropyWithLogits",
            "Squeeze",
            "StopGradient",
            "TensorScatterAdd",
            "TensorScatterMax",
            "TensorScatterMin",
            "TensorScatterSub",
            "TensorScatterUpdate",
            "Unpack",
        ],
        (),
    ),
    **dict.fromkeys(["Concat", "Fill", "Split", "AvgPoolGrad", "AvgPool3DGrad", "StridedSliceGrad"], (0,)),
    **dict.fromkeys(["Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput"], (0,)),
    **dict.fromkeys(["Conv2DBackpropFilter", "Conv3DBackpropFilterV2", "DepthwiseConv2dNativeBackpropFilter"], (1,)),
    **dict.fromkeys(["All", "Any", "ArgMax", "ArgMin", "EuclideanNorm", "Max", "Mean", "Min", "Prod", "Sum"], (1,)),
    **dict.fromkeys(
        ["BroadcastTo", "ExpandDims", "MirrorPad", "OneHot", "Pad", "PadV2", "Reshape", "Tile", "Transpose"], (1,)
    ),
    **dict.fromkeys(["ResizeBilinear", "ResizeNearestNeighbor", "ResizeNearestNeighborGrad"], (1,)),
    **dict.fromkeys(["ScatterNd", "UnsortedSegmentSum", "UnsortedSegmentMax", "GatherV2"], (2,)),
    **dict.fromkeys(["Slice", "SplitV"], (1, 2)),
    "ConcatV2": (-1,),
    "StridedSlice": (1, 2, 3),
    "Range": (0, 1, 2),
}


class Form(NamedTuple):
    """What is known of an array before it is there, and its value where that is always the same."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_contiguous: bool
    value: Array | None = None


class Record:
    """Slot by slot, what a run showed."""

    def __init__(self, initial: Sequence[Any], fed: Sequence[int]):
        self.folded: dict[int, Array] = {i: v for i, v in enumerate(initial) if isinstance(v, np.ndarray)}
        self.forms: dict[int, Form] = {}
        self.root: dict[int, int] = {}
        self.stable = {*self.folded, *fed}
        self.kept: set[int] = set()
        self.gone: set[int] = set()  # steps whose results are folded

    def root_of(self, slot: int) -> int:
        """The slot whose memory this one shows."""
        return self.root.get(slot, slot)

    def form(self, slot: int) -> Form | None:
        """The form of a slot's array; None for what is none, or not of the same shape every run."""
        array = self.folded.get(slot)
        if array is not None:
            return Form(array.shape, array.dtype, array.flags.c_contiguous, array)
        return self.forms.get(slot) if slot in self.stable else None

    def note_fed(self, slot: int, array: Array) -> None:
        """Learns from a fed array."""
        self.forms[slot] = _form(array)

    def note(self, at: int, step: Step, slots: list[Any]) -> None:
        """Learns from step number `at`, which has just run, its inputs still in their slots."""
        outputs = [o for o in step.outputs if o >= 0]
        arrays = [slots[i] for i in (*step.inputs, *outputs)]
        is_plain = step.is_plain and all(isinstance(array, np.ndarray) for array in arrays)
        if is_plain and self._is_settled(step):
            self.folded.update((o, slots[o]) for o in outputs)
            self.stable.update(outputs)
            self.gone.add(at)
            return
        if not is_plain or any(array.dtype == object for array in arrays):  # a variant may hold what it is made of
            is_plain = False
            self.kept.update(map(self.root_of, step.inputs))
        follows = is_plain and self._shapes_follow(step)
        for o in outputs:
            if not isinstance(slots[o], np.ndarray):
                continue
            if follows or _is_static(step, o):
                self.stable.add(o)
            self.forms[o] = _form(slots[o])
            sources = {self.root_of(i) for i in step.inputs if is_plain and np.may_share_memory(slots[o], slots[i])}
            if sources:
                self.root[o], *others = sources
                self.kept.update(others)

    def _is_settled(self, step: Step) -> bool:
        if all(i in self.folded for i in step.inputs):
            return True
        return step.op.type in _OF_SHAPES and all(i in self.stable for i in step.inputs)

    def _shapes_follow(self, step: Step) -> bool:
        if not all(i in self.stable for i in step.inputs):
            return False
        if step.is_elementwise:
            return True
        deciding = _SHAPE_FROM.get(step.op.type)
        return deciding is not None and all(step.inputs[i] in self.folded for i in deciding)


def _is_static(step: Step, slot: int) -> bool:
    shape = step.op.outputs[step.outputs.index(slot)].shape
    return shape is not None and None not in shape


def _form(array: Array) -> Form:
    return Form(array.shape, array.dtype, array.flags.c_contiguous)
