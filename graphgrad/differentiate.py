"""`tf.gradients` over a graph in memory: arguments checked, seeds made, the reverse pass run, every None explained.

`gradients` is the function users call; `differentiate` also gives the reasons and is what the command line uses.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

from graphgrad import collector, dtypes, names, registry
from graphgrad.backprop import AGGREGATION_METHODS, Gradient, ReversePass
from graphgrad.depth import with_room
from graphgrad.errors import ArgumentError, DtypeError, NotAGraphTensorError
from graphgrad.frontier import Frontier
from graphgrad.graph import Graph
from graphgrad.reasons import Reason, explain
from graphgrad.shapes import dims
from graphgrad.tensors import IndexedSlices, Tensor


class AggregationMethod:
    """How several gradients of one tensor are summed; the constants of `tf.AggregationMethod`."""

    ADD_N = 0
    DEFAULT = ADD_N
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2


class UnconnectedGradients(enum.Enum):
    """What an x gets that ys do not depend on; that of `tf.UnconnectedGradients` is taken as well."""

    NONE = "none"
    ZERO = "zero"


@dataclasses.dataclass(frozen=True)
class Differentiation:
    """What one call added: a gradient per x (None with its reason in `reasons`), the nodes it rewrote, and how many copies of
    forward nodes it made for `checkpoints`."""

    xs: list[Tensor]
    gradients: list[Gradient]
    reasons: list[Reason | None]
    rewritten: list[str]
    recomputed: int = 0

    def densified(self) -> Differentiation:
        """The same with every IndexedSlices made a dense tensor, by nodes added beside its values."""
        return dataclasses.replace(self, gradients=[_dense(g) for g in self.gradients])

    def aliased(self, pattern: str) -> Differentiation:
        """The same with each gradient behind an Identity named after its x: '{x}' in the pattern is x's node name."""
        names_ = [_alias(pattern, x) for x in self.xs]
        aliased = [g if g is None else _behind(g, name) for g, name in zip(self.gradients, names_, strict=True)]
        return dataclasses.replace(self, gradients=aliased)

    def as_json(self) -> list[dict[str, Any]]:
        """One entry per x, as the command line's contract has them."""
        entries = zip(self.xs, self.gradients, self.reasons, strict=True)
        return [{"x": x.name, **_entry(gradient, reason)} for x, gradient, reason in entries]


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str | None = "gradients",
    gate_gradients: bool = False,
    aggregation_method: str | int | None = None,
    stop_gradients: Any = None,
    unconnected_gradients: Any = "none",
    *,
    colocate_gradients_with_ops: bool = False,
    checkpoints: Any = None,
    graph: Graph | None = None,
) -> list[Gradient]:
    """Appends to the graph the symbolic derivatives of the sum of `ys` with respect to each of `xs`.

    The signature and the behaviour are those of `tf.gradients`, with three keywords more. `ys`, `xs`, `grad_ys` and
    `stop_gradients` are tensors or lists of tensors of one graph, or their names where `graph` is given.

    Args:
        ys: the tensor or tensors to differentiate.
        xs: the tensor or tensors to differentiate with respect to; any tensors, ys among them.
        grad_ys: the gradient that each y receives, of its dtype and shape; None stands for ones.
        name: the scope of the new nodes; a second call opens `name_1`.
        gate_gradients: no gradient of an op is handed on before all of them are computed.
        aggregation_method: a constant of `AggregationMethod`, or 'default', 'add-n', 'experimental-tree' or
            'experimental-accumulate-n'.
        stop_gradients: tensors that are taken as constants.
        unconnected_gradients: `UnconnectedGradients.NONE` or 'none' gives None for an x that ys do not depend on, `ZERO`
            or 'zero' gives zeros.
        colocate_gradients_with_ops: new nodes carry the colocation class of the op they differentiate.
        checkpoints: tensors that are kept between xs and ys, while what lies between them is computed again when gradients
            come to it; 'auto' chooses them so that a chain of n needs the memory of some 2 * sqrt(n) of its tensors.
        graph: the graph that names refer to.

    Returns:
        One `Tensor`, `IndexedSlices` or None per x, of x's dtype and shape.

    Raises:
        LookupError: an operation between ys and xs has no registered gradient.
        ValueError: an argument is invalid.
        TypeError: a y or a grad_y has a dtype that cannot be differentiated.
        RuntimeError: arrays were given instead of tensors of a graph.
    """
    found = differentiate(
        ys,
        xs,
        grad_ys,
        name=name,
        colocate_gradients_with_ops=colocate_gradients_with_ops,
        gate_gradients=gate_gradients,
        aggregation_method=aggregation_method,
        stop_gradients=stop_gradients,
        unconnected_gradients=unconnected_gradients,
        checkpoints=checkpoints,
        graph=graph,
    )
    return found.gradients


