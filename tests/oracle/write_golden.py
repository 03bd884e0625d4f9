"""Asks TensorFlow what it makes of every test row and stores the answers in tests/golden.

Run in the oracle's environment: python -m tests.oracle.write_golden [FAMILY ...] [--missing]
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from graphgrad.schema import graph_pb2
from tests import cases, golden_store
from tests.cases import Built, Case
from tests.closeness import widened
from tests.seeds import seed_value
from tests.structure import normal_form

tf1 = tf.compat.v1
tf1.disable_control_flow_v2()  # as the graphs graphgrad reproduces were made: with it a rule's tape has other scopes


def tensorflow_graph(built: Built) -> tuple[tf.Graph, bytes]:
    """The case's graph in TensorFlow, by way of its bytes."""
    definition = graph_pb2.GraphDef(node=[op.node_def() for op in built.graph])
    definition.versions.producer = built.graph.message.versions.producer
    data = definition.SerializeToString(deterministic=True)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf1.GraphDef.FromString(data), name="")
    return graph, data


def record(case: Case) -> dict[str, Any]:
    """Values and node listings of one case."""
    found: dict[str, Any] = {"values": {}, "nodes": {}, "raises": {}}
    for level in case.levels:
        built = case.build(level)
        try:
            graph, _ = tensorflow_graph(built)
            _differentiate(case, level, built, graph, found)
        except Exception as error:  # what TensorFlow refuses is a fact to be stored
            found["raises"][level] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    return found


def _differentiate(case: Case, level: str, built: Built, graph: tf.Graph, found: dict[str, Any]) -> None:
    originals = {op.name for op in graph.get_operations()}
    fetches = {f"y{i}": graph.get_tensor_by_name(t.name) for i, t in enumerate(built.outputs)}
    with graph.as_default():
        if built.ys and built.xs:
            ys = [graph.get_tensor_by_name(t.name) for t in built.ys]
            xs = [graph.get_tensor_by_name(t.name) for t in built.xs]
            seeds = [tf1.placeholder(y.dtype, y.shape, name=f"dy{i}") for i, y in enumerate(ys)]
            originals |= {s.op.name for s in seeds}
            for order in range(1, case.order + 1):
                try:
                    gradients = tf1.gradients(ys, xs, grad_ys=seeds if order == 1 else None, name=case.scope(order))
                except Exception as error:
                    found["raises"][f"{level}/{order}"] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
                    break
                listing = normal_form(n for n in _nodes(graph) if n.name not in originals)
                found["nodes"][f"{level}/{order}"] = {
                    k: v for k, v in listing.items() if k.startswith(case.scope(order) + "/")
                }
                for i, gradient in enumerate(gradients):
                    if gradient is not None:
                        fetches[f"order{order}/{i}"] = tf.convert_to_tensor(gradient)
                ys = [tf.convert_to_tensor(g) for g in gradients if g is not None and not g.dtype.is_complex][:1]
                originals |= {op.name for op in graph.get_operations()}
                if not ys:
                    break
    if "y0" in found["values"] or case.random:
        return
    feeds = dict(built.feeds)
    with tf1.Session(graph=graph) as session:
        for i, y in enumerate(built.ys):
            feeds[f"dy{i}:0"] = seed_value(i, session.run(y.name, built.feeds)) if built.xs else None
        if not built.xs:
            feeds = dict(built.feeds)
        for key, tensor in fetches.items():
            try:
                found["values"][key] = stored(session.run(tensor, feeds))
            except tf.errors.OpError as error:
                found["raises"][key] = f"{type(error).__name__}: {str(error.message).splitlines()[0][:200]}"


def stored(value: Any) -> np.ndarray[Any, Any]:
    """An array as archives can hold it."""
    array = np.asarray(value)
    if array.dtype == object:
        return np.array(array.tolist(), "S")
    return widened(array)


def _nodes(graph: tf.Graph) -> Any:
    return graph_pb2.GraphDef.FromString(graph.as_graph_def().SerializeToString()).node


def main() -> None:
    """Writes the archives of the families named, of all where none is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", help="families to write; all where none is named")
    parser.add_argument("--missing", action="store_true", help="keep what is stored, add only new rows")
    arguments = parser.parse_args()
    for family in arguments.families or cases.families():
        records = golden_store.read(family) if arguments.missing else {}
        rows = cases.cases_of(family)
        records = {row.id: records.get(row.id) or record(row) for row in rows}
        golden_store.write(family, records)
        raised = {i: r["raises"] for i, r in records.items() if r["raises"]}
        print(f"{family}: {len(records)} rows")
        for case_id, what in raised.items():
            print(f"  TensorFlow raises: {case_id}: {what}")


if __name__ == "__main__":
    main()
