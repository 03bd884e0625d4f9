"""`graphgrad check`: what agrees, what does not, kinks, NaN, feeds that are drawn, variables, narrow graphs."""

from __future__ import annotations

import json
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from graphgrad_cli.main import cli

import graphgrad
from graphgrad import dtypes, signatures
from graphgrad.check import not_finite
from graphgrad.runtime.plan import compile
from graphgrad.schema import graph_pb2
from tests import file_store

SAMPLES = Path(__file__).parents[2] / "samples"


def graph_of(
    write: Callable[[Any, Any], Any], shape: tuple[int | None, ...] = (3,), dtype: Any = dtypes.float32
) -> Any:
    graph = graphgrad.Graph()
    g = graph.build
    write(g, g.Placeholder(dtype=dtype, shape=shape, name="x"))
    return graph


def verdicts(found: Any) -> dict[str, str]:
    return {r.x: r.verdict for r in found.results}


@pytest.mark.parametrize(
    ("sample", "ys", "xs"),
    [
        ("01_mlp", "loss", ["W1", "b1", "W2", "b2", "x"]),
        ("02_total_and_partial", "y", ["a", "b"]),
        ("04_convnet", "loss", ["filter", "bias", "dense", "image"]),
        ("05_embeddings", "loss", ["table"]),
        ("06_hessian_vector", "f", ["x"]),
    ],
)
def test_samples_agree_in_double_precision(sample: str, ys: str, xs: list[str]) -> None:
    folder = SAMPLES / sample
    feeds = dict(np.load(folder / "feeds.npz"))
    found = graphgrad.check(graphgrad.load(folder / "graph.pb"), [ys], xs, feeds)
    assert set(verdicts(found).values()) == {"agrees"}, found
    assert found.dtype == "float64"
    assert max(r.largest_relative for r in found.results) < 1e-5
    assert found


def test_the_graph_is_not_changed() -> None:
    graph = graphgrad.load(SAMPLES / "01_mlp" / "graph.pb")
    graphgrad.check(graph, ["loss"], ["W1"])
    assert not graph.added()


def test_a_wrong_gradient_is_found_where_it_is_wrong() -> None:
    """A square that says its gradient is that of exp: right nowhere but where 2x = exp(y)."""
    graph = graph_of(lambda g, x: g.Square(x, name="y").op.annotate("_gradient_op_type", "Exp"))
    found = graphgrad.check(graph, ["y"], ["x"], {"x": [1.0, 2.0, 3.0]})
    assert not found
    assert verdicts(found) == {"x:0": "disagrees"}
    assert found.results[0].worst["symbolic"] == pytest.approx(found.results[0].worst["numerical"] / 2)


def test_what_cancels_in_a_sum_is_checked_too() -> None:
    """The sum of a softmax is 1 whatever its logits are; weights show a gradient that is wrong all the same."""

    def write(g: Any, x: Any) -> None:
        g.Softmax(g.Reshape(x, [1, 3]), name="y").op.annotate("_gradient_op_type", "Tanh")

    assert not graphgrad.check(graph_of(write), ["y"], ["x"])


def test_kinks_are_recognised() -> None:
    graph = graph_of(lambda g, x: g.Relu(x, name="y"))
    found = graphgrad.check(graph, ["y"], ["x"], {"x": [0.0, 1.0, -1.0]})
    assert (found.results[0].verdict, found.results[0].kinks, found.results[0].probes) == ("agrees", 1, 3)
    found = graphgrad.check(graph, ["y"], ["x"], {"x": [0.0, 0.0, 0.0]})
    assert found.results[0].verdict == "kink"
    assert found


def test_kinks_close_by_are_stepped_short_of() -> None:
    """As in a large net of Relus: bends within the usual steps, none at the point itself."""

    def write(g: Any, x: Any) -> None:
        bends = g.constant(np.linspace(1e-8, 1e-6, 40).tolist(), dtypes.float64)
        g.Sum(g.AddV2(x, g.Sum(g.Relu(g.Sub(g.ExpandDims(x, 1), bends)), [1])), [0], name="y")

    found = graphgrad.check(graph_of(write, (2,), dtypes.float64), ["y"], ["x"], {"x": np.zeros(2)})
    assert verdicts(found) == {"x:0": "agrees"}


