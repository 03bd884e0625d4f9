"""What a graph holds: inputs, outputs, variables, constants, ops, functions, loops and branches; likely ys and xs.

It reads what is there and changes nothing; large constants are measured, not decoded.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from graphgrad import signatures
from graphgrad.attributes import Shape, decode_shape
from graphgrad.dtypes import DType
from graphgrad.frontier import Frontier
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.tensors import Tensor

INPUTS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
VARIABLES = ("VariableV2", "Variable", "VarHandleOp", "TemporaryVariable")
READS = ("ReadVariableOp", "VarIsInitializedOp", "IsVariableInitialized")
LARGEST = 10  # constants that are listed one by one
_OF_A_GRADIENT = re.compile(r"_grad(?:_\d+)?/|(?:^|/)grad_ys_\d+")
LOSS_WORDS = ("loss", "cost", "error", "objective", "nll", "elbo")
# How control flow is written: in the graph's own nodes, or as operations that call functions.
CONTROL_FLOW = {
    "loops (Enter, Exit)": ("Enter", "RefEnter"),
    "branches (Switch, Merge)": ("Merge", "RefMerge"),
    "While": ("While", "StatelessWhile"),
    "If, Case": ("If", "StatelessIf", "Case", "StatelessCase"),
    "calls": ("PartitionedCall", "StatefulPartitionedCall", "SymbolicGradient"),
}


@dataclasses.dataclass(frozen=True)
class Item:
    """A tensor, variable or constant: bytes are None where a dimension is unknown."""

    name: str
    dtype: str
    shape: list[int | None] | None
    bytes: int | None = None


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What is in a graph. `parameters` counts the elements of variables and of constants with more than one element
    whose dtype has gradients; of a model with signatures, of those that their outputs follow from. `ops_in_functions`
    counts the nodes of the functions that these run, of each function once."""

    nodes: int
    producer: int
    min_consumer: int
    inputs: list[Item]
    outputs: list[Item]
    variables: list[Item]
    constants: int
    constant_bytes: int
    parameters: int
    largest_constants: list[Item]
    ops: dict[str, int]
    ops_in_functions: dict[str, int]
    dtypes: dict[str, int]
    devices: dict[str, int]
    functions: list[dict[str, Any]]
    control_flow: dict[str, int]
    signatures: dict[str, dict[str, dict[str, str]]]  # by name: 'inputs' and 'outputs', tensors by their names there

    def as_json(self) -> dict[str, Any]:
        return {"schema": 1, **dataclasses.asdict(self)}


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """Tensors that are likely meant as ys and xs, the likeliest first."""

    ys: list[str]
    xs: list[str]


def inspect(graph: Graph) -> Inspection:
    """What the graph holds."""
    constants = [_constant(op) for op in graph if op.type == "Const"]
    variables = [_variable(op) for op in graph if op.type in VARIABLES]
    versions, used = graph.message.versions, _used(graph)
    return Inspection(
        nodes=len(graph),
        producer=versions.producer,
        min_consumer=versions.min_consumer,
        inputs=[_item(op.outputs[0]) for op in graph if op.type in INPUTS],
        outputs=[_item(t) for t in outputs(graph)],
        variables=variables,
        constants=len(constants),
        constant_bytes=sum(c.bytes or 0 for c in constants),
        parameters=sum(_elements(i.shape) for i in variables if graph.operation(i.name) in used)
        + sum(_elements(t.shape) for t in _parameters(graph) if t.op in used),
        largest_constants=sorted(constants, key=lambda c: -(c.bytes or 0))[:LARGEST],
        ops=_counted(op.type for op in graph),
        ops_in_functions=_counted(
            node.op for name in _functions_run(graph, used) for node in graph.functions[name].node_def
        ),
        dtypes=_counted(repr(t.dtype) for op in graph for t in op.outputs if t.dtype is not None),
        devices=_counted(op.device for op in graph if op.device),
        functions=[_function(f) for f in graph.functions.values()],
        control_flow={what: n for what, types in CONTROL_FLOW.items() if (n := sum(op.type in types for op in graph))},
        signatures={name: _signature(found) for name, found in signatures.signatures(graph).items()},
    )


def _functions_run(graph: Graph, operations: Iterable[Operation]) -> list[str]:
    """The functions that operations run, and those that these run."""
    library = graph.functions
    found = library.run_by(op.node_def() for op in operations) if library else ()
    return list(dict.fromkeys(map(library.base, found)))


def _used(graph: Graph) -> Collection[Operation]:
    """What the outputs of the signatures follow from; without signatures everything."""
    infos = [info for found in signatures.signatures(graph).values() for info in found.outputs.values()]
    names = [name for info in infos for name in signatures.tensors_of(info)]
    return set(needed_by(graph.tensor(name).op for name in names)) if names else graph.operations


def _signature(found: signatures.Signature) -> dict[str, dict[str, str]]:
    sides = {"inputs": found.inputs, "outputs": found.outputs}
    return {
        side: {key: ", ".join(signatures.tensors_of(infos[key])) for key in sorted(infos)}
        for side, infos in sides.items()
    }


