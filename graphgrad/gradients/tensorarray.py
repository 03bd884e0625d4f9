"""Gradients of tensor arrays: what was read is written to a second array, what was written is read from it.

All rules of one call of `gradients` share the second array, which is found by the call's scope, its `source`.
"""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.registry import gradient, no_gradient

VERSIONS = ("", "V2", "V3")

no_gradient(*[f"TensorArray{op}{v}" for op in ("", "Grad", "Size", "Close") for v in VERSIONS])
no_gradient("TensorArrayGradWithShape")
no_gradient(*[f"Stack{op}{v}" for op in ("", "Push", "Pop", "Close") for v in ("", "V2")])


def _source(g, op, dz):
    """The scope of the call: all of the name up to its last part that begins with 'gradients'. In a function all calls have
    one scope, and the function differs."""
    if g.recording is not None:
        return f"gradients/{g.recording.body.name}"
    parts = dz.name.split("/")
    at = [i for i, part in enumerate(parts) if part.startswith("gradients")]
    if at:
        return "/".join(parts[: at[-1] + 1])
    # TensorFlow refuses calls that are named otherwise.
    return g.scope.rpartition(op.name + "_grad")[0].rstrip("/") or "gradients"


def _gradient_array(g, op, dz, flow):
    """The handle of the array of gradients and the flow that its next user waits for."""
    handle = op.inputs[0]
    version = _version(op)
    with g.name_scope("TensorArray"):
        pass
    with g.name_scope("TensorArrayGrad"), g.colocate_with(handle.op):
        make = g.op(f"TensorArrayGrad{version}", handle, flow, source=_source(g, op, dz))
        with g.control_dependencies([make]):
            flow = g.Identity(flow, name="gradient_flow")
    return make.outputs[0], flow


def _version(op):
    return op.type[-2:] if op.type[-2:] in VERSIONS else ""


def _written(g, op, dz, kind, value):
    """Writes into the array of gradients: the flow after that."""
    array, flow = _gradient_array(g, op, dz, op.inputs[-1])
    with g.name_scope(f"TensorArray{kind}"):
        return g.op(f"TensorArray{kind}{_version(op)}", array, *value(), flow).outputs[0]


def _read(g, op, flow, kind, *indices, **attrs):
    """Reads from the array of gradients, once all is written: the value, and the flow after that."""
    written = g.Identity(op.outputs[0], name="flow_out")
    with g.control_dependencies([written]):
        waiting = g.Identity(flow, name="write_barrier")
    array, ready = _gradient_array(g, op, flow, waiting)
    value = g.op(f"TensorArray{kind}{_version(op)}", array, *indices, ready, dtype=op["T"], **attrs).outputs[0]
    return value, waiting


def _each_version(kind):
    return gradient(*[f"TensorArray{kind}{version}" for version in VERSIONS])


@_each_version("Read")
def read(g, op, dz):
    return None, None, _written(g, op, dz, "Write", lambda: (op.inputs[1], g.dense(dz, "value")))


@_each_version("Write")
def write(g, op, flow):
    value, flow = _read(g, op, flow, "Read", op.inputs[1])
    return None, None, value, flow


@_each_version("Gather")
def gather(g, op, dz):
    return None, None, _written(g, op, dz, "Scatter", lambda: (op.inputs[1], g.dense(dz, "value")))


@_each_version("Scatter")
def scatter(g, op, flow):
    value, flow = _read(g, op, flow, "Gather", op.inputs[1], element_shape=None)
    return None, None, value, flow


@_each_version("Concat")
def concat(g, op, dz, _):
    lengths = op.outputs[1]
    return None, _written(g, op, dz, "Split", lambda: (g.dense(dz, "value"), g.cast(lengths, dtypes.int64)))


@_each_version("Split")
def split(g, op, flow):
    value, flow = _read(g, op, flow, "Concat", element_shape_except0=None)
    return None, value, None, flow
