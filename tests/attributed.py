"""Graphs whose functions have attributes of their own, as TensorFlow's C++ writes them, with what they compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import text_format

from graphgrad.schema import graph_pb2

FED = {"x": np.array([0.3, -0.2, 1.1], "f"), "p": np.array(True), "i": np.array(1, np.int32)}

_INPUTS = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "shape" value { shape { dim { size: 3 } } } } }
node { name: "p" op: "Placeholder" attr { key: "dtype" value { type: DT_BOOL } } attr { key: "shape" value { shape { } } } }
node { name: "i" op: "Placeholder" attr { key: "dtype" value { type: DT_INT32 } } attr { key: "shape" value { shape { } } } }
"""


def attr(name: str, value: str) -> str:
    return f'attr {{ key: "{name}" value {{ {value} }} }}'


def node(name: str, op: str, inputs: str, *attrs: str) -> str:
    given = " ".join(f'input: "{i}"' for i in inputs.split())
    return f'{{ name: "{name}" op: "{op}" {given} {" ".join(attrs)} }}'


def named(name: str, *bound: str) -> str:
    return f'func {{ name: "{name}" {" ".join(bound)} }}'


def function(name: str, takes: str, gives: str, attrs: str, nodes: list[str], results: dict[str, str]) -> str:
    """A function of the library; `takes`, `gives` and `attrs` are the fields of arguments and attributes."""
    args = "".join(f"input_arg {{ {a} }} " for a in takes.split(";"))
    args += "".join(f"output_arg {{ {a} }} " for a in gives.split(";"))
    args += "".join(f"attr {{ {a} }} " for a in attrs.split(";") if a)
    body = " ".join(f"node_def {n}" for n in nodes)
    rets = " ".join(f'ret {{ key: "{k}" value: "{v}" }}' for k, v in results.items())
    return f'function {{ signature {{ name: "{name}" {args} }} {body} {rets} }}'


T, FLOAT = attr("T", 'placeholder: "T"'), attr("T", "type: DT_FLOAT")
FLOATS = "list { type: DT_FLOAT }"
_TYPE = 'name: "T" type: "type"'
_IN, _OUT = 'name: "a" type_attr: "T"', 'name: "z" type_attr: "T"'


def tensor(value: float) -> str:
    return f"tensor {{ dtype: DT_FLOAT tensor_shape {{ }} float_val: {value} }}"


SQUARED = function("Squared", _IN, _OUT, _TYPE, [node("m", "Mul", "a a", T)], {"z": "m:z:0"})
SINE = function(
    "Sine", _IN, _OUT, _TYPE + " default_value { type: DT_FLOAT }", [node("m", "Sin", "a", T)], {"z": "m:y:0"}
)
SCALED = function(
    "Scaled",
    'name: "a" type: DT_FLOAT',
    'name: "z" type: DT_FLOAT',
    f'name: "K" type: "tensor" default_value {{ {tensor(5)} }}',
    [
        node("k", "Const", "", attr("dtype", "type: DT_FLOAT"), attr("value", 'placeholder: "K"')),
        node("m", "Mul", "a k:output", FLOAT),
        node("n", "Mul", "m:z a", FLOAT),
    ],
    {"z": "n:z"},
)
# It computes what one of its attributes names, twice.
TWICE = function(
    "Twice",
    _IN,
    _OUT,
    f'{_TYPE} ; name: "f" type: "func" ; name: "Ts" type: "list(type)"',
    [
        node(
            "m",
            "PartitionedCall",
            "a",
            *(attr(k, 'placeholder: "Ts"') for k in ("Tin", "Tout")),
            attr("f", 'placeholder: "f"'),
        ),
        node(
            "n",
            "PartitionedCall",
            "m:output",
            *(attr(k, 'placeholder: "Ts"') for k in ("Tin", "Tout")),
            attr("f", 'placeholder: "f"'),
        ),
    ],
    {"z": "n:output:0"},
)
# It hands its own attribute on to others.
NESTED = function(
    "Nested",
    'name: "a" type_attr: "U"',
    'name: "z" type_attr: "U"',
    'name: "U" type: "type"',
    [
        node(
            "m",
            "PartitionedCall",
            "a",
            attr("Tin", FLOATS),
            attr("Tout", FLOATS),
            attr("f", named("Squared", attr("T", 'placeholder: "U"'))),
        ),
        node("n", "Sine", "m:output", attr("T", 'placeholder: "U"')),
    ],
    {"z": "n:z"},
)
# It takes and gives as many tensors as its caller says.
SUMMED = function(
    "Summed",
    'name: "a" type_attr: "T" number_attr: "N"',
    'name: "z" type_attr: "T" ; name: "w" type_attr: "T" number_attr: "N"',
    f'{_TYPE} ; name: "N" type: "int"',
    [
        node("m", "AddN", "a", T, attr("N", 'placeholder: "N"')),
        node("s", "Mul", "m:sum a:1", T),
        node("i", "IdentityN", "a:1 s:z", attr("T", "list { type: DT_FLOAT type: DT_FLOAT }")),
    ],
    {"z": "s:z", "w": "i:output"},
)
LISTED = function(
    "Listed",
    'name: "a" type_list_attr: "Ts"',
    'name: "z" type_list_attr: "Ts"',
    'name: "Ts" type: "list(type)"',
    [node("i", "IdentityN", "a", attr("T", 'placeholder: "Ts"'))],
    {"z": "i:output"},
)
# An attribute that its signature does not tell of.
UNTOLD = function(
    "Untold", 'name: "a" type: DT_FLOAT', 'name: "z" type: DT_FLOAT', "", [node("m", "Mul", "a a", T)], {"z": "m:z:0"}
)
BELOW = function(
    "Below",
    _IN,
    'name: "z" type: DT_BOOL',
    f'{_TYPE} ; name: "L" type: "tensor"',
    [
        node("k", "Const", "", attr("dtype", 'placeholder: "T"'), attr("value", 'placeholder: "L"')),
        node(
            "ax",
            "Const",
            "",
            attr("dtype", "type: DT_INT32"),
            attr("value", "tensor { dtype: DT_INT32 tensor_shape { } int_val: 0 }"),
        ),
        node("s", "Sum", "a ax:output:0", T, attr("Tidx", "type: DT_INT32")),
        node("m", "Less", "s:output k:output", T),
    ],
    {"z": "m:z"},
)
SQUARED_GRADIENT = function(
    "SquaredGradient",
    f'{_IN} ; name: "dz" type_attr: "T"',
    'name: "da" type_attr: "T"',
    _TYPE,
    [node("m", "Sub", "a dz", T)],
    {"da": "m:z"},
)
GRADIENT_OF_SQUARED = 'gradient { function_name: "Squared" gradient_func: "SquaredGradient" }'