def test_kinks_within_every_step_prove_nothing() -> None:
    """As in a deep net whose last activations are next to nothing: the slopes grow as the step shrinks, and go on doing so."""

    def write(g: Any, x: Any) -> None:
        g.Sum(g.Relu6(g.Mul(x, g.constant(1e11, dtypes.float64))), [0], name="y")

    found = graphgrad.check(graph_of(write, (2,), dtypes.float64), ["y"], ["x"], {"x": np.full(2, 3e-11)})
    assert verdicts(found) == {"x:0": "kink"}


def test_large_tensors_are_moved_along_random_directions() -> None:
    def write(g: Any, x: Any, wrong: bool) -> None:
        y = g.Tanh(x, name="y")
        if wrong:
            y.op.annotate("_gradient_op_type", "Sigmoid")

    for wrong in (False, True):
        found = graphgrad.check(graph_of(lambda g, x, w=wrong: write(g, x, w), (40, 50)), ["y"], ["x"])
        assert bool(found) is not wrong
        assert found.results[0].probes == 13


def test_complex_gradients_agree() -> None:
    graph = graph_of(lambda g, x: g.Mul(g.Conj(x), g.Exp(x), name="y"), (2,), dtypes.complex64)
    found = graphgrad.check(graph, ["y"], ["x"])
    assert verdicts(found) == {"x:0": "agrees"}
    assert found.results[0].probes == 4


def test_missing_feeds_are_drawn_from_the_seed() -> None:
    graph = graph_of(lambda g, x: g.Square(x, name="y"), (None, 2))
    found, again = (graphgrad.check(graph, ["y"], ["x"], seed=s) for s in (1, 1))
    assert found.drawn == {"x:0": "float64 [3, 2]"}
    assert found == again
    graph = graph_of(lambda g, x: g.Square(x, name="y"), None)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="'x:0' is of unknown shape and cannot be drawn: give it with --feed"):
        graphgrad.check(graph, ["y"], ["x"])


def test_a_graph_with_a_narrow_op_is_checked_as_it_is() -> None:
    def write(g: Any, x: Any) -> None:
        image = g.Reshape(x, [1, 2, 2, 1])
        g.ResizeBilinear(image, g.constant([3, 3]), name="y")

    found = graphgrad.check(graph_of(write, (4,)), ["y"], ["x"])
    assert found.dtype == "float32"
    assert "ResizeBilinear node 'y'" in found.note
    assert verdicts(found) == {"x:0": "agrees"}


FUNCTION = """
library {{ function {{
  signature {{ name: "f" input_arg {{ name: "a" type: DT_FLOAT }} output_arg {{ name: "r" type: DT_FLOAT }} }}
  node_def {{ name: "op" op: "{op}" input: "a" {attrs} }}
  ret {{ key: "r" value: "op:{out}:0" }} }} }}
node {{ name: "x" op: "Placeholder" attr {{ key: "dtype" value {{ type: DT_FLOAT }} }}
       attr {{ key: "shape" value {{ shape {{ dim {{ size: 1 }} dim {{ size: 4 }} dim {{ size: 4 }} dim {{ size: 1 }} }} }} }} }}
node {{ name: "y" op: "StatefulPartitionedCall" input: "x" attr {{ key: "f" value {{ func {{ name: "f" }} }} }}
       attr {{ key: "Tin" value {{ list {{ type: DT_FLOAT }} }} }} attr {{ key: "Tout" value {{ list {{ type: DT_FLOAT }} }} }} }}
versions {{ producer: 1882 }}
"""


def called(op: str, out: str, **attrs: str) -> Any:
    spelled = " ".join(f'attr {{ key: "{name}" value {{ {value} }} }}' for name, value in attrs.items())
    message = text_format.Parse(FUNCTION.format(op=op, out=out, attrs=spelled), graph_pb2.GraphDef())
    return graphgrad.Graph(message)


def test_types_that_a_file_leaves_out_are_wide_too() -> None:
    """SavedModels are written without the attributes that have their default: T of MaxPool is float32."""
    sizes = dict.fromkeys(("ksize", "strides"), "list { i: 1 i: 2 i: 2 i: 1 }")
    found = graphgrad.check(called("MaxPool", "output", padding='s: "VALID"', **sizes), ["y"], ["x"])
    assert (found.dtype, verdicts(found)) == ("float64", {"x:0": "agrees"})


def test_a_narrow_op_within_a_function() -> None:
    found = graphgrad.check(called("FakeQuantWithMinMaxArgs", "outputs"), ["y"], ["x"])
    assert found.dtype == "float32"
    assert "FakeQuantWithMinMaxArgs node 'op' has none" in found.note


