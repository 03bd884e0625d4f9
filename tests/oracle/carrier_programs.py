"""TensorFlow programs whose values lie in something on their way: optionals, variants of composite and ragged tensors, lists,
temporary variables; in branches and loops too. They join those of `flow_programs`.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tests.oracle.corner_programs import functions_only
from tests.oracle.flow_programs import Built, Inputs, program, times, variable

tf1 = tf.compat.v1
raw = tf.raw_ops
FLOATS = {"output_types": [tf.float32], "output_shapes": [[3]]}


# ---------------------------------------------------------------------- optionals
@program
def optional(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    held = raw.OptionalFromValue(components=[a * a, tf.exp(a)])
    b, c = raw.OptionalGetValue(optional=held, output_types=[tf.float32] * 2, output_shapes=[[3], [3]])
    return tf.sin(b) * c, [a]


@program
@functions_only
def optional_out_of_a_cond(of: Inputs) -> Built:
    a, p = of.tensor("a", 3), of.scalar("p", True)
    held = tf.cond(p, lambda: raw.OptionalFromValue(components=[a * a]), lambda: raw.OptionalFromValue(components=[a]))
    return raw.OptionalGetValue(optional=held, **FLOATS)[0] * a, [a]


@program
@functions_only
def optional_round_a_loop(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)

    def body(i: Any, held: Any) -> Any:
        return raw.OptionalFromValue(components=[raw.OptionalGetValue(optional=held, **FLOATS)[0] * w])

    held = times(3, body, raw.OptionalFromValue(components=[a]))
    return raw.OptionalGetValue(optional=held, **FLOATS)[0], [a, w]


@program
def optional_asked_for(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    held = raw.OptionalFromValue(components=[a])
    there = tf.cast(raw.OptionalHasValue(optional=held), tf.float32)
    return a * there + tf.cast(raw.OptionalHasValue(optional=raw.OptionalNone()), tf.float32), [a]


# ---------------------------------------------------------------------- variants of several tensors
@program(levels="static")
@functions_only
def ragged_rows_mapped(of: Inputs) -> Built:
    a = of.tensor("a", 5)
    rows = tf.RaggedTensor.from_row_splits(a * 2.0, [0, 2, 2, 5], validate=False)
    return tf.map_fn(lambda row: tf.reduce_sum(row * row), rows, fn_output_signature=tf.float32), [a]


@program(levels="static")
@functions_only
def ragged_rows_of_a_map(of: Inputs) -> Built:
    a = of.tensor("a", 5)
    rows = tf.RaggedTensor.from_row_splits(a, [0, 2, 2, 5], validate=False)
    squares = tf.map_fn(lambda row: row * row, rows, fn_output_signature=tf.RaggedTensorSpec([None], tf.float32))
    return squares.flat_values, [a]


# ---------------------------------------------------------------------- lists
def _list(of: tf.Tensor) -> tf.Tensor:
    return raw.TensorListFromTensor(tensor=of, element_shape=tf.constant(of.shape[1:].as_list(), tf.int32))


def _stacked(values: tf.Tensor) -> tf.Tensor:
    return raw.TensorListStack(input_handle=values, element_shape=tf.constant([3]), element_dtype=tf.float32)


@program(levels="static")
def list_of_every_op(of: Inputs) -> Built:
    a, b, c = of.tensor("a", 4, 3), of.tensor("b", 3), of.tensor("c", 4, 3)
    values = raw.TensorListPushBack(input_handle=_list(a * 2.0), tensor=b)
    values = raw.TensorListSetItem(input_handle=values, index=1, item=b * b)
    values = raw.TensorListResize(input_handle=values, size=5)
    values = raw.TensorListScatterIntoExistingList(input_handle=values, tensor=c, indices=[0, 3, 2, 1])
    parts = {"element_shape": tf.constant([3]), "element_dtype": tf.float32}
    one = raw.TensorListGetItem(input_handle=values, index=2, **parts)
    some = raw.TensorListGather(input_handle=values, indices=[4, 0, 4], **parts)
    rest, last = raw.TensorListPopBack(input_handle=values, **parts)
    shape = tf.cast(raw.TensorListElementShape(input_handle=rest, shape_type=tf.int32), tf.float32)
    number = tf.cast(raw.TensorListLength(input_handle=rest), tf.float32)
    both = _stacked(raw.TensorListConcatLists(input_a=rest, input_b=values, element_dtype=tf.float32))
    return [tf.reduce_sum(both * number * shape[0]) + tf.reduce_sum(some * one), last * one], [a, b, c]


@program(levels="static")
def list_split_and_joined(of: Inputs) -> Built:
    a = of.tensor("a", 5, 3)
    lengths = tf.constant([1, 3, 1], tf.int64)
    values = raw.TensorListSplit(tensor=a * a, element_shape=tf.constant([-1, 3]), lengths=lengths)
    joined, _ = raw.TensorListConcatV2(
        input_handle=values, element_shape=tf.constant([-1, 3]), leading_dims=lengths, element_dtype=tf.float32
    )
    return tf.sin(joined), [a]


@program(levels="static")
def list_scattered(of: Inputs) -> Built:
    a, e = of.tensor("a", 3, 3), tf.constant([3])
    values = raw.TensorListScatterV2(tensor=a, indices=[2, 0, 1], element_shape=e, num_elements=3)
    return _stacked(values) * a, [a]


@program(levels="static")
@functions_only
def list_out_of_a_cond(of: Inputs) -> Built:
    a, b, p = of.tensor("a", 4, 3), of.tensor("b", 3), of.scalar("p", False)
    values = _list(a)
    set_item = lambda: raw.TensorListSetItem(input_handle=values, index=1, item=b)  # noqa: E731
    return _stacked(tf.cond(p, set_item, lambda: raw.TensorListSetItem(input_handle=values, index=0, item=b * b))), [
        a,
        b,
    ]


# ---------------------------------------------------------------------- temporary variables
@program(levels="static")
def temporary_variable(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    held = raw.TemporaryVariable(shape=[3], dtype=tf.float32, var_name="held")
    with tf.control_dependencies([tf1.assign(held, tf.ones([3]) * 0.5)]):
        y = held * 2.0 + tf.sin(a)
    return y, [a, held]


# ---------------------------------------------------------------------- branches and loops
@program
@functions_only
def one_of_twelve(of: Inputs) -> Built:
    a, i = of.tensor("a", 3), of.scalar("i", 7, "int32")
    branches = [lambda k=k: tf.sin(a * float(k)) if k % 3 else a * a * float(k) for k in range(12)]
    return tf.switch_case(i, branches), [a]


@program
@functions_only
def one_of_three_beyond_the_last(of: Inputs) -> Built:
    a, i = of.tensor("a", 3), of.scalar("i", -4, "int32")
    return tf.switch_case(i, [lambda: a * a, lambda: tf.sin(a), lambda: tf.exp(a) * a]), [a]


@program
def loop_without_trips_over_a_variable(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), variable("w", 3, use_resource=True)
    n = of.scalar("n", 0, "int32")
    return tf1.while_loop(lambda i, x: i < n, lambda i, x: (i + 1, x * w), [0, a])[1] + w, [a, w]


@program
def loop_with_all_exits_used(of: Inputs) -> Built:
    a, b = of.tensor("a", 3), of.tensor("b", 3)
    x, y, z = times(3, lambda i, x, y, z: (x * y, tf.sin(z), x + b), a, b, a * b)
    return [x + y, z * a], [a, b]


@program
def loop_with_most_iterations_fed(of: Inputs) -> Built:
    a, n = of.tensor("a", 3), of.scalar("n", 2, "int32")
    return times(10, lambda i, x: x * tf.sin(x), a, maximum_iterations=n), [a]


@program(levels="static")
@functions_only
def loop_from_a_reference_variable(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), variable("w", 3, use_resource=False)
    return tf1.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * w * a), [0, w._variable])[1], [a, w]


@program
def cond_in_cond_in_cond_in_loop(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)

    def body(i: Any, x: Any) -> Any:
        inmost = lambda: tf.cond(i > 2, lambda: x * w, lambda: tf.sin(x))  # noqa: E731
        inner = lambda: tf.cond(i > 1, inmost, lambda: x + w * x)  # noqa: E731
        return tf.cond(i > 0, inner, lambda: x * x)

    return times(5, body, a), [a, w]
