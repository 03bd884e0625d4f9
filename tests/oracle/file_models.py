"""Models as TensorFlow and Keras write them, with what TensorFlow computes: values and gradients by their inputs and variables.

Each maker fills a folder and says how to call what lies there.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

tf1 = tf.compat.v1
Arrays = dict[str, np.ndarray]


@dataclasses.dataclass
class Case:
    """Where the model is in its folder, its variables (None: in the model), what to differentiate, what comes out.

    `ys` and `xs` are names of tensors or of the signature. `values` has the ys, and the gradients under 'd' + x.
    """

    model: str
    ys: list[str]
    xs: list[str]
    feeds: Arrays
    values: Arrays
    variables: str | None = None


def signature_case(folder: str, feeds: Arrays) -> Case:
    """A SavedModel of TensorFlow 2: its signature, differentiated with a tape; variables by the names of their nodes."""
    loaded = tf.saved_model.load(folder)  # whose variables live as long as it does
    signature = loaded.signatures["serving_default"]
    inputs = {key: tf.constant(value) for key, value in feeds.items()}
    with tf.GradientTape() as tape:
        for value in inputs.values():
            tape.watch(value)
        outputs = signature(**inputs)
        total = tf.add_n([tf.reduce_sum(value) for value in outputs.values()])
    captured = [v for v in signature.variables if v.trainable]
    gradients = tape.gradient(total, [*inputs.values(), *captured])
    names = [*inputs, *(_node_of(folder, v.numpy()) for v in captured)]
    values = {key: value.numpy() for key, value in outputs.items()}
    values.update({f"d{name}": tf.convert_to_tensor(dx).numpy() for name, dx in zip(names, gradients, strict=True)})
    return Case("model", list(outputs), names, feeds, values)


def _node_of(folder: str, held: np.ndarray) -> str:
    """The node of a variable in the graph that was written: the one that holds its value after restoring."""
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        tf1.saved_model.load(session, ["serve"], folder)
        used = {t.op.name for op in graph.get_operations() if op.type == "StatefulPartitionedCall" for t in op.inputs}
        for op in graph.get_operations():
            if op.type == "VarHandleOp" and op.name in used and op.get_attr("dtype").as_numpy_dtype == held.dtype:
                value = session.run(f"{op.name}/Read/ReadVariableOp:0")
                if np.array_equal(value, held):
                    return op.name
    raise AssertionError(held)


class NestedCalls(tf.Module):
    """Three functions inside each other, two variables of one name, a table."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = tf.Variable([1.5, -2.0])
        self.offset = tf.Variable([3.0, 4.0])
        keys = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2])
        self.table = tf.lookup.StaticHashTable(keys, -1)

    @tf.function
    def inner(self, x: Any) -> Any:
        return tf.tanh(x * self.scale)

    @tf.function
    def middle(self, x: Any) -> Any:
        return self.inner(x) * x + self.offset

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def outer(self, x: Any) -> dict[str, Any]:
        return {"y": tf.reduce_sum(self.middle(x) ** 2)}


