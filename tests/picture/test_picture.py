"""`graphgrad view`: what the document holds, the three kinds of picture, two graphs merged into one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import graphgrad
from graphgrad import dtypes, picture
from graphgrad.picture.svg import svg
from tests.commands import run

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"
SVG = "{http://www.w3.org/2000/svg}"


def by_name(document: dict[str, Any]) -> dict[str, list[Any]]:
    return {node[0]: node for node in document["nodes"]}


def test_a_document_holds_every_node(with_grads: Path) -> None:
    graph = graphgrad.load(with_grads)
    document = picture.document(graph)
    nodes, texts = by_name(document), document["texts"]
    assert len(nodes) == len(graph)
    name, op, gradient, status, inputs, controls, outputs, attrs, device, value, changes, takes = nodes["MatMul"]
    assert (name, texts[op], gradient, status) == ("MatMul", "MatMul", 0, "same")
    assert (controls, device, value, changes, takes) == ([], "", "", [], [])
    assert [document["nodes"][i][0] for i in inputs] == ["x", "W1"]
    assert [texts[t] for t in outputs] == ["float32[?,16]"]
    assert "transpose_a = False" in [texts[t] for t in attrs]
    assert {n for n, node in nodes.items() if node[2]} == {op.name for op in graph if op.name.startswith("gradients/")}
    assert nodes["gradients/loss_grad/Const"][9] == "[0]"


def test_a_scope_of_another_name_is_a_gradient_too() -> None:
    graph = graphgrad.load(MLP)
    graphgrad.gradients("loss", "W1", name="backward", graph=graph)
    nodes = by_name(picture.document(graph))
    assert nodes["backward/MatMul_grad/MatMul_1"][2] == 1
    assert nodes["MatMul"][2] == 0


def changed_mlp() -> Any:
    graph = graphgrad.Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(None, 8), name="x")
    g.Tanh(x, name="hidden")
    g.Neg(x, name="new")
    return graph


def test_two_graphs_are_merged() -> None:
    document = picture.document(changed_mlp(), graphgrad.load(MLP))
    nodes = by_name(document)
    assert document["compared"] is True
    assert nodes["new"][3] == "added"
    assert nodes["W1"][3] == "removed"
    assert nodes["hidden"][3] == "changed"
    assert "op: Relu -> Tanh" in nodes["hidden"][10]
    assert [document["nodes"][i][0] for i in nodes["MatMul"][4]] == ["x", "W1"]


def test_long_values_that_changed_are_cut_where_they_differ() -> None:
    graphs = []
    for end in (b"left", b"right"):
        graph = graphgrad.Graph()
        graph.build.constant([b"x" * 5000 + end], dtypes.string, name="c")
        graphs.append(graph)
    (change, _) = by_name(picture.document(graphs[1], graphs[0]))["c"][10]
    assert len(change) < 1000 and "left" in change and "right" in change


def test_the_page_is_whole(tmp_path: Path, with_grads: Path) -> None:
    out = tmp_path / "graph.html"
    assert run("view", with_grads, "--against", MLP, "-o", out).exit_code == 0
    text = out.read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text), "the page fetches something"
    assert "$" + "title" not in text
    inside = re.search(r'<script type="application/json" id="graph">(.*?)</script>', text, re.S)
    assert inside is not None
    assert len(json.loads(inside[1])["nodes"]) == len(graphgrad.load(with_grads))


def test_names_cannot_end_the_page(tmp_path: Path) -> None:
    graph = graphgrad.Graph()
    x = graph.build.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    x.op.name = "</script><b>"
    assert picture.writer("a.html")(picture.document(graph), "<title>").count("</script>") == 5


def test_dot(tmp_path: Path, with_grads: Path) -> None:
    out = tmp_path / "graph.dot"
    assert run("view", with_grads, "-o", out).exit_code == 0
    text = out.read_text()
    assert text.count("{") == text.count("}")
    assert '[label="MatMul\\nMatMul"' in text
    nodes = list(by_name(picture.document(graphgrad.load(with_grads))))
    assert f"  {nodes.index('x')} -> {nodes.index('MatMul')}\n" in text


def rectangles(drawn: str) -> dict[str, tuple[float, float, float, float]]:
    found = {}
    for group in ElementTree.fromstring(drawn).iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        found[group.get("data-id")] = tuple(float(rect.get(k)) for k in ("x", "y", "width", "height"))
    return found  # type: ignore[return-value]


def overlaps(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def contains(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] <= b[0] and a[1] <= b[1] and b[0] + b[2] <= a[0] + a[2] and b[1] + b[3] <= a[1] + a[3]


def test_nothing_overlaps_in_an_svg(with_grads: Path) -> None:
    boxes = rectangles(svg(picture.document(graphgrad.load(with_grads))))
    assert {"MatMul", "gradients/", "gradients/MatMul_grad/"} <= set(boxes)
    for a, first in boxes.items():
        for b, second in boxes.items():
            if a != b and overlaps(first, second):
                assert contains(first, second) or contains(second, first), f"{a} and {b} overlap"
    assert boxes["MatMul"][1] < boxes["hidden"][1] < boxes["losses"][1], "data flows downwards"


def test_crowds_are_put_into_groups() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    for i in range(4000):
        x = g.Neg(x, name=f"neg_{i}")
    boxes = rectangles(svg(picture.document(graph)))
    assert len(boxes) < 100
    assert any(name.startswith("x...") for name in boxes)


def many_variables(count: int) -> Any:
    """A sum of variables."""
    graph = graphgrad.Graph()
    g = graph.build
    values = []
    for i in range(count):
        v = g.VarHandleOp(dtype=dtypes.float32, shape=(2,), name=f"layer_{i}/kernel")
        values.append(g.ReadVariableOp(v, dtype=dtypes.float32, name=f"layer_{i}/kernel/Read"))
    g.AddN(values, name="sum")
    return graph


def test_what_is_alike_is_one_box() -> None:
    drawn = svg(picture.document(many_variables(300)))
    assert set(rectangles(drawn)) == {"layer_0/kernel/...layer_299/kernel/", "sum"}
    assert "300 × layer_*" in drawn and "600 nodes" in drawn


def test_what_is_made_alike_is_one_box_too() -> None:
    """Names that have nothing in common: constants beside each other, but what is computed in its own order."""
    graph = graphgrad.Graph()
    g = graph.build
    names = [f"{a}{b}" for a in "abcde" for b in "vwxyz"]
    x = g.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    for name in names:
        x = g.Mul(x, g.constant(2.0, name=name), name=f"times_{name}")
    boxes = rectangles(svg(picture.document(graph)))
    assert {"x", "av...ez", "times_av", "times_ez"} <= set(boxes) and len(boxes) == 2 + len(names)


def test_what_reads_each_other_is_not_alike() -> None:
    """Each scope holds a node that reads the one before, and is as deep as the others by what it reads beside."""
    graph = graphgrad.Graph()
    g = graph.build
    deep = g.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    for _ in range(60):
        deep = g.Neg(deep)
    before = deep
    for i in range(40):
        own = g.Exp(before, name=f"block_{i}/first")
        g.Mul(g.Exp(deep, name=f"side_{i}/first"), own, name=f"block_{i}/last")
        before = own
    boxes = rectangles(svg(picture.document(graph)))
    assert "40 × side_*" in svg(picture.document(graph))
    assert not any(name.startswith("block_0/...block_39/") for name in boxes)


def test_a_suffix_that_is_no_picture(tmp_path: Path) -> None:
    result = run("view", MLP, "-o", tmp_path / "graph.png")
    assert result.exit_code == 2
    assert "must be .html, .svg or .dot" in result.stderr


def test_diff_draws_too(tmp_path: Path, with_grads: Path) -> None:
    out = tmp_path / "diff.html"
    assert run("diff", MLP, with_grads, "--stat", "--html", out).exit_code == 1
    assert '"compared":true' in out.read_text()


def test_without_v8_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "py_mini_racer", None)
    result = run("view", MLP, "-o", tmp_path / "graph.svg")
    assert result.exit_code == 2
    assert "pip install 'graphgrad[svg]'" in result.stderr
    assert not (tmp_path / "graph.svg").exists()


def test_the_same_graph_gives_the_same_picture(tmp_path: Path, with_grads: Path) -> None:
    for suffix in ("html", "svg", "dot"):
        first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
        for seed, out in (("1", first), ("2", second)):
            program = "import sys; from graphgrad_cli.main import cli; cli.main(sys.argv[1:])"
            arguments = [sys.executable, "-c", program, "view", str(with_grads), "-o", str(out), "--quiet"]
            subprocess.run(arguments, check=True, env={"PYTHONHASHSEED": seed})
        assert first.read_bytes() == second.read_bytes(), suffix
