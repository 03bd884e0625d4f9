"""Runs TensorFlow's programs with branches and loops, differentiates them and stores what came of it in tests/golden.

Run in the oracle's environment: python -m tests.oracle.write_programs [flow_programs] [function_programs] [call_programs]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from typing import Any

import numpy as np
import tensorflow as tf

from graphgrad.schema import graph_pb2
from tests import program_store
from tests.oracle import call_programs, carrier_programs, corner_programs  # noqa: F401  (two join the programs of the next)
from tests.oracle.flow_programs import FRAMES_ONLY, FUNCTIONS_ONLY, PROGRAMS, Inputs
from tests.program_store import Program
from tests.structure import normal_form

tf1 = tf.compat.v1


def built(name: str, level: str, programs: Any = PROGRAMS) -> Program:
    """One program at one degree of static knowledge, with TensorFlow's gradients and numbers."""
    function, _, order = programs[name]
    with tf.Graph().as_default() as graph:
        inputs = Inputs(level)
        y, xs = function(inputs)
        first = y if isinstance(y, list) else [y]
        forward = graph.as_graph_def().SerializeToString()
        ys, found = first, []
        for _ in range(order):
            found.append(tf1.gradients(ys, xs))
            ys = [dx for dx in found[-1] if dx is not None]
        whole = graph.as_graph_def().SerializeToString()
        fetches = {"y": first[0]}
        for i, gradients in enumerate(found):
            fetches.update({f"{i}/{j}": tf.convert_to_tensor(dx) for j, dx in enumerate(gradients) if dx is not None})
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            values = session.run(fetches, inputs.feeds)
            variables = {v.op.name: session.run(v) for v in tf1.global_variables()}
    return Program(
        name=f"{name}-{level}",
        graph_def=forward,
        ys=[y.name for y in first],
        xs=[_handle(x).name for x in xs],
        gradients=[[_name(dx) for dx in gradients] for gradients in found],
        nodes=normal_form(
            graph_pb2.GraphDef.FromString(whole).node[len(graph_pb2.GraphDef.FromString(forward).node) :]
        ),
        feeds={t.name: value for t, value in inputs.feeds.items()},
        variables=variables,
        values={key: np.asarray(value) for key, value in values.items()},
    )


def built_of_functions(name: str, level: str) -> Program:
    """The same with branches and loops that are functions, differentiated as TensorFlow finds them in a file."""
    function, _, order = PROGRAMS[name]
    with tf.Graph().as_default() as graph:
        inputs = Inputs(level)
        y, xs = function(inputs)
        names = [t.name for t in (y if isinstance(y, list) else [y])]
        initializer = tf1.global_variables_initializer()
        variables = {
            v.op.name: (v.handle if hasattr(v, "handle") else v._variable).name for v in tf1.global_variables()
        }
        kinds = {v.op.name: v.dtype.base_dtype for v in tf1.global_variables()}
        message = graph.as_graph_def()
        x_names = [_handle(x).name for x in xs]
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(message, name="")
        ys, found = [graph.get_tensor_by_name(name) for name in names], []
        for _ in range(order):
            found.append(tf1.gradients(ys, [graph.get_tensor_by_name(x) for x in x_names]))
            ys = [dx for dx in found[-1] if dx is not None]
        whole = graph_pb2.GraphDef.FromString(graph.as_graph_def().SerializeToString())
        fetches = {"y": names[0]}
        for i, gradients in enumerate(found):
            fetches.update(
                {f"{i}/{j}": tf.convert_to_tensor(dx).name for j, dx in enumerate(gradients) if dx is not None}
            )
        reads = {key: _read(graph.get_tensor_by_name(tensor), kinds[key]) for key, tensor in variables.items()}
        feeds = {t.name: value for t, value in inputs.feeds.items()}
        with tf1.Session() as session:
            session.run(initializer.name)
            values, variables = session.run((fetches, reads), feeds)
    return Program(
        name=f"{name}-{level}",
        graph_def=message.SerializeToString(),
        ys=names,
        xs=x_names,
        gradients=[[_name(dx) for dx in gradients] for gradients in found],
        nodes=normal_form(whole.node[len(message.node) :]),
        feeds=feeds,
        variables=variables,
        values={key: np.asarray(value) for key, value in values.items()},
    )


def _read(tensor: Any, dtype: Any) -> Any:
    return tf.raw_ops.ReadVariableOp(resource=tensor, dtype=dtype) if tensor.dtype == tf.resource else tensor


def _handle(x: Any) -> Any:
    return x.handle if hasattr(x, "handle") else getattr(x, "_variable", x)


def _name(gradient: Any) -> str:
    if gradient is None:
        return ""
    return gradient.values.name if isinstance(gradient, tf.IndexedSlices) else gradient.name


def main() -> None:
    """Writes every program, into all archives where none is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archives", nargs="*", default=["flow_programs", "function_programs", "call_programs"])
    tf1.disable_eager_execution()
    tf1.disable_resource_variables()
    names = [(name, level) for name, (_, levels, _) in PROGRAMS.items() for level in levels]
    calls = [(name, level) for name, (_, levels, _) in call_programs.PROGRAMS.items() for level in levels]
    for archive in parser.parse_args().archives:
        if archive == "call_programs":
            tf1.enable_control_flow_v2()
            found = [built(name, level, call_programs.PROGRAMS)._replace(nodes={}) for name, level in calls]
            program_store.write(archive, found)
            continue
        of_functions = archive == "function_programs"
        (tf1.enable_control_flow_v2 if of_functions else tf1.disable_control_flow_v2)()
        make = built_of_functions if of_functions else built
        others = FRAMES_ONLY if of_functions else FUNCTIONS_ONLY
        wanted = [n for n in names if n[0] not in others]
        program_store.write(archive, [make(name, level) for name, level in wanted])


if __name__ == "__main__":
    main()