def differentiate(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    *,
    name: str | None = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: str | int | None = None,
    stop_gradients: Any = None,
    unconnected_gradients: Any = "none",
    custom_gradients: str = "error",
    checkpoints: Any = None,
    graph: Graph | None = None,
) -> Differentiation:
    """Like `gradients`, and tells what it did.

    `custom_gradients` says what becomes of an op whose `_gradient_op_type` names Python code the file does not hold:
    'error' (LookupError) or 'through' (the op's own rule). Raises as `gradients` does.
    """
    graph = graph or _graph_of(ys, xs)
    y_list, x_list = _tensors(graph, ys, "ys"), _tensors(graph, xs, "xs")
    stops = _tensors(graph, stop_gradients, "stop_gradients") if stop_gradients is not None else []
    kept = _tensors(graph, checkpoints, "checkpoints") if checkpoints not in (None, "auto") else checkpoints
    given = _seeds_given(graph, grad_ys, len(y_list))
    method = _aggregation(aggregation_method)
    unconnected_gradients = getattr(unconnected_gradients, "value", unconnected_gradients)
    _check_choice("unconnected_gradients", unconnected_gradients, ("none", "zero"))
    _check_choice("custom_gradients", custom_gradients, ("error", "through"))
    if not y_list or not x_list:
        raise ArgumentError(f"{'xs' if y_list else 'ys'} is empty: name at least one tensor")
    for y, seed in zip(y_list, given, strict=True):
        _check_seed(y, seed)

    g = graph.build
    g.custom_gradients = custom_gradients
    already = len(graph.rewritten)
    scope = ""
    name = "gradients" if name is None else name
    if name:
        names.check_scope_name(name.rstrip("/"), "name")
        scope = name if name.endswith("/") else graph.name_authority.unique_scope(name) + "/"
    with collector.paused(), g.in_scope(scope):
        seeds = [
            _seed(g, i, y, seed, colocate_gradients_with_ops)
            for i, (y, seed) in enumerate(zip(y_list, given, strict=True))
        ]
        frontier = Frontier(y_list, x_list, stops)
        reverse = _pass_through(frontier)(
            g,
            frontier,
            gate=gate_gradients,
            aggregation=method,
            colocate=colocate_gradients_with_ops,
            through=custom_gradients == "through",
        )
        before = len(graph.operations)
        with_room(graph.depth, lambda: reverse.run(y_list, seeds))
        recomputed = 0
        if kept:
            from graphgrad.recompute import recompute

            recomputed = recompute(g, frontier, graph.operations[before:], kept)
    found: list[Gradient] = [reverse.gradient(x) for x in x_list]
    reasons = [explain(x, reverse) if dx is None else None for x, dx in zip(x_list, found, strict=True)]
    if unconnected_gradients == "zero":
        found = [g.unconnected(x) if dx is None else dx for x, dx in zip(x_list, found, strict=True)]
    return Differentiation(x_list, found, reasons, [op.name for op in list(graph.rewritten)[already:]], recomputed)


def _pass_through(frontier: Frontier) -> type[ReversePass]:
    """The reverse pass; another one where branches or loops lie between xs and ys."""
    if any(registry.is_control_flow(op_type) for op_type in {op.type for op in frontier.between}):
        from graphgrad.controlflow.reverse import ControlFlowPass

        return ControlFlowPass
    return ReversePass


def _graph_of(*arguments: Any) -> Graph:
    for argument in arguments:
        for item in argument if isinstance(argument, (list, tuple)) else [argument]:
            if isinstance(item, (Tensor, IndexedSlices)):
                return item.graph
            if not isinstance(item, str):
                raise NotAGraphTensorError(
                    f"gradients are built between tensors of a graph, and {type(item).__name__} is none: "
                    "take them from graphgrad.load(...).tensor(name), or give names and graph="
                )
    raise ArgumentError("names of tensors need graph=, the graph they are looked up in")


def _tensors(graph: Graph, argument: Any, what: str) -> list[Tensor]:
    tensors = []
    for item in argument if isinstance(argument, (list, tuple)) else [argument]:
        if isinstance(item, str):
            item = graph.tensor(item)
        elif not isinstance(item, Tensor):
            raise NotAGraphTensorError(f"{what} must be tensors of a graph or their names, not {type(item).__name__}")
        if item.graph is not graph:
            raise ArgumentError(f"{what}: {item.name!r} belongs to another graph")
        tensors.append(item)
    return tensors


def _seeds_given(graph: Graph, grad_ys: Any, count: int) -> list[Tensor | IndexedSlices | None]:
    if grad_ys is None:
        return [None] * count
    items = list(grad_ys) if isinstance(grad_ys, (list, tuple)) else [grad_ys]
    if len(items) != count:
        raise ArgumentError(f"grad_ys has {len(items)} items for {count} ys: give one for each, or none")
    return [i if i is None or isinstance(i, IndexedSlices) else _tensors(graph, i, "grad_ys")[0] for i in items]