class Words(tf.Module):
    """Weights looked up by words, in a table that is filled when the model is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable([1.0, 2.0, 3.0])
        keys = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
        self.table = tf.lookup.StaticHashTable(keys, 0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def score(self, words: Any) -> dict[str, Any]:
        return {"y": tf.reduce_sum(tf.gather(self.weights, self.table.lookup(words)) ** 2)}


class Vocabulary(tf.Module):
    """Weights looked up by words, in a table that is filled from a file beside the model."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.weights = tf.Variable([1.0, 2.0, 3.0], name="weights")
        of_lines = tf.lookup.TextFileIndex
        lines = tf.lookup.TextFileInitializer(path, tf.string, of_lines.WHOLE_LINE, tf.int64, of_lines.LINE_NUMBER)
        self.table = tf.lookup.StaticHashTable(lines, 0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def score(self, words: Any) -> dict[str, Any]:
        return {"y": tf.reduce_sum(tf.gather(self.weights, self.table.lookup(words)) ** 2)}


class Dictionaries(tf.Module):
    """Weights without a name of their own, looked up by columns of a file, and by tables whose entries a checkpoint holds."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable([1.0, 2.0, 3.0, 4.0])
        columns = tf.lookup.TextFileInitializer("words.csv", tf.string, 2, tf.float32, 1, delimiter=";")
        self.scales = tf.lookup.StaticHashTable(columns, 0.5)
        self.mutable = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 0)
        self.mutable.insert(tf.constant(["a", "b"]), tf.constant([2, 1], tf.int64))
        keys = {"empty_key": -1, "deleted_key": -2, "initial_num_buckets": 4}
        self.dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, 0, **keys)
        self.dense.insert(tf.constant([2, 1], tf.int64), tf.constant([3, 2], tf.int64))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def score(self, words: Any) -> dict[str, Any]:
        rows = self.dense.lookup(self.mutable.lookup(words))
        return {"y": tf.reduce_sum(tf.gather(self.weights, rows) ** 2 * self.scales.lookup(words))}


def dictionaries(folder: Path) -> Case:
    with contextlib.chdir(folder):  # tables are called after their files
        Path("words.csv").write_text("1;2.5;a\n2;0.25;c\n")
        case = _looked_up(Dictionaries(), folder)
        Path("words.csv").unlink()
    return case


def vocabulary(folder: Path) -> Case:
    with contextlib.chdir(folder):
        Path("words.txt").write_text("a\nb\nc\n")
        case = _looked_up(Vocabulary("words.txt"), folder)
        Path("words.txt").unlink()
    return case


def looked_up(folder: Path) -> Case:
    return _looked_up(Words(), folder)


def _looked_up(model: Any, folder: Path) -> Case:
    tf.saved_model.save(model, str(folder / "model"), signatures=model.score)
    words = np.array([b"a", b"c", b"b", b"no"], object)
    x = tf.constant(words)
    with tf.GradientTape() as tape:
        y = model.score(x)["y"]
    dense = tf.convert_to_tensor(tape.gradient(y, model.weights))
    name = _node_of(str(folder / "model"), model.weights.numpy())
    return Case("model", ["y"], [name], {"words": words}, {"y": y.numpy(), f"d{name}": dense.numpy()})


def nested_calls(folder: Path) -> Case:
    model = NestedCalls()
    tf.saved_model.save(model, str(folder / "model"), signatures=model.outer)
    return signature_case(str(folder / "model"), {"x": _random(3, 2)})


class Recomputed(tf.Module):
    """Layers whose custom gradients, which the file holds, compute them again from variables that they capture."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(_random(2, 2) / 2, name="kernel")
        self.last = tf.Variable(_random(4, 2)[2:], name="last")

    @tf.function
    def layer(self, x: Any) -> Any:
        return tf.recompute_grad(lambda a: tf.tanh(a @ self.kernel) @ self.last)(x)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def score(self, x: Any) -> dict[str, Any]:
        return {"y": tf.reduce_sum(self.layer(self.layer(x) @ self.last) ** 2)}


def recomputed(folder: Path) -> Case:
    model, options = Recomputed(), tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(model, str(folder / "model"), signatures=model.score, options=options)
    return signature_case(str(folder / "model"), {"x": _random(3, 2)})


def object_checkpoint(folder: Path) -> Case:
    """Other values than the SavedModel's own, in a checkpoint of objects that holds the model as a part."""
    model = NestedCalls()
    tf.saved_model.save(model, str(folder / "model"), signatures=model.outer)
    saved = signature_case(str(folder / "model"), {"x": _random(3, 2)})
    names = dict(zip(saved.xs[1:], (model.scale, model.offset), strict=True))
    model.scale.assign([0.25, 0.5])
    model.offset.assign([-1.0, 2.0])
    tf.train.Checkpoint(net=model, step=tf.Variable(7)).write(str(folder / "trained"))
    x = tf.constant(saved.feeds["x"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model.outer(x)["y"]
    gradients = tape.gradient(y, [x, *names.values()])
    values = {"y": y.numpy(), **{f"d{n}": d.numpy() for n, d in zip(saved.xs, gradients, strict=True)}}
    return dataclasses.replace(saved, values=values, variables="trained")


def _keras(library: Any, layers: Callable[[Any], list[Any]], shape: tuple[int, ...], folder: Path) -> Case:
    library.utils.set_random_seed(1)
    model = library.Sequential([library.layers.Input(shape), *layers(library.layers)])
    random = np.random.default_rng(7)
    model.set_weights([random.normal(0, 0.5, w.shape).astype(w.dtype) for w in model.get_weights()])
    path = str(folder / "model")
    model.save(path, save_format="tf") if library is tf_keras else model.export(path, verbose=False)
    (key,) = tf.saved_model.load(path).signatures["serving_default"].structured_input_signature[1]
    return signature_case(path, {key: _random(2, *shape)})


def keras_dense(folder: Path) -> Case:
    return _keras(tf.keras, lambda k: [k.Dense(3, activation="relu"), k.Dense(2)], (4,), folder)


def keras_lstm(folder: Path) -> Case:
    return _keras(tf.keras, lambda k: [k.LSTM(3), k.Dense(2)], (5, 2), folder)


def keras_gru(folder: Path) -> Case:
    return _keras(tf.keras, lambda k: [k.GRU(3, return_sequences=True), k.Dense(2)], (5, 2), folder)


def keras_bidirectional(folder: Path) -> Case:
    return _keras(tf.keras, lambda k: [k.Bidirectional(k.LSTM(3)), k.Dense(2)], (4, 2), folder)


def tf_keras_lstm(folder: Path) -> Case:
    return _keras(tf_keras, lambda k: [k.LSTM(3), k.Dense(2)], (5, 2), folder)


def tf_keras_gru(folder: Path) -> Case:
    return _keras(tf_keras, lambda k: [k.GRU(3), k.Dense(2)], (5, 2), folder)


def tf_keras_bidirectional(folder: Path) -> Case:
    return _keras(tf_keras, lambda k: [k.Bidirectional(k.GRU(3)), k.Dense(2)], (4, 2), folder)


def tf_keras_dense(folder: Path) -> Case:
    return _keras(tf_keras, lambda k: [k.Dense(3, activation="tanh"), k.Dense(2)], (4,), folder)


# --- TensorFlow 1 ----------------------------------------------------------------------------------------------------


def _session_case(
    build: Callable[[], tuple[Any, dict[Any, np.ndarray]]], save: Callable[[Any, Any, Any], tuple[str, str | None]]
) -> Case:
    """A graph of TensorFlow 1: a loss and its feeds, saved before the gradients that give the values are added."""
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        tf1.set_random_seed(3)
        loss, feeds = build()
        variables = tf1.trainable_variables()
        session.run(tf1.global_variables_initializer())
        model, prefix = save(session, loss, list(feeds))
        inputs = [x for x in feeds if x.dtype.is_floating]
        handles = [v.handle if hasattr(v, "handle") else v._ref() for v in variables]
        gradients = tf1.gradients(loss, [*inputs, *variables])
        values = session.run([loss, *map(tf.convert_to_tensor, gradients)], feeds)
        names = [x.op.name for x in [*inputs, *handles]]
        found = dict(zip([loss.op.name, *(f"d{name}" for name in names)], values, strict=True))
        given = {x.op.name: value for x, value in feeds.items()}
        del graph
        return Case(model, [loss.op.name], names, given, found, prefix)


def simple_save(folder: Path) -> Case:
    """Variables of both kinds, one of them in parts."""

    def build() -> tuple[Any, dict[Any, np.ndarray]]:
        x = tf1.placeholder(tf.float32, [None, 4], name="x")
        random = tf1.random_normal_initializer()
        kernel = tf1.get_variable("kernel", [4, 6], initializer=random, partitioner=tf1.fixed_size_partitioner(2))
        bias = tf1.get_variable("bias", [6], initializer=random, use_resource=True)
        last = tf1.get_variable("last", [6, 2], initializer=random, use_resource=False)
        y = tf.matmul(tf.tanh(tf.matmul(x, tf.convert_to_tensor(kernel)) + bias), last)
        return tf.reduce_mean(y**2, name="loss"), {x: _random(3, 4)}

    def save(session: Any, loss: Any, inputs: list[Any]) -> tuple[str, None]:
        Path("vocabulary.txt").write_text("one\ntwo\n")
        name = tf1.constant("vocabulary.txt", name="vocabulary")
        tf1.add_to_collection(tf1.GraphKeys.ASSET_FILEPATHS, name)
        builder = tf1.saved_model.Builder(str(folder / "model"))
        signature = tf1.saved_model.predict_signature_def({"input": inputs[0]}, {"output": loss})
        assets = tf1.get_collection(tf1.GraphKeys.ASSET_FILEPATHS)
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, assets)
        builder.add_meta_graph(["train"], {"learn": signature})
        builder.save()
        return "model", None

    with contextlib.chdir(folder):  # the graph holds the name of the asset, and shall hold no path of this machine
        case = _session_case(build, save)
        Path("vocabulary.txt").unlink()
    return case


def main_op(folder: Path) -> Case:
    """A table that an operation named in a collection fills from a file named in another."""

    def build() -> tuple[Any, dict[Any, np.ndarray]]:
        words, of = tf1.placeholder(tf.string, [None], name="words"), tf.lookup.TextFileIndex
        lines = tf1.lookup.TextFileInitializer("words.txt", tf.string, of.WHOLE_LINE, tf.int64, of.LINE_NUMBER)
        rows = tf1.lookup.StaticHashTable(lines, 2).lookup(words)
        kernel = tf1.get_variable("kernel", [3, 2], initializer=tf1.random_normal_initializer(), use_resource=False)
        return tf.reduce_sum(tf.gather(kernel, rows) ** 2, name="loss"), {words: np.array([b"b", b"a", b"no"], object)}

    def save(session: Any, loss: Any, inputs: list[Any]) -> tuple[str, None]:
        fills = tf1.tables_initializer()
        session.run(fills)
        builder = tf1.saved_model.Builder(str(folder / "model"))
        signature = tf1.saved_model.predict_signature_def({"words": inputs[0]}, {"output": loss})
        assets = tf1.get_collection(tf1.GraphKeys.ASSET_FILEPATHS)
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, assets, main_op=fills)
        builder.save()
        return "model", None

    with contextlib.chdir(folder):
        Path("words.txt").write_text("a\nb\n")
        case = _session_case(build, save)
        Path("words.txt").unlink()
    return case


def _preprocessed(folder: Path, layers: Callable[[Any, Any], Any], words: list[Any]) -> Case:
    """A Keras model that looks its words up before all else, in a table of a file; its variables are differentiated."""
    tf_keras.utils.set_random_seed(1)
    k, array = tf_keras.layers, np.array(words).astype("S").astype(object)
    with contextlib.chdir(folder):
        Path("words.txt").write_text("a\nb\nc\n")
        x = k.Input(array.shape[1:], dtype=tf.string, name="words")
        model = tf_keras.Model(x, k.Dense(2, name="y")(layers(k, x)))
        model.save("model", save_format="tf")
        Path("words.txt").unlink()
    signature = tf.saved_model.load(str(folder / "model")).signatures["serving_default"]
    assert list(signature.structured_outputs) == ["y"]
    with tf.GradientTape() as tape:
        y = model(tf.constant(array))
    gradients = tape.gradient(y, model.trainable_variables)
    names = [_node_of(str(folder / "model"), v.numpy()) for v in model.trainable_variables]
    values = {f"d{name}": tf.convert_to_tensor(dx).numpy() for name, dx in zip(names, gradients, strict=True)}
    return Case("model", ["y"], names, {"words": array}, {"y": y.numpy(), **values})


def keras_string_lookup(folder: Path) -> Case:
    def layers(k: Any, x: Any) -> Any:
        return k.Flatten()(k.Embedding(5, 3)(k.StringLookup(vocabulary="words.txt")(x)))

    return _preprocessed(folder, layers, [["a"], ["no"], ["c"]])


def keras_text_vectorization(folder: Path) -> Case:
    def layers(k: Any, x: Any) -> Any:
        rows = k.TextVectorization(vocabulary="words.txt", output_sequence_length=4)(x)
        return k.GlobalAveragePooling1D()(k.Embedding(6, 3)(rows))

    return _preprocessed(folder, layers, ["a B, c", "no", "C c a b a"])


def _meta(folder: Path, **options: Any) -> Callable[[Any, Any, list[Any]], tuple[str, str]]:
    def save(session: Any, loss: Any, inputs: list[Any]) -> tuple[str, str]:
        del loss, inputs
        tf1.train.Saver(save_relative_paths=True, **options).save(session, str(folder / "ckpt"))
        return "ckpt.meta", "ckpt"

    return save


def _recurrent() -> tuple[Any, dict[Any, np.ndarray]]:
    """A dynamic RNN as TensorFlow 1 has it: a while loop over TensorArrays."""
    tf1.disable_control_flow_v2()
    x = tf1.placeholder(tf.float32, [None, 6, 3], name="x")
    cell = tf_keras.layers.LSTMCell(4)
    cell.build((None, 3))
    steps = tf.unstack(x, axis=1)
    sequence = tf1.TensorArray(tf.float32, 6).unstack(tf.stack(steps))
    zeros = tf.zeros([tf.shape(x)[0], 4])

    def body(i: Any, h: Any, c: Any, out: Any) -> Any:
        y, (h, c) = cell(sequence.read(i), [h, c])
        return i + 1, h, c, out.write(i, y)

    start = (tf.constant(0), zeros, zeros, tf1.TensorArray(tf.float32, 6))
    *_, out = tf1.while_loop(lambda i, *_: i < 6, body, start)
    return tf.reduce_sum(out.stack() ** 2, name="loss"), {x: _random(2, 6, 3)}


def dynamic_rnn(folder: Path) -> Case:
    return _session_case(_recurrent, _meta(folder, sharded=True))


def dynamic_rnn_graph(folder: Path) -> Case:
    """The bare GraphDef of the same, with its checkpoint."""

    def save(session: Any, loss: Any, inputs: list[Any]) -> tuple[str, str]:
        del loss, inputs
        (folder / "graph.pb").write_bytes(session.graph.as_graph_def().SerializeToString())
        tf1.train.Saver(save_relative_paths=True).save(session, str(folder / "ckpt"), write_meta_graph=False)
        return "graph.pb", "ckpt"

    return _session_case(_recurrent, save)


def version_1(folder: Path) -> Case:
    """A checkpoint of version 1 with a variable in parts."""

    def build() -> tuple[Any, dict[Any, np.ndarray]]:
        x = tf1.placeholder(tf.float32, [None, 4], name="x")
        random = tf1.random_normal_initializer()
        kernel = tf1.get_variable("kernel", [4, 3], initializer=random, partitioner=tf1.fixed_size_partitioner(3))
        zeros = tf1.get_variable("zeros", [40, 50], initializer=tf1.zeros_initializer(), use_resource=False)
        loss = tf.reduce_sum(tf.sin(tf.matmul(x, tf.convert_to_tensor(kernel)))) + tf.reduce_sum(tf.sin(zeros))
        return tf.identity(loss, name="loss"), {x: _random(2, 4)}

    return _session_case(build, _meta(folder, write_version=tf1.train.SaverDef.V1))


def guarded_image_model(folder: Path) -> Case:
    """Convolution, batch normalization and dropout behind conds on whether it is trained."""

    def build() -> tuple[Any, dict[Any, np.ndarray]]:
        tf1.disable_control_flow_v2()
        x = tf1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        training = tf1.placeholder(tf.bool, [], name="training")
        random = tf1.random_normal_initializer(0, 0.3)
        kernel = tf1.get_variable("kernel", [3, 3, 3, 4], initializer=random)
        scale = tf1.get_variable("scale", [4], initializer=tf1.ones_initializer())
        offset = tf1.get_variable("offset", [4], initializer=random)
        mean = tf1.get_variable("mean", [4], initializer=random, trainable=False)
        variance = tf1.get_variable("variance", [4], initializer=tf1.ones_initializer(), trainable=False)
        z = tf.nn.conv2d(x, kernel, 2, "SAME")

        def trained() -> Any:
            return tf1.nn.fused_batch_norm(z, scale, offset, is_training=True)[0]

        def served() -> Any:
            return tf1.nn.fused_batch_norm(z, scale, offset, mean, variance, is_training=False)[0]

        normal = tf.nn.relu(tf1.cond(training, trained, served))
        kept = tf1.cond(training, lambda: tf1.nn.dropout(normal, rate=0.5), lambda: tf.identity(normal))
        loss = tf.reduce_mean(kept**2, name="loss")
        return loss, {x: _random(2, 8, 8, 3), training: np.array(False)}

    return _session_case(build, _meta(folder))


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


SMALL = [
    looked_up,
    vocabulary,
    dictionaries,
    main_op,
    recomputed,
    nested_calls,
    object_checkpoint,
    keras_dense,
    keras_lstm,
    simple_save,
    dynamic_rnn,
    version_1,
    guarded_image_model,
]
LARGE = [
    keras_gru,
    keras_bidirectional,
    keras_string_lookup,
    keras_text_vectorization,
    tf_keras_dense,
    tf_keras_lstm,
    tf_keras_gru,
    tf_keras_bidirectional,
    dynamic_rnn_graph,
]