def call(op: str, name: str, *bound: str) -> str:
    return node("y", op, "x", attr("f", named(name, *bound)), attr("Tin", FLOATS), attr("Tout", FLOATS))


def branch(op: str, first: str, second: str) -> str:
    kinds = attr("Tcond", "type: DT_BOOL"), attr("Tin", FLOATS), attr("Tout", FLOATS)
    return node("y", op, "p x", *kinds, attr("then_branch", first), attr("else_branch", second))


def case(op: str, *branches: str) -> str:
    kinds = attr("Tin", FLOATS), attr("Tout", FLOATS)
    return node("y", op, "i x", *kinds, attr("branches", f"list {{ {' '.join(branches)} }}"))


def loop(op: str, name: str) -> str:
    cond = named("Below", FLOAT, attr("L", tensor(20)))
    return node("y", op, "x", attr("T", FLOATS), attr("cond", cond), attr("body", named(name, FLOAT)))


def symbolic(*bound: str) -> str:
    kinds = attr("Tin", "list { type: DT_FLOAT type: DT_FLOAT }"), attr("Tout", FLOATS)
    return node("y", "SymbolicGradient", "x x", attr("f", named("Squared", *bound)), *kinds)


class Program(NamedTuple):
    """A library, a node 'y' that calls one of its functions, and what its outputs come to."""

    library: str
    y: str
    value: Callable[[Any], Any]
    outputs: int = 1

    def graph_def(self) -> graph_pb2.GraphDef:
        text = f"{_INPUTS} library {{ {self.library} }} node {self.y} versions {{ producer: 1987 }}"
        return text_format.Parse(text, graph_pb2.GraphDef())


def _squared(x: Any) -> Any:
    return x * x


def _until_above(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        while x.sum() < 20:
            x = step(x)
        return x

    return run


def _scaled(x: Any) -> Any:
    return 2 * x * x


_TWICE = attr("Ts", FLOATS), attr("f", named("Sine", FLOAT))
_TWO = attr("K", tensor(2))
_PAIR = attr("T", "type: DT_FLOAT"), attr("N", "i: 2")
PROGRAMS = {
    "by name": Program(SQUARED, node("y", "Squared", "x", FLOAT), _squared),
    "by name, by default": Program(SINE, node("y", "Sine", "x"), np.sin),
    "call": Program(SQUARED, call("PartitionedCall", "Squared", FLOAT), _squared),
    "stateful call": Program(SQUARED, call("StatefulPartitionedCall", "Squared", FLOAT), _squared),
    "constant": Program(SCALED, call("PartitionedCall", "Scaled", _TWO), _scaled),
    "constant by default": Program(SCALED, call("PartitionedCall", "Scaled"), lambda x: 5 * x * x),
    "two instances": Program(SCALED, branch("If", named("Scaled", _TWO), named("Scaled")), _scaled),
    "if": Program(SQUARED + SINE, branch("If", named("Squared", FLOAT), named("Sine", FLOAT)), _squared),
    "stateless if": Program(SQUARED, branch("StatelessIf", *[named("Squared", FLOAT)] * 2), _squared),
    "case": Program(SQUARED + SINE, case("Case", named("Squared", FLOAT), named("Sine", FLOAT)), np.sin),
    "while": Program(SQUARED + BELOW, loop("While", "Squared"), _until_above(_squared)),
    "stateless while": Program(SQUARED + BELOW, loop("StatelessWhile", "Squared"), _until_above(_squared)),
    "function as attribute": Program(
        SINE + TWICE, node("y", "Twice", "x", FLOAT, *_TWICE), lambda x: np.sin(np.sin(x))
    ),
    "nested": Program(
        SQUARED + SINE + NESTED, node("y", "Nested", "x", attr("U", "type: DT_FLOAT")), lambda x: np.sin(x * x)
    ),
    "number of tensors": Program(SUMMED, node("y", "Summed", "x x", *_PAIR), lambda x: 2 * x * x, 3),
    "list of tensors": Program(
        LISTED, node("y", "Listed", "x x", attr("Ts", "list { type: DT_FLOAT type: DT_FLOAT }")), lambda x: x, 2
    ),
    "untold": Program(UNTOLD, call("PartitionedCall", "Untold", FLOAT), _squared),
    "untold, by name": Program(UNTOLD, node("y", "Untold", "x", FLOAT), _squared),
    "more than it needs": Program(SQUARED, node("y", "Squared", "x", FLOAT, attr("U", "i: 3")), _squared),
    "symbolic gradient": Program(SQUARED, symbolic(FLOAT), lambda x: 2 * x * x),
}