def test_unseeded_random_numbers_are_refused() -> None:
    graph = graph_of(lambda g, x: g.Mul(x, g.RandomUniform(g.constant([3]), dtype=dtypes.float32), name="y"))
    with pytest.raises(RuntimeError, match="another value every time"):
        graphgrad.check(graph, ["y"], ["x"])


@pytest.mark.parametrize("resource", [True, False])
def test_variables(resource: bool) -> None:
    graph = graphgrad.Graph()
    g = graph.build
    if resource:
        handle = g.VarHandleOp(dtype=dtypes.float32, shape=(2,), name="v", shared_name="v")
        value = g.ReadVariableOp(handle, dtype=dtypes.float32)
    else:
        value = g.VariableV2(dtype=dtypes.float32, shape=(2,), name="v")
    g.Square(g.Sin(value), name="y")
    given = {"v": np.array([0.5, 2.0], np.float32)}
    found = graphgrad.check(graph, ["y"], ["v"], variables=given)
    assert verdicts(found) == {"v:0": "agrees"}
    assert found.results[0].largest_relative < 1e-6
    with pytest.raises((RuntimeError, ValueError), match="v"):
        graphgrad.check(graph, ["y"], ["v"])


def test_where_numbers_stop_being_finite() -> None:
    graph = graph_of(lambda g, x: g.Sqrt(g.Neg(g.Log(x, name="log")), name="y"))
    assert not_finite(graph, ["y"], ["x"], {"x": [0.5, 0.2, 0.1]}) == []
    first = not_finite(graph, ["y"], ["x"], {"x": [0.5, 0.0, 2.0]})[0]
    assert first == {"node": "log", "op": "Log", "found": "infinity"}


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["check", *map(str, arguments)])


def test_command(tmp_path: Path) -> None:
    mlp = SAMPLES / "01_mlp"
    report = tmp_path / "report.xml"
    options = ("--ys", "loss", "--xs", "W1,labels", "--feeds", mlp / "feeds.npz")
    result = run(mlp / "graph.pb", *options, "--junit", report, "--debug-nan")
    assert result.exit_code == 0, result.stderr
    assert "all results are finite" in result.stdout
    (row,) = [line.split() for line in result.stdout.splitlines() if line.startswith("W1:0")]
    assert row[1] == "agrees" and float(row[2]) < 1e-8 and row[3] == "rounding", "no error is left beyond it"
    suite = ElementTree.parse(report).getroot()
    # What every reader of such reports asks for: schemas make these obligatory.
    counts = [suite.get(what) for what in ("tests", "failures", "errors", "skipped")]
    assert counts == ["2", "0", "0", "1"]
    assert [(case.get("name"), [kind.tag for kind in case]) for case in suite] == [
        ("W1:0", []),
        ("labels:0", ["skipped"]),
    ]
    document = json.loads(run(mlp / "graph.pb", *options, "--json").stdout)
    assert document["agree"] is True
    assert [r["verdict"] for r in document["results"]] == ["agrees", "none"]


def test_command_on_a_wrong_gradient(tmp_path: Path) -> None:
    model, report = tmp_path / "wrong.pb", tmp_path / "report.xml"
    graph = graph_of(lambda g, x: g.Square(x, name="y").op.annotate("_gradient_op_type", "Exp"))
    graphgrad.save(graph, model)
    result = run(model, "--ys", "y", "--xs", "x", "--junit", report)
    assert result.exit_code == 1
    assert "disagrees" in result.stdout
    assert "drawn from seed 0: x:0" in result.stderr
    assert ElementTree.parse(report).getroot().get("failures") == "1"
    result = run(model, "--ys", "y", "--xs", "x", "--rtol", "10")
    assert result.exit_code == 0


def layers(count: int) -> Any:
    graph = graphgrad.Graph()
    g = graph.build
    h = g.Placeholder(dtype=dtypes.float32, shape=(5, 20), name="x")
    for i in range(count):
        w = g.Placeholder(dtype=dtypes.float32, shape=(20, 20), name=f"w{i}")
        h = g.Tanh(g.MatMul(h, w, name=f"product{i}"), name=f"h{i}")
    g.Sum(h, g.constant([0, 1]), name="y")
    return graph


