"""The options of the commands, streams and encodings, and what errors leave behind."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import dtypes
from graphgrad.runtime import plan, profile
from graphgrad.schema import graph_pb2
from tests.commands import run

SAMPLES = Path(__file__).parents[2] / "samples"
MLP, EMBEDDINGS = SAMPLES / "01_mlp" / "graph.pb", SAMPLES / "05_embeddings" / "graph.pb"


def add(model: object, out: object, *options: str, ys: str = "loss", xs: str = "W1") -> Any:
    return run("add-gradients", model, "--ys", ys, "--xs", xs, "-o", out, "--json", *options)


def nodes(path: Path) -> dict[str, graph_pb2.NodeDef]:
    return {node.name: node for node in graph_pb2.GraphDef.FromString(path.read_bytes()).node}


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """Two ops without a gradient on the way from x to loss, and one that reaches outside."""
    graph = graphgrad.Graph()
    graph.message.versions.producer = 1882
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(3, 3), name="x")
    lower, _ = g.Lu(x, name="lu")
    back = g.CholeskyGrad(lower, lower, name="back")
    g.Sum(back, [0, 1], name="loss")
    g.PyFunc([x], Tout=[dtypes.float32], token="t", name="python")
    graphgrad.save(graph, tmp_path / "unknown.pb")
    return tmp_path / "unknown.pb"


def test_document_of_a_sparse_gradient_and_of_its_dense_form(tmp_path: Path) -> None:
    (sparse,) = json.loads(add(EMBEDDINGS, tmp_path / "o.pb", xs="table").stdout)["gradients"]
    assert (sparse["kind"], sparse["dtype"]) == ("indexed_slices", "float32")
    (dense,) = json.loads(add(EMBEDDINGS, tmp_path / "o.pb", "--densify", xs="table").stdout)["gradients"]
    assert (dense["kind"], dense["shape"]) == ("tensor", [6, 2])


def test_alias_names_an_identity_per_gradient(tmp_path: Path) -> None:
    out = tmp_path / "o.pb"
    assert add(MLP, out, "--alias", "grad/{x}", xs="W*").exit_code == 0
    assert {"grad/W1", "grad/W2"} <= set(nodes(out))
    assert add(MLP, out, "--alias", "grad").exit_code == 2


def test_gate_and_colocation(tmp_path: Path) -> None:
    out = tmp_path / "o.pb"
    assert add(MLP, out, "--gate-gradients", "--colocate-gradients-with-ops", xs="W1,b1").exit_code == 0
    written = nodes(out)
    assert "gradients/MatMul_grad/tuple/group_deps" in written
    assert list(written["gradients/loss_grad/truediv"].attr["_class"].list.s) == [b"loc:@loss"]


def test_an_empty_item_of_grad_ys_means_ones(tmp_path: Path) -> None:
    out = tmp_path / "o.pb"
    assert add(MLP, out, "--grad-ys", ",losses", ys="loss,losses", xs="logits").exit_code == 0
    assert (nodes(out)["gradients/grad_ys_0"].op, nodes(out)["gradients/grad_ys_1"].op) == ("Fill", "Identity")
    assert add(MLP, out, "--grad-ys", ",labels", ys="loss,losses").exit_code == 2


def test_a_second_call_opens_its_own_scope(tmp_path: Path) -> None:
    first, second = tmp_path / "first.pb", tmp_path / "second.pb"
    add(MLP, first)
    (gradient,) = json.loads(add(first, second, xs="W2").stdout)["gradients"]
    assert gradient["tensor"].startswith("gradients_1/")
    assert second.read_bytes().startswith(first.read_bytes())


def test_streams(tmp_path: Path) -> None:
    out = tmp_path / "o.pb"
    add(MLP, out)
    streamed = run("add-gradients", "-", "--ys", "loss", "--xs", "W1", "-o", "-", "--json", stdin=MLP.read_bytes())
    assert streamed.stdout_bytes == out.read_bytes()
    assert json.loads(streamed.stderr)["output"] == "-"


@pytest.mark.parametrize("suffix", [".pbtxt", ".json", ".pb.gz", ".json.gz"])
def test_every_encoding_gives_the_same_nodes(tmp_path: Path, suffix: str) -> None:
    model, out, reference = tmp_path / f"m{suffix}", tmp_path / f"o{suffix}", tmp_path / "reference.pb"
    graphgrad.save(graphgrad.load(MLP), model)
    assert add(model, out).exit_code == 0
    add(MLP, reference)
    assert run("diff", out, reference).exit_code == 0


def test_the_default_output_stands_beside_the_model(tmp_path: Path) -> None:
    model = tmp_path / "m.pb"
    model.write_bytes(MLP.read_bytes())
    assert run("add-gradients", model, "--ys", "loss", "--xs", "W1").exit_code == 0
    assert (tmp_path / "m.gradients.pb").exists()


def test_all_missing_gradients_are_listed_and_nothing_is_left(unknown: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.pb"
    out.write_bytes(b"mine")
    result = add(unknown, out, xs="x")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["exit_code"]) == (4, 4)
    assert {(m["op"], m["node"]) for m in document["missing"]} == {("CholeskyGrad", "back"), ("Lu", "lu")}
    assert document["missing"][0]["path"] == ["x", "lu", "back", "loss"]
    assert out.read_bytes() == b"mine"
    assert not list(tmp_path.glob(".graphgrad-*"))


def test_what_reaches_outside_is_refused(unknown: Path) -> None:
    result = run("eval", unknown, "--fetch", "python", "--feed", "x=[[1,2,3],[1,2,3],[1,2,3]]")
    assert result.exit_code == 5
    assert result.stderr == "error: refused, since it reaches outside the graph: PyFunc (node 'python')\n"


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", x=np.array([{"a": 1}], object))
    result = run("eval", MLP, "--fetch", "loss", "--feeds", tmp_path / "f.npz")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_feeds_from_literals_and_files(tmp_path: Path) -> None:
    feeds = dict(np.load(SAMPLES / "01_mlp" / "feeds.npz"))
    np.save(tmp_path / "x.npy", feeds["x"])
    out = tmp_path / "o.npz"
    literal = f"labels={feeds['labels'].tolist()}"
    result = run(
        "eval", MLP, "--fetch", "loss,logits:0", "--feed", f"x=@{tmp_path}/x.npy", "--feed", literal, "-o", out
    )
    assert result.exit_code == 0, result.stderr
    assert set(np.load(out).files) == {"loss", "logits:0"}


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], ["numpy", "google.protobuf", "rich"]),
        (
            ["add-gradients", str(MLP), "--ys", "loss", "--xs", "W1", "-o", "OUT"],
            ["numpy", "graphgrad.kernels", "rich"],
        ),
        (["eval", str(MLP), "--fetch", "W1", "-o", "OUT"], ["graphgrad.gradients", "graphgrad.backprop", "rich"]),
    ],
)
def test_what_is_not_used_is_not_imported(tmp_path: Path, arguments: list[str], absent: list[str]) -> None:
    script = (
        "import sys; from graphgrad_cli.main import cli; cli.main(sys.argv[1:], standalone_mode=False); "
        "print(' '.join(sys.modules), file=sys.stderr)"
    )
    given = [str(tmp_path / "o") if a == "OUT" else a for a in arguments]
    loaded = subprocess.run(
        [sys.executable, "-c", script, *given], capture_output=True, text=True, check=True
    ).stderr.split()
    assert not set(absent) & set(loaded)


def test_profile_and_trace(tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    arguments = [
        "eval",
        MLP,
        "--fetch",
        "loss",
        "--feeds",
        MLP.with_name("feeds.npz"),
        "--trace",
        trace,
        "--threads",
        "1",
    ]
    result = run(*arguments, "--profile")
    assert result.stdout.startswith("loss") and "SparseSoftmaxCrossEntropyWithLogits" in result.stderr
    document = json.loads(run(*arguments, "--profile", "--json").stdout)
    by_type = {total["name"]: total for total in document["profile"]["by_type"]}
    assert by_type["MatMul"]["calls"] == 2 and sum(t["share"] for t in by_type.values()) == pytest.approx(1)
    events = json.loads(trace.read_text())["traceEvents"]
    assert [e["name"] for e in events].count("MatMul") == 2 and all(e["dur"] > 0 for e in events)
    assert run(*arguments[:-1], "0").exit_code == 2


def test_compiling_is_no_node_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = itertools.count()
    compile = plan.compile

    def slow(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(profile.time, "perf_counter", lambda: 1000 + next(now))
        return compile(*arguments, **options)

    monkeypatch.setattr(profile.time, "perf_counter", lambda: next(now))
    monkeypatch.setattr(plan, "compile", slow)
    watched = profile.Profile()
    plan.evaluate(graphgrad.load(MLP), "loss", dict(np.load(MLP.with_name("feeds.npz"))), profile=watched)
    assert watched.costs[0].name == "MatMul" and all(cost.seconds < 1000 for cost in watched.costs)


@pytest.mark.parametrize(("limit", "code"), [("1KB", 5), ("1MiB", 0), ("much", 2), ("-3", 2)])
def test_a_run_that_would_take_more_memory_is_refused(limit: str, code: int, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    arguments = ["eval", str(MLP), "--fetch", "loss", "--feeds", str(MLP.with_name("feeds.npz")), "-o", str(out)]
    result = run(*arguments, "--memory-limit", limit)
    assert result.exit_code == code, result.output
    assert out.exists() == (code == 0)
    assert code != 5 or "and the limit is" in result.stderr


def test_checkpoints_tell_how_much_is_computed_again(tmp_path: Path) -> None:
    document = json.loads(add(MLP, tmp_path / "o.pb", "--checkpoints", "auto").stdout)
    assert document["nodes_recomputed"] == 0  # so small a model has nothing to gain
    graph = graphgrad.Graph()
    g = graph.build
    h = g.Placeholder(dtype=dtypes.float32, shape=(4, 4), name="x")
    for i in range(9):
        h = g.Tanh(h, name=f"h{i}")
    g.Sum(h, [0, 1], name="loss")
    graphgrad.save(graph, tmp_path / "chain.pb")
    document = json.loads(add(tmp_path / "chain.pb", tmp_path / "o.pb", "--checkpoints", "h2,h5", xs="x").stdout)
    copies = [name for name in nodes(tmp_path / "o.pb") if name.startswith("gradients/recomputed/")]
    assert document["nodes_recomputed"] == len(copies) == 4  # h0, h1, h3 and h4
    failed = add(tmp_path / "chain.pb", tmp_path / "o2.pb", "--checkpoints", "h99", xs="x")
    assert failed.exit_code == 2
    assert "--checkpoints" in failed.stdout


def test_inspect_says_what_a_run_holds(tmp_path: Path) -> None:
    graph = graphgrad.Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(None, 1000), name="x")
    g.Sqrt(g.Exp(g.Sin(x)), name="y")
    graphgrad.save(graph, tmp_path / "chain.pb")
    command = ["inspect", tmp_path / "chain.pb", "--memory"]
    found = json.loads(run(*command, "--feed-shapes", "x=200,1000", "--json").stdout)["memory"]
    assert found["feeds"] == {"x:0": [200, 1000]}
    assert found["fetches"] == ["y:0"]
    assert found["bytes"] == 3 * 200 * 1000 * 4  # x and two of what follows it
    tracemalloc.start()
    graphgrad.evaluate(graph, "y", {"x": np.ones((200, 1000), np.float32)})
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.9 < measured / found["bytes"] < 1.2
    assert "holds 2.4 MB at most" in run(*command, "--feed-shapes", "x=[200,1000]").stdout
    assert "as with --feed-shapes x=1,1000" in run(*command).stderr
    assert "NAME=8,224,224,3" in run(*command, "--feed-shapes", "x=many").stderr