def _aggregation(method: str | int | None) -> str:
    """The method's name; `AggregationMethod` numbers them from the second on."""
    if isinstance(method, str):
        _check_choice("aggregation_method", method, AGGREGATION_METHODS)
        return method
    if method is None:
        return AGGREGATION_METHODS[0]
    _check_choice("aggregation_method", method if type(method) is int else str(method), (0, 1, 2))
    return AGGREGATION_METHODS[method + 1]


def _check_choice(argument: str, value: Any, allowed: Sequence[Any]) -> None:
    if value not in allowed:
        raise ArgumentError(f"{argument} is {value!r}: it must be one of {', '.join(map(str, allowed))}")


def _check_seed(y: Tensor, seed: Tensor | IndexedSlices | None) -> None:
    """A y needs a numeric dtype; its seed the same dtype and a shape that can be y's."""
    if y.dtype is None:
        raise DtypeError(f"y {y.name!r} comes from op type {y.op.type!r}, which is unknown, so its dtype is too")
    if y.dtype in (dtypes.string, dtypes.bool_) or (seed is None and y.dtype in (dtypes.variant, dtypes.resource)):
        raise DtypeError(f"y {y.name!r} is of dtype {y.dtype}, and only numeric tensors have gradients")
    if seed is None:
        if y.dtype.is_complex:
            raise DtypeError(f"y {y.name!r} is {y.dtype}: gradients of complex tensors need grad_ys")
        return
    if y.dtype in (dtypes.resource, dtypes.variant):
        return
    if seed.dtype is not y.dtype:
        raise DtypeError(f"grad_ys: {seed.name!r} is {seed.dtype}, and its y {y.name!r} is {y.dtype}")
    if isinstance(seed, Tensor) and not dims.compatible(seed.shape, y.shape):
        raise ArgumentError(
            f"grad_ys: {seed.name!r} has shape {dims.show(seed.shape)}, and its y {y.name!r} has {dims.show(y.shape)}"
        )


def _seed(g: Any, i: int, y: Tensor, seed: Tensor | IndexedSlices | None, colocate: bool) -> Tensor | IndexedSlices:
    if colocate:
        with g.colocate_with(y.op):
            return _seed(g, i, y, seed, False)
    if seed is None:
        return g.ones(g.shape(y), y.dtype, name=f"grad_ys_{i}")
    if isinstance(seed, Tensor):
        return g.Identity(seed, name=f"grad_ys_{i}")
    shape = seed.dense_shape
    return IndexedSlices(
        indices=g.Identity(seed.indices, name=f"grad_ys_{i}_indices"),
        values=g.Identity(seed.values, name=f"grad_ys_{i}_values"),
        dense_shape=None if shape is None else g.Identity(shape, name=f"grad_ys_{i}_shape"),
    )


def _dense(gradient: Gradient) -> Gradient:
    if not isinstance(gradient, IndexedSlices):
        return gradient
    g, scope = gradient.graph.build, gradient.values.op.name.rpartition("/")[0]
    with g.in_scope(scope + "/" if scope else ""), g.name_scope("densify"):
        return g.dense(gradient)


def _alias(pattern: str, x: Tensor) -> str:
    if "{x}" not in pattern:
        raise ArgumentError(f"--alias {pattern!r} does not hold {{x}}, the place of the name of x")
    name = pattern.replace("{x}", x.op.name if x.index == 0 else f"{x.op.name}_{x.index}")
    names.check_scope_name(name, "--alias")
    if name in x.graph:
        raise ArgumentError(f"--alias: a node {name!r} is in the graph already")
    return name


def _behind(gradient: Tensor | IndexedSlices, name: str) -> Tensor | IndexedSlices:
    g = gradient.graph.build
    with g.in_scope(""):
        if isinstance(gradient, Tensor):
            return g.Identity(gradient, name=name)
        shape = gradient.dense_shape
        return IndexedSlices(
            values=g.Identity(gradient.values, name=f"{name}/values"),
            indices=g.Identity(gradient.indices, name=f"{name}/indices"),
            dense_shape=None if shape is None else g.Identity(shape, name=f"{name}/dense_shape"),
        )


def _entry(gradient: Gradient, reason: Reason | None) -> dict[str, Any]:
    if gradient is None:
        assert reason is not None
        return {"kind": "none", **reason.as_json()}
    described = {"dtype": repr(gradient.dtype), "shape": None if gradient.shape is None else list(gradient.shape)}
    if isinstance(gradient, Tensor):
        return {"kind": "tensor", "tensor": gradient.name, **described}
    parts = {"values": gradient.values.name, "indices": gradient.indices.name}
    shape = gradient.dense_shape
    return {"kind": "indexed_slices", **parts, "dense_shape": None if shape is None else shape.name, **described}