def test_of_many_xs_each_is_moved_less_often() -> None:
    def side_by_side(count: int) -> Any:
        graph = graphgrad.Graph()
        ws = [graph.build.Placeholder(dtype=dtypes.float32, shape=(10, 10), name=f"w{i}") for i in range(count)]
        graph.build.AddN([graph.build.Tanh(w) for w in ws], name="y")
        return graphgrad.check(graph, ["y"], [w.op.name for w in ws])

    few, many = side_by_side(3), side_by_side(150)
    assert {r.probes for r in few.results} == {13} and few
    assert {r.probes for r in many.results} == {4} and many


def test_what_a_move_leaves_as_it_is_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more than one plan is held at a time, since each holds as much memory as a run takes."""
    plans: list[Any] = []
    fed: list[set[str]] = []

    def compiled(graph: Any, fetches: Any, feeds: Any, **rest: Any) -> Any:
        assert sum(plan() is not None for plan in plans) <= 1
        plan = compile(graph, fetches, feeds, **rest)
        plans.append(weakref.ref(plan))
        fed.append({t.op.name for t in feeds} - {"x", "w0", "w1", "w2", "w3"})
        return plan

    monkeypatch.setattr(sys.modules["graphgrad.check"], "compile", compiled)
    assert graphgrad.check(layers(4), ["y"], ["w0", "h1", "w3"])
    assert fed[-1] == {"h2"}, "moving w3 leaves what it is multiplied with"
    assert {"h1"} in fed and len(plans) < 15


def test_ys_that_an_x_does_not_reach_and_ways_around_it() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(3,), name="x")
    z = g.Placeholder(dtype=dtypes.float32, shape=(3,), name="z")
    a, b = g.Exp(x, name="a"), g.Neg(x, name="b")
    g.Mul(g.Mul(a, b), g.Tanh(z), name="first")
    g.Sin(g.AddV2(b, z), name="second")
    g.Cos(z, name="third")
    assert verdicts(graphgrad.check(graph, ["first", "second", "third"], ["x", "a", "b", "z"])) == {
        f"{name}:0": "agrees" for name in "xabz"
    }


def test_xs_beside_variables_are_moved_at_their_values() -> None:
    folder = SAMPLES / "07_variables"
    values, feeds = dict(np.load(folder / "vars.npz")), dict(np.load(folder / "feeds.npz"))
    graph = graphgrad.load(folder / "graph.pb")
    between = next(op.name for op in graph if op.type == "ReadVariableOp")
    found = graphgrad.check(graph, ["loss"], ["kernel", between, "table"], feeds, variables=values)
    assert found and len(found.results) == 3


@pytest.mark.parametrize("name", ["dictionaries", "looked_up", "main_op", "vocabulary"])
@pytest.mark.parametrize("more", [[], ["--debug-nan"]])
def test_tables_are_filled_before(name: str, more: list[str], tmp_path: Path) -> None:
    """As the model says, from its files and its checkpoint, or by what is asked for, in a frozen graph."""
    model = file_store.unpacked(name, tmp_path)
    words = json.dumps([word.decode() for word in model.feeds["words"]])
    if model.ys == ["y"]:
        result = run(model.path, "--ys", "y", "--xs", model.xs[0], "--feed", f"words={words}", *more)
        assert result.exit_code == 0, result.stderr
    graph = graphgrad.load(model.path)
    frozen, out = graphgrad.freeze(graph), tmp_path / "frozen.pb"
    graphgrad.save(frozen, out, kind="graph-def")
    y, w = signatures.tensor_name(graph, model.ys[0]), signatures.tensor_name(graph, "words", signatures.INPUTS)
    arguments = ["--ys", y, "--xs", model.xs[0], "--feed", f"{w}={words}", *more]
    first = signatures.initialiser(graph)
    assert run(out, *arguments, "--run-first", first).exit_code == 0
    assert "is not initialized: run its initializer first" in run(out, *arguments).stderr


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("version", ["", "V2", "V3"])
def test_batch_normalization_is_checked_in_double_precision(version: str, training: bool) -> None:
    def write(g: Any, x: Any) -> None:
        channels = [] if training else [0.5, -1.0], [] if training else [2.0, 0.25]
        statistics = [g.constant(c, dtypes.float32) for c in channels]
        normalize = getattr(g, f"FusedBatchNorm{version}")
        y = normalize(x, g.constant([1.5, -2.0]), g.constant([0.0, 1.0]), *statistics, is_training=training)[0]
        g.Sum(g.Mul(y, g.Sin(x)), [0, 1, 2, 3], name="loss")

    found = graphgrad.check(graph_of(write, (2, 3, 3, 2)), ["loss"], ["x"])
    assert found.dtype == "float64" and verdicts(found) == {"x:0": "agrees"}