def suggest(graph: Graph) -> Suggestion:
    """What somebody who wants gradients of this graph is likely to want: a loss, and the weights and inputs it follows from."""
    named = [t for t in _named_outputs(graph) if t.dtype is not None and (t.dtype.is_floating or t.dtype.is_complex)]
    candidates = named or [
        t for t in outputs(graph) if t.dtype is not None and (t.dtype.is_floating or t.dtype.is_complex)
    ]
    ranked = sorted(candidates, key=_rank)
    ys = [t for t in ranked if _rank(t) == _rank(ranked[0])]
    if not ys:
        return Suggestion([], [])
    inputs = [op.outputs[0] for op in graph if op.type in INPUTS and _is_trainable(op.outputs[0])]
    variables = [op.outputs[0] for op in graph if op.type in VARIABLES and op.outputs]
    sources = variables + _parameters(graph) + inputs
    between = Frontier(ys, sources).between
    return Suggestion([t.input_name for t in ys], [x.input_name for x in sources if x.op in between])


def abbreviated(graph: Graph, names: list[str]) -> list[str]:
    """Globs, and names where none fits, that together match the tensors of these names and no other node."""
    left, found = dict.fromkeys(names), []
    for pattern in _patterns(names):
        matches = [op.name for op in graph if op.outputs and fnmatch.fnmatchcase(op.name, pattern)]
        if len(matches) > 2 and all(name in left for name in matches):
            found.append(pattern)
            left = {name: None for name in left if name not in matches}
    return [*found, *left]


def _patterns(names: list[str]) -> list[str]:
    """Globs by what names end with, the most general first, then by what they begin with before a number."""
    plain = [name for name in names if not set(name) & set("*?[")]
    parts = [name.split("/") for name in plain]
    ends = [f"*/{'/'.join(p[-depth:])}" for depth in (1, 2, 3) for p in parts if len(p) > depth]
    starts = [re.sub(r"\d+$", "", name) + "*" for name in plain if name[-1:].isdigit()]
    return list(dict.fromkeys(p for p in ends + starts if p != "*"))


def _named_outputs(graph: Graph) -> list[Tensor]:
    """What the signature gives that the model would be called by."""
    found = signatures.chosen(graph)
    infos = [] if found is None else [found.outputs[key] for key in sorted(found.outputs)]
    return [graph.tensor(name) for info in infos for name in signatures.tensors_of(info)]


def evaluated(graph: Graph) -> list[Tensor]:
    """What a model is evaluated for: the outputs of its signature, without one all that nothing takes but its saver."""
    saver = signatures.only_for_the_saver(graph)
    return _named_outputs(graph) or [t for t in outputs(graph) if t.op not in saver]


def outputs(graph: Graph) -> list[Tensor]:
    """The tensors of operations that none of the graph's operations takes a tensor from; reads of variables left out."""
    used = {t.op for op in graph for t in op.inputs}
    return [t for op in graph if op not in used and op.inputs and not _reads_a_variable(op) for t in op.outputs]


def _reads_a_variable(op: Operation) -> bool:
    return op.type in READS and op.inputs[0].op.type in VARIABLES


def _rank(tensor: Tensor) -> tuple[bool, bool, bool]:
    """The smaller, the likelier the tensor is meant to be differentiated; of a training graph not what its gradients leave over."""
    return bool(_OF_A_GRADIENT.search(tensor.op.name)), not _sounds_like_a_loss(tensor), tensor.shape != ()


def _sounds_like_a_loss(tensor: Tensor) -> bool:
    return any(word in tensor.op.name.lower() for word in LOSS_WORDS)


def _is_trainable(tensor: Tensor) -> bool:
    return tensor.dtype is not None and tensor.dtype.is_trainable


def _parameters(graph: Graph) -> list[Tensor]:
    """The constants that are likely weights: more than one element, of a dtype that has gradients."""
    constants = [op.outputs[0] for op in graph if op.type == "Const"]
    return [t for t in constants if _is_trainable(t) and _elements(t.shape) > 1]


def _elements(shape: Shape | list[int | None]) -> int:
    return 0 if shape is None or None in shape else math.prod(shape)  # type: ignore[arg-type]


def _bytes(dtype: DType | None, shape: Shape) -> int | None:
    if dtype is None or dtype.size is None or shape is None or None in shape:
        return None
    return dtype.size * _elements(shape)


def _item(tensor: Tensor) -> Item:
    shape = tensor.shape
    return Item(tensor.input_name, repr(tensor.dtype), None if shape is None else list(shape))


def _constant(op: Operation) -> Item:
    dtype, tensor = op["dtype"], op["value"]
    shape = decode_shape(tensor.tensor_shape)
    size = sum(map(len, tensor.string_val)) if dtype.size is None else _bytes(dtype, shape)
    return Item(op.name, repr(dtype), None if shape is None else list(shape), size)


def _variable(op: Operation) -> Item:
    dtype, shape = op["dtype"], op["shape"]
    return Item(op.name, repr(dtype), None if shape is None else list(shape), _bytes(dtype, shape))


def _function(definition: Any) -> dict[str, Any]:
    signature = definition.signature
    return {
        "name": signature.name,
        "nodes": len(definition.node_def),
        "inputs": len(signature.input_arg),
        "outputs": len(signature.output_arg),
        "attributes": [attr.name for attr in signature.attr],
    }


def _counted(items: Any) -> dict[str, int]:
    return dict(sorted(Counter(items).items(), key=lambda item: (-item[1], item[0])))
