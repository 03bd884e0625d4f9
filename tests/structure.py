"""Nodes in a normal form, so that graphs of different writers can be compared node for node.

Spellings that mean the same are made the same: `x:0` and `x`, defaults left out, the encoding of constants.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphgrad import opdefs
from graphgrad.formats import arrays
from graphgrad.schema import graph_pb2


def normal_form(nodes: Iterable[graph_pb2.NodeDef], with_classes: bool = False) -> dict[str, str]:
    """Node name -> everything that counts of the node, as one line."""
    return {node.name: _line(node, with_classes) for node in nodes}


def _line(node: graph_pb2.NodeDef, with_classes: bool) -> str:
    inputs = [i.removesuffix(":0") for i in node.input]
    data = [i for i in inputs if not i.startswith("^")]
    controls = sorted(i for i in inputs if i.startswith("^"))
    return f"{node.op}({', '.join(data + controls)}) {node.device} {' '.join(_attrs(node, with_classes))}".rstrip()


def _attrs(node: graph_pb2.NodeDef, with_classes: bool) -> list[str]:
    shown = []
    for name in sorted(node.attr):
        if name.startswith("_") and not (with_classes and name == "_class"):
            continue
        attr = node.attr[name]
        default = opdefs.default(node.op, name)
        if default is None or attr != default:
            shown.append(f"{name}={_show(attr)}")
    return shown


def _show(attr: graph_pb2.AttrValue) -> str:
    kind = attr.WhichOneof("value")
    if kind == "tensor":
        array = arrays.from_proto(attr.tensor)
        return f"{array.dtype}{list(array.shape)}{array.tolist()!r}"
    if kind == "func" or attr.list.func:
        return f"{max(1, len(attr.list.func))} function"
    return attr.SerializeToString(deterministic=True).hex()


def difference(expected: dict[str, str], found: dict[str, str]) -> str:
    """What of `found` is not as expected, on a few lines; empty where all is."""
    lines = [f"missing {name}: {expected[name]}" for name in expected if name not in found]
    lines += [f"extra   {name}: {found[name]}" for name in found if name not in expected]
    for name in expected:
        if name in found and expected[name] != found[name]:
            lines += [f"differs {name}:", f"  TensorFlow {expected[name]}", f"  graphgrad  {found[name]}"]
    return "\n".join(lines[:12])
