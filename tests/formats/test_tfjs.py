"""TensorFlow.js graph models: weights of every kind, what is written back, what is said of missing and damaged files."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad.errors import ModelError
from tests.commands import run

FLOATS = np.array([[1.5, -2.0, 0.25], [0.0, 3.0, -1.0]], np.float32)
QUANTIZED = {
    "float16": ({"dtype": "float16"}, FLOATS.astype("<f2").tobytes()),
    "uint8": ({"dtype": "uint8", "scale": 0.25, "min": -2.0}, ((FLOATS + 2) / 0.25).astype("u1").tobytes()),
    "uint16": ({"dtype": "uint16", "scale": 0.25, "min": -2.0}, ((FLOATS + 2) / 0.25).astype("<u2").tobytes()),
    "none": (None, FLOATS.tobytes()),
}


def constant(name: str, dtype: str, shape: list[int]) -> dict[str, Any]:
    tensor = {"dtype": dtype, "tensorShape": {"dim": [{"size": str(n)} for n in shape]}}
    return {"name": name, "op": "Const", "attr": {"dtype": {"type": dtype}, "value": {"tensor": tensor}}}


def model(folder: Path, quantization: str = "none", **extra: Any) -> Path:
    """y = x @ W, with weights of other dtypes beside it, in two groups of which the first lies in two files."""
    how, content = QUANTIZED[quantization]
    words = b"".join(struct.pack("<I", len(w)) + w for w in (b"a", b"", b"\xff\0"))
    entries: list[dict[str, Any]] = [
        {"name": "W", "shape": [2, 3], "dtype": "float32"},
        {"name": "axes", "shape": [2], "dtype": "int32"},
        {"name": "flags", "shape": [3], "dtype": "bool"},
    ]
    if how is not None:
        entries[0]["quantization"] = how
    first = content + np.array([0, 1], "<i4").tobytes() + b"\1\0\1"
    (folder / "a-1.bin").write_bytes(first[:10])
    (folder / "a-2.bin").write_bytes(first[10:])
    (folder / "b.bin").write_bytes(words + np.array([1 + 2j], "<c8").tobytes())
    last = [
        {"name": "words", "shape": [3], "dtype": "string"},
        {"name": "turn", "shape": [1], "dtype": "complex64"},
    ]
    float32 = {"type": "DT_FLOAT"}
    nodes = [
        constant("W", "DT_FLOAT", [2, 3]),
        constant("axes", "DT_INT64", [2]),  # TensorFlow.js keeps them as int32
        constant("flags", "DT_BOOL", [3]),
        constant("words", "DT_STRING", [3]),
        constant("turn", "DT_COMPLEX64", [1]),
        {
            "name": "x",
            "op": "Placeholder",
            "attr": {"dtype": float32, "shape": {"shape": {"dim": [{"size": "-1"}, {"size": "2"}]}}},
        },
        {"name": "y", "op": "MatMul", "input": ["x", "W"], "attr": {"T": float32, "transpose_a": {"b": False}}},
        {
            "name": "loss",
            "op": "Sum",
            "input": ["y", "axes"],
            "attr": {"T": float32, "Tidx": {"type": "DT_INT64"}, "keep_dims": {"b": False}},
        },
    ]
    info = {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "-1"}, {"size": "2"}]}}
    document = {
        "format": "graph-model",
        "generatedBy": "2.21.0",
        "signature": {
            "inputs": {"in": {"name": "x:0", **info}},
            "outputs": {"out": {"name": "loss:0", "dtype": "DT_FLOAT"}},
        },
        "userDefinedMetadata": {"about": "kept"},
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
        "weightsManifest": [
            {"paths": ["a-1.bin", "a-2.bin"], "weights": entries},
            {"paths": ["b.bin"], "weights": last},
        ],
        **extra,
    }
    (folder / "model.json").write_text(json.dumps(document))
    return folder / "model.json"


@pytest.mark.parametrize("quantization", QUANTIZED)
def test_weights(quantization: str, tmp_path: Path) -> None:
    graph = graphgrad.load(model(tmp_path, quantization).parent)
    names = ["W", "axes", "flags", "words", "turn"]
    expected = [FLOATS, [0, 1], [True, False, True], [b"a", b"", b"\xff\0"], [1 + 2j]]
    for value, wanted in zip(graphgrad.evaluate(graph, names), expected, strict=True):
        assert value.tolist() == np.array(wanted, value.dtype).tolist()
    assert graphgrad.evaluate(graph, "axes").dtype == np.int64
    assert graph.meta.signature_def["serving_default"].inputs["in"].name == "x:0"


def test_gradients_are_written_beside_what_was_read(tmp_path: Path) -> None:
    source, out = model(tmp_path), tmp_path / "out"
    result = run("add-gradients", source, "--ys", "out", "--xs", "in,W", "-o", out)
    assert result.exit_code == 0, result.stderr
    before, after = (json.loads(path.read_text()) for path in (source, out / "model.json"))
    assert after["modelTopology"]["node"][: len(before["modelTopology"]["node"])] == before["modelTopology"]["node"]
    assert after["weightsManifest"][:2] == before["weightsManifest"]
    assert len(after["weightsManifest"]) == 3
    for key in ("signature", "userDefinedMetadata", "format"):
        assert after[key] == before[key]
    for name in ("a-1.bin", "a-2.bin", "b.bin"):
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes()
    x = np.array([[1, 2], [3, 4]], np.float32)
    graph = graphgrad.load(out)
    dw = next(op.name for op in graph if op.type == "MatMul" and op.name.endswith("MatMul_1"))
    assert np.allclose(graphgrad.evaluate(graph, dw, {"x": x}), x.T @ np.ones((2, 3)))
    # Beside the model itself the old files serve both.
    assert run("add-gradients", source, "--ys", "out", "--xs", "in").exit_code == 0
    assert len(graphgrad.load(tmp_path / "model.gradients.json")) > len(graphgrad.load(source))


def test_conversions_in_both_directions(tmp_path: Path) -> None:
    source = model(tmp_path, "uint8")
    for suffix in (".pb", ".meta", ""):
        assert run("convert", source, "-o", tmp_path / f"m{suffix}").exit_code == 0
        assert run("diff", source, tmp_path / f"m{suffix}").exit_code == 0
        back = tmp_path / f"js{suffix}"
        assert run("convert", tmp_path / f"m{suffix}", "--to", "tfjs", "-o", back).exit_code == 0
        assert run("diff", back, source).exit_code == 0
    assert "signature" in json.loads((tmp_path / "js" / "model.json").read_text())
    assert run("convert", source, "-o", "-", "--to", "tfjs").exit_code == 2


def test_large_weights_lie_in_several_files(tmp_path: Path) -> None:
    graph = graphgrad.Graph()
    values = np.arange(3_000_000, dtype=np.float32)
    from graphgrad import dtypes
    from graphgrad.formats import arrays, models

    graph.build.op("Const", value=arrays.to_proto(values), dtype=dtypes.float32, name="c")
    models.save(graph, tmp_path / "js", "tfjs")
    (group,) = json.loads((tmp_path / "js" / "model.json").read_text())["weightsManifest"]
    assert [(tmp_path / "js" / path).stat().st_size for path in group["paths"]] == [1 << 22, 1 << 22, 3_611_392]
    assert np.array_equal(graphgrad.evaluate(graphgrad.load(tmp_path / "js"), "c"), values)


def test_numbers_that_weights_cannot_hold(tmp_path: Path) -> None:
    from graphgrad.formats import models

    graph = graphgrad.Graph()
    graph.build.constant(1 << 40, graphgrad.load(model(tmp_path)).tensor("axes").dtype, name="large")
    with pytest.raises(ValueError, match="constant 'large' of dtype int64 holds numbers that int32 cannot"):
        models.save(graph, tmp_path / "js", "tfjs")
    assert not (tmp_path / "js").exists()


def damaged(folder: Path, change: str) -> Path:
    path = model(folder)
    document = json.loads(path.read_text())
    match change:
        case "missing file":
            (folder / "a-2.bin").unlink()
        case "short file":
            (folder / "b.bin").write_bytes((folder / "b.bin").read_bytes()[:-1])
        case "long file":
            (folder / "b.bin").write_bytes((folder / "b.bin").read_bytes() + b"!")
        case "missing weight":
            document["weightsManifest"][1] = {"paths": [], "weights": []}
        case "unknown dtype":
            document["weightsManifest"][0]["weights"][0]["dtype"] = "float99"
        case "unknown quantization":
            document["weightsManifest"][0]["weights"][0]["quantization"] = {"dtype": "int3"}
        case "layers":
            document["format"] = "layers-model"
        case "no nodes":
            document["modelTopology"] = {"model_config": {}}
        case "bad node":
            document["modelTopology"]["node"][0]["attr"] = 7
        case "bad manifest":
            document["weightsManifest"][0] = {"paths": 7}
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing file", "a-2.bin cannot be read: No such file or directory"),
        ("short file", "b.bin: too short, weight 'turn' reaches beyond the end"),
        ("long file", "b.bin: 24 bytes, and the weights listed take 23"),
        ("missing weight", "its weightsManifest has no weights of node 'words' and of 1 more"),
        ("unknown dtype", "weight 'W' is of dtype 'float99', which is not known"),
        ("unknown quantization", "weight 'W' is quantized to int3, which is not known"),
        ("layers", "it is a layers model of TensorFlow.js, and a graph model is needed"),
        ("no nodes", "it is a layers model of TensorFlow.js, and a graph model is needed"),
        ("bad node", "its modelTopology is no GraphDef: "),
        ("bad manifest", "its weightsManifest is malformed"),
    ],
)
def test_damaged_models(change: str, message: str, tmp_path: Path) -> None:
    result = run("show", damaged(tmp_path, change))
    assert result.exit_code == 3, result.stderr
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_fused_ops_of_older_converters_get_what_they_lack(tmp_path: Path) -> None:
    path = model(tmp_path)
    document = json.loads(path.read_text())
    fused = {"list": {"s": [base64.b64encode(b"BiasAdd").decode()]}}
    strides = {"list": {"i": ["1", "1", "1", "1"]}}
    attrs = {
        "T": {"type": "DT_FLOAT"},
        "num_args": {"i": "1"},
        "fused_ops": fused,
        "strides": strides,
        "padding": {"s": "U0FNRQ=="},
    }
    inputs = ["image", "filter", "bias"]
    for name in inputs:
        document["modelTopology"]["node"].append(
            {"name": name, "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}}
        )
    document["modelTopology"]["node"].append({"name": "conv", "op": "_FusedConv2D", "input": inputs, "attr": attrs})
    document["modelTopology"]["node"].append(
        {"name": "depthwise", "op": "FusedDepthwiseConv2dNative", "input": inputs, "attr": attrs}
    )
    path.write_text(json.dumps(document))
    graph = graphgrad.load(path)
    assert graph.operation("conv")["TArgs"] == (graph.tensor("image").dtype,)
    assert graph.operation("depthwise").type == "_FusedDepthwiseConv2dNative"


def test_a_broken_document_is_no_traceback(tmp_path: Path) -> None:
    path = model(tmp_path)
    text = path.read_text()
    for end in range(60, len(text), 331):
        path.write_text(text[:end])
        with pytest.raises(ModelError):
            graphgrad.load(path)


def fused(name: str, op: str, inputs: list[str], *parts: str, **attrs: Any) -> dict[str, Any]:
    packed = {"list": {"s": [base64.b64encode(part.encode()).decode() for part in parts]}}
    return {
        "name": name,
        "op": op,
        "input": inputs,
        "attr": {"T": {"type": "DT_FLOAT"}, "fused_ops": packed, "num_args": {"i": str(len(inputs) - 2)}, **attrs},
    }


def with_nodes(path: Path, nodes: list[dict[str, Any]], placeholders: dict[str, int]) -> None:
    document = json.loads(path.read_text())
    for name in placeholders:
        attrs = {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": {"unknownRank": True}}}
        document["modelTopology"]["node"].append({"name": name, "op": "Placeholder", "attr": attrs})
    document["modelTopology"]["node"] += nodes
    path.write_text(json.dumps(document))


def test_fused_ops_are_taken_apart_when_converted(tmp_path: Path) -> None:
    path = model(tmp_path)
    strides = {"strides": {"list": {"i": ["1"] * 4}}, "padding": {"s": base64.b64encode(b"SAME").decode()}}
    nodes = [
        fused("dense", "_FusedMatMul", ["a", "b", "bias", "^x"], "BiasAdd", "LeakyRelu", leakyrelu_alpha={"f": 0.5}),
        fused("bent", "_FusedMatMul", ["a", "b", "bias", "alpha"], "BiasAdd", "Prelu"),
        fused(
            "conv",
            "_FusedConv2D",
            ["i", "f", "s", "o", "m", "v"],
            "FusedBatchNorm",
            "Relu6",
            **strides,
            epsilon={"f": 0.0},
        ),
        fused("deep", "FusedDepthwiseConv2dNative", ["i", "f", "deep_bias"], "BiasAdd", **strides),
        {"name": "prelu", "op": "Prelu", "input": ["a", "alpha_2"], "attr": {"T": {"type": "DT_FLOAT"}}},
    ]
    nodes[0]["attr"]["num_args"]["i"] = "1"
    shapes = {
        "a": (2, 3),
        "b": (3, 4),
        "bias": (4,),
        "alpha": (4,),
        "alpha_2": (3,),
        "i": (1, 2, 2, 2),
        "f": (1, 1, 2, 1),
    }
    shapes |= {"s": (1,), "o": (1,), "m": (1,), "v": (1,), "deep_bias": (2,)}
    with_nodes(path, nodes, dict.fromkeys(shapes, 0))
    assert run("convert", path, "-o", tmp_path / "m.pb").exit_code == 0
    graph = graphgrad.load(tmp_path / "m.pb")
    assert not [op for op in graph if op.type.startswith("_Fused") or op.type == "Prelu"]
    assert [op.type for op in graph if op.name.startswith("conv")] == ["Conv2D", "FusedBatchNormV3", "Relu6"]
    assert [op.name for op in graph.operation("dense").control_inputs] == ["x"]
    random = np.random.default_rng(0)
    feeds = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    feeds["v"] = np.float32([4])
    names = ["dense", "bent", "conv", "deep", "prelu"]
    dense, bent, conv, deep, prelu = graphgrad.evaluate(graph, names, {**feeds, "x": np.zeros((1, 2), np.float32)})
    z = feeds["a"] @ feeds["b"] + feeds["bias"]
    assert np.allclose(dense, np.where(z > 0, z, z / 2), atol=1e-6)
    assert np.allclose(bent, np.where(z > 0, z, feeds["alpha"] * z), atol=1e-6)
    assert np.allclose(prelu, np.where(feeds["a"] > 0, feeds["a"], feeds["alpha_2"] * feeds["a"]), atol=1e-6)
    convolved = np.einsum("nhwc,cd->nhwd", feeds["i"], feeds["f"][0, 0])
    normal = (convolved - feeds["m"]) / 2 * feeds["s"] + feeds["o"]
    assert np.allclose(conv, np.clip(normal, 0, 6), atol=1e-6)
    assert np.allclose(deep, feeds["i"] * feeds["f"][0, 0, :, 0] + feeds["deep_bias"], atol=1e-6)
    assert all(dx is not None for dx in graphgrad.gradients(names, ["a", "b", "f", "alpha", "s"], graph=graph))


def test_what_is_fused_and_not_known(tmp_path: Path) -> None:
    path = model(tmp_path)
    with_nodes(path, [fused("odd", "_FusedMatMul", ["a", "a"], "Swish")], {"a": 0})
    result = run("convert", path, "-o", tmp_path / "m.pb")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        3,
        "error: _FusedMatMul node 'odd' has 'Swish' fused into it, which is not known",
    )
