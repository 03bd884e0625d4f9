"""Fused operations of TensorFlow.js models as the ones they were made of, which have gradients and run everywhere.

The last of them has the name of the fused one, so that whoever reads it does not notice; the others stand below it.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphgrad import attributes
from graphgrad.errors import ModelError
from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2

_BASES = {
    "_FusedConv2D": ("Conv2D", "T strides padding explicit_paddings data_format dilations use_cudnn_on_gpu"),
    "_FusedDepthwiseConv2dNative": ("DepthwiseConv2dNative", "T strides padding data_format dilations"),
    "_FusedMatMul": ("MatMul", "T transpose_a transpose_b"),
}
_ACTIVATIONS = ("Relu", "Relu6", "Elu", "LeakyRelu", "Tanh", "Sigmoid")


def unfused(graph: Graph) -> Graph:
    """The graph with ordinary operations in the place of fused ones; the same graph where it has none."""
    if not any(op.type in _BASES or op.type == "Prelu" for op in graph):
        return graph
    message = graph_pb2.GraphDef()
    message.CopyFrom(graph.message)
    del message.node[:]
    for op in graph:
        nodes = _Parts(op.node_def()).nodes() if op.type in _BASES or op.type == "Prelu" else [op.node_def()]
        message.node.extend(nodes)
    made = Graph(message, graph.payloads)
    made.source, made.meta, made.signature = graph.source, graph.meta, graph.signature
    made.new_signatures, made.new_objects = graph.new_signatures, graph.new_objects
    return made


class _Parts:
    """The operations that one was fused of, in order; each takes what the one before gave."""

    def __init__(self, node: graph_pb2.NodeDef):
        self.node = node
        self.data = [text for text in node.input if text[:1] != "^"]
        self.made: list[graph_pb2.NodeDef] = []

    def nodes(self) -> list[graph_pb2.NodeDef]:
        """The operations. Raises ModelError for one that is not known."""
        node = self.node
        if node.op == "Prelu":
            self._prelu(*self.data)
        else:
            op, attrs = _BASES[node.op]
            last = self._add(op, op, self.data[:2])
            for name in attrs.split():
                if name in node.attr:
                    last.attr[name].CopyFrom(node.attr[name])
            arguments = self.data[2:]
            for name in attributes.decode(node.attr["fused_ops"]) or ():
                arguments = self._fuse(str(name), arguments)
        last = self.made[-1]
        last.name = node.name
        last.input.extend(text for text in node.input if text[:1] == "^")
        return self.made

    def _fuse(self, name: str, arguments: list[str]) -> list[str]:
        """Adds an operation; the arguments that are left for those behind it."""
        before = self.made[-1].name
        if name == "BiasAdd":
            new = self._add(name, name, [before, arguments[0]])
            if "data_format" in self.node.attr:
                new.attr["data_format"].CopyFrom(self.node.attr["data_format"])
            return arguments[1:]
        if name == "FusedBatchNorm":
            new = self._add("FusedBatchNormV3", name, [before, *arguments[:4]])
            new.attr["U"].CopyFrom(self.node.attr["T"])
            new.attr["is_training"].b = False
            for attr in ("epsilon", "data_format"):
                if attr in self.node.attr:
                    new.attr[attr].CopyFrom(self.node.attr[attr])
            return arguments[4:]
        if name == "Prelu":
            self._prelu(before, arguments[0])
            return arguments[1:]
        if name not in _ACTIVATIONS:
            raise ModelError(f"{self.node.op} node {self.node.name!r} has {name!r} fused into it, which is not known")
        new = self._add(name, name, [before])
        if name == "LeakyRelu" and "leakyrelu_alpha" in self.node.attr:
            new.attr["alpha"].CopyFrom(self.node.attr["leakyrelu_alpha"])
        return arguments

    def _prelu(self, x: str, alpha: str) -> None:
        """max(x, 0) + alpha min(x, 0)."""
        positive = self._add("Relu", "Positive", [x]).name
        turned = self._add("Neg", "Turned", [x]).name
        negative = self._add("Relu", "Negative", [turned]).name
        scaled = self._add("Mul", "Scaled", [alpha, negative]).name
        self._add("Sub", "Prelu", [positive, scaled])

    def _add(self, op: str, name: str, inputs: Sequence[str]) -> graph_pb2.NodeDef:
        node = graph_pb2.NodeDef(name=f"{self.node.name}/{name}", op=op, device=self.node.device, input=inputs)
        if "T" in self.node.attr:
            node.attr["T"].CopyFrom(self.node.attr["T"])
        else:
            node.attr["T"].type = graph_pb2.DT_FLOAT
        self.made.append(node)
        return node
