"""The law of closure: whatever a gradient rule can emit can be run, has a shape, and is differentiable as far as TensorFlow's is.

What rules emit is read from their source, so that a branch no test reaches is not forgotten; names that are put together there are
found in the gradients that `tests/golden` holds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import graphgrad
from graphgrad import opdefs, registry
from graphgrad.coverage import BUILT_IN
from graphgrad.runtime.functions import RUNNERS
from tests import cases, golden_store

PACKAGE = Path(graphgrad.__file__).parent
# Rules, the builder's functions that they call, and what steps through branches, loops and functions.
SOURCES = [
    *sorted((PACKAGE / "gradients").glob("*.py")),
    *sorted((PACKAGE / "controlflow").glob("*.py")),
    *(PACKAGE / name for name in ("backprop.py", "build.py", "differentiate.py", "functions.py", "recompute.py")),
]
REGISTRATIONS = {"gradient", "gradients", "no_gradient"}

# What TensorFlow itself runs nowhere else: their weights lie in a buffer whose order the GPU's library knows.
ONLY_ON_GPUS = {f"CudnnRNN{part}{version}" for part in ("", "Backprop") for version in ("", "V2", "V3")}
# TensorFlow has no gradient for them either: tests/oracle/test_registry.py holds its whole registry against ours.
WITHOUT_GRADIENT = {
    *["NoOp", "ControlTrigger", "Placeholder", "OptionalNone"],  # nothing comes in
    *["BroadcastArgs", "ListDiff", "LowerBound", "SparseReshape", "Where"],  # integers, and sparse values as they were
    *["BatchNormWithGlobalNormalizationGrad", "BlockLSTMGrad", "LRNGrad", "IgammaGradA", "RandomGammaGrad"],
    *["CropAndResizeGradBoxes", "CropAndResizeGradImage", "ResizeBicubicGrad", "ResizeNearestNeighborGrad"],
    *["ScaleAndTranslateGrad", "Dilation2DBackpropFilter", "Dilation2DBackpropInput", "SoftsignGrad"],
    *["FractionalAvgPoolGrad", "FractionalMaxPoolGrad", "MaxPoolGradGradV2", "MaxPoolGradWithArgmax"],
    *["RaggedFillEmptyRowsGrad", "RaggedTensorToVariantGradient", "SparseFillEmptyRowsGrad", "SparseSliceGrad"],
    *["SparseSegmentMeanGradV2", "SparseSegmentSqrtNGradV2", "SparseSegmentSumGradV2", "SparseMatrixSoftmaxGrad"],
    *["CudnnRNNBackprop", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3"],
    *["SparseDenseCwiseAdd", "SparseMatrixMul"],  # it registers one that raises, whatever it is given
}


def emitted_in(source: str) -> Iterator[str]:
    """Op types that code names to build them: as the builder's attributes, or as text that registers no rule."""
    tree = ast.parse(source)
    registering = {
        id(leaf)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in REGISTRATIONS
        for leaf in ast.walk(node)
        if isinstance(leaf, ast.Constant)
    }
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "value", None)
        if isinstance(name, str) and id(node) not in registering and opdefs.signature(name) is not None:
            yield name


def emitted() -> set[str]:
    """Every op type that a gradient can hold."""
    named = {op_type for path in SOURCES for op_type in emitted_in(path.read_text())}
    kept = {
        line.split("(")[0]
        for family in cases.families()
        for record in golden_store.read(family).values()
        for listing in record["nodes"].values()
        for line in listing.values()
    }
    return named | kept


def test_source_is_read_for_what_it_emits() -> None:
    source = "@gradient('Neg')\ndef rule(g, op, dz):\n return g.Sub(dz, g.op('Abs', dz))\ngradients({'Tan': g.Cos})"
    assert sorted(emitted_in(source)) == ["Abs", "Cos", "Sub"]


def test_it_can_be_run() -> None:
    without = {op for op in emitted() - BUILT_IN - RUNNERS.keys() if registry.kernel_of(op) is None}
    assert without == ONLY_ON_GPUS


def test_it_has_a_shape_rule() -> None:
    without_outputs = {"ControlTrigger", "NoOp"}
    assert {op for op in emitted() if registry.shape_rule(op) is None} == without_outputs


def test_it_has_a_gradient_where_tensorflow_has_one() -> None:
    assert {op for op in emitted() if registry.gradient_rule(op) is registry.UNKNOWN} == WITHOUT_GRADIENT
