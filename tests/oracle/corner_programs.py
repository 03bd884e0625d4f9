"""More TensorFlow programs with branches, loops and tensor arrays, for the corners: second derivatives, rows gathered in
loops, variables of all kinds, one kind of structure deep inside another. They join those of `flow_programs`.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.ops import control_flow_util_v2

from tests.oracle.flow_programs import FUNCTIONS_ONLY, Built, Inputs, program, times, variable

tf1 = tf.compat.v1


def functions_only(function: Any) -> Any:
    """Cases are functions however branches are built; of these TensorFlow knows more without a file between."""
    FUNCTIONS_ONLY.add(function.__name__)
    return function


def twice(function: Any = None, *, levels: str = "static ranks") -> Any:
    """Registers a program that is differentiated twice, which TensorFlow does with loops that are functions only."""

    def register(function: Any) -> Any:
        return program(levels=levels, order=2)(functions_only(function))

    return register if function is None else register(function)


# ---------------------------------------------------------------------- second derivatives
@twice
def loop_twice(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(4, lambda i, x: tf.sin(x) * w, a), [a, w]


@twice(levels="static")
def loop_of_products_twice(of: Inputs) -> Built:
    a, w = of.tensor("a", 2, 3), of.tensor("w", 3, 3)
    return times(3, lambda i, x: tf.tanh(tf.matmul(x, w)), a), [a, w]


@twice
def cond_in_loop_twice(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    body = lambda i, x: tf.cond(tf.equal(i % 2, 0), lambda: x * w, lambda: tf.exp(x) * 0.3 + w)  # noqa: E731
    return times(4, body, a), [a, w]


@twice(levels="static")
def loop_in_cond_twice(of: Inputs) -> Built:
    a, w, p = of.tensor("a", 3), of.tensor("w", 3), of.scalar("p", True)
    return tf.cond(p, lambda: times(3, lambda i, x: x * w, a), lambda: a * 2.0), [a, w]


@twice(levels="static")
def loop_in_loop_twice(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(3, lambda i, x: times(2, lambda j, z: tf.sin(z) * w, x) + x, a), [a, w]


@twice
def cond_in_cond_twice(of: Inputs) -> Built:
    a, b, p, q = of.tensor("a", 2, 3), of.tensor("b", 2, 3), of.scalar("p", True), of.scalar("q", False)
    inner = lambda: tf.cond(q, lambda: a * b * b, lambda: a * a + b)  # noqa: E731
    return tf.cond(p, inner, lambda: tf.exp(b)), [a, b]


@twice
def one_of_three_twice(of: Inputs) -> Built:
    a, i = of.tensor("a", 2, 3), of.scalar("i", 1, "int32")
    return tf.switch_case(i, [lambda: a * a * a, lambda: tf.sin(a) * a, lambda: tf.exp(a)]), [a]


@twice(levels="static")
def scan_twice(of: Inputs) -> Built:
    a, w = of.tensor("a", 5, 3), of.tensor("w", 3)
    return tf.scan(lambda c, x: tf.tanh(c * w + x), a, initializer=tf.zeros([3])), [a, w]


@twice(levels="ranks")
def map_twice(of: Inputs) -> Built:
    a = of.tensor("a", 5, 3)
    return tf.map_fn(lambda x: x * x + tf.sin(x), a), [a]


@twice
def loop_in_loop_in_cond_twice(of: Inputs) -> Built:
    """What the backward loops pop from their lists has the shape it had when they were made."""
    a, w, p = of.tensor("a", 3), of.tensor("w", 3), of.scalar("p", True)
    inner = lambda i, x: times(2, lambda j, z, u: (z * u, u * w), x, x)[0]  # noqa: E731
    return tf.cond(p, lambda: times(2, inner, a), lambda: a * w), [a, w]


@twice
def loop_to_a_known_shape_in_a_loop_twice(of: Inputs) -> Built:
    """A loop that is made to record values states the shapes that its iterations give."""
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    inner = lambda i, x: times(2, lambda j, z: tf.reshape(tf.sin(z) * w, [3]), x) * x  # noqa: E731
    return times(2, inner, a), [a, w]


@twice(levels="static")
def cond_of_what_only_its_branches_know_twice(of: Inputs) -> Built:
    """In a function the shape of a variable is not known, but that of an argument made of it is."""
    a, v = of.tensor("a", 3), variable("v", 3, use_resource=True)
    p, q = of.scalar("p", True), of.scalar("q", False)

    def branch() -> Any:
        x = tf.sin(a) * tf.nn.softmax(v)
        return tf.cond(q, lambda: x, lambda: a * a)

    return tf.cond(p, branch, lambda: a), [a, v]


@program(levels="static", order=3)
def cond_three_times(of: Inputs) -> Built:
    a, p = of.tensor("a", 2, 3), of.scalar("p", True)
    return tf.cond(p, lambda: a * a * a * a, lambda: tf.sin(a)), [a]


@program(levels="static", order=3)
@functions_only
def loop_three_times(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(2, lambda i, x: tf.exp(x) * w, a), [a, w]


@program(levels="ranks", order=3)
@functions_only
def array_loop_three_times(of: Inputs) -> Built:
    """What was measured of a list for the second derivative is not measured again for the third."""
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    body = lambda i, x, t: (tf.sin(x) * w, t.write(i, x))  # noqa: E731
    return times(2, body, a, tf.TensorArray(tf.float32, 2))[1].stack(), [a, w]


@program(levels="ranks", order=3)
@functions_only
def loop_that_forgets_three_times(of: Inputs) -> Built:
    """The zeros of what is not carried on are of a shape that is known by the same name in two functions."""
    a, b = of.tensor("a", 3), of.tensor("b", 3)
    x, y = times(2, lambda i, x, y: (x * x, tf.identity(b)), a, b)
    return x + y, [a, b]


@twice(levels="static")
def loop_that_pops_what_another_pushed_twice(of: Inputs) -> Built:
    """An argument that stands for a popped element has its name where the gradient pops it again."""
    a, of_three = of.tensor("a", 3), {"element_shape": [3], "element_dtype": tf.float32}
    empty = tf.raw_ops.EmptyTensorList(max_num_elements=-1, **of_three)
    push = lambda i, x, pile: (x * a, tf.raw_ops.TensorListPushBack(input_handle=pile, tensor=x))  # noqa: E731
    pile = times(3, push, a, empty)[1]

    def pop(i: Any, x: Any, pile: Any) -> Any:
        pile, element = tf.raw_ops.TensorListPopBack(input_handle=pile, **of_three)
        return x * element, pile

    return times(2, pop, a, pile)[0], [a]


@program(levels="ranks", order=2)
@functions_only
def lone_branch_twice(of: Inputs) -> Built:
    """What a branch hands on is not known to its caller, be it the only one."""
    a, i = of.tensor("a", 3), of.scalar("i", 0, "int32")
    return tf.switch_case(i, [lambda: times(2, lambda j, x: tf.identity(a) * x, a)]), [a]


# ---------------------------------------------------------------------- loop variables of all kinds
@program(levels="static")
def loop_with_a_number(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    return times(4, lambda i, n, x: (n * 2, x * tf.cast(n, tf.float32)), 1, a)[1], [a]


@program(levels="static")
def loop_while_told_to(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    body = lambda go, i, x: (i < 3, i + 1, x * 1.5 * a)  # noqa: E731
    return tf1.while_loop(lambda go, *_: go, body, [tf.constant(True), 0, a])[2], [a]


@program(levels="static")
def loop_of_complex_numbers(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    z = tf.complex(a, a * 0.5)
    return tf.math.real(times(3, lambda i, x: x * z, z)), [a]


@program
def loop_as_often_as_fed(of: Inputs) -> Built:
    a, n = of.tensor("a", 3), of.scalar("n", 5, "int32")
    return tf1.while_loop(lambda i, x: i < n, lambda i, x: (i + 1, x * tf.cos(a)), [0, a])[1], [a]


@program(levels="static")
def loop_that_assigns(of: Inputs) -> Built:
    a, count = of.tensor("a", 3), tf1.get_variable("c", initializer=0.0, use_resource=True)

    def body(i: Any, x: Any) -> Any:
        with tf.control_dependencies([tf1.assign_add(count, 1.0)]):
            return x * a

    return times(3, body, a), [a]


@program(levels="static")
def loop_that_asserts(of: Inputs) -> Built:
    a = of.tensor("a", 3)

    def body(i: Any, x: Any) -> Any:
        with tf.control_dependencies([tf1.Assert(tf.reduce_all(x > -100.0), [x])]):
            return x * a

    return times(3, body, a), [a]


@program(levels="static")
def gradient_in_a_loop(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    return times(3, lambda i, x: x - 0.1 * tf1.gradients(tf.reduce_sum(x * x * x), [x])[0], a), [a]


@program
def loss_in_a_loop(of: Inputs) -> Built:
    a = of.tensor("a", 4, 3)
    loss = lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 1, 2, 0], logits=x)  # noqa: E731
    return times(3, lambda i, x: x * loss(x)[:, None], a), [a]


# ---------------------------------------------------------------------- rows
@program
def loop_over_rows_of_two(of: Inputs) -> Built:
    w, v = of.tensor("w", 5, 3), of.tensor("v", 5, 3)
    body = lambda i, x: x * tf.gather(w, [i]) + tf.gather(v, [i, i])[:1] * tf.gather(w, [0])  # noqa: E731
    return times(3, body, tf.ones([1, 3])), [w, v]


@program(levels="static")
def loop_in_loop_over_rows(of: Inputs) -> Built:
    w = of.tensor("w", 5, 3)
    return times(2, lambda i, x: times(2, lambda j, z: z * tf.gather(w, [i, j]), x), tf.ones([2, 3])), [w]


@program
def cond_in_loop_over_rows(of: Inputs) -> Built:
    w = of.tensor("w", 5, 3)
    body = lambda i, x: tf.cond(i > 1, lambda: x * tf.gather(w, [i, 0]), lambda: x + 1.0)  # noqa: E731
    return times(3, body, tf.ones([2, 3])), [w]


@program(levels="static")
def cond_of_rows_of_a_variable(of: Inputs) -> Built:
    w, p = variable("w", 5, 3, use_resource=True), of.scalar("p", True)
    return tf.cond(p, lambda: tf.nn.embedding_lookup(w, [1, 0]), lambda: tf.nn.embedding_lookup(w, [2, 3]) * 2.0), [w]


@program(levels="static")
def cond_of_rows_of_a_variable_or_none(of: Inputs) -> Built:
    w, p = variable("w", 5, 3, use_resource=True), of.scalar("p", True)
    return tf.cond(p, lambda: tf.nn.embedding_lookup(w, [1, 0]), lambda: tf.ones([2, 3])), [w]


# ---------------------------------------------------------------------- one in the other
@program(levels="static")
def conds_and_loops_in_a_loop(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)

    def body(i: Any, x: Any) -> Any:
        inner = lambda j, z: tf.cond(tf.equal(j, i), lambda: z * w, lambda: z + x)  # noqa: E731
        last = lambda: tf.cond(i < 3, lambda: x * x, lambda: w)  # noqa: E731
        return tf.cond(i < 2, lambda: times(2, inner, x), last)

    return times(4, body, a), [a, w]


@program(levels="static")
def loops_before_in_and_after_a_cond(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    y = times(3, lambda i, x: x * a, a)
    z = tf.cond(tf.reduce_sum(y) > 0.0, lambda: times(2, lambda i, x: x * y, y), lambda: y)
    return times(2, lambda i, x: x * z, z), [a]


@functions_only
@program(levels="static")
def one_of_three_in_a_loop(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    return times(4, lambda i, x: tf.switch_case(i % 3, [lambda: x * a, lambda: x + a, lambda: tf.sin(x)]), a), [a]


@program
def cond_of_a_variable_in_a_loop(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), variable("w", 3, use_resource=True)
    return times(3, lambda i, x: tf.cond(i > 1, lambda: x * w, lambda: x + 1.0), a), [a, w]


@program
def loop_with_a_variable_in_a_cond(of: Inputs) -> Built:
    a, w, p = of.tensor("a", 3), variable("w", 3, use_resource=True), of.scalar("p", True)
    return tf.cond(p, lambda: times(3, lambda i, x: x * w, a), lambda: a), [a, w]


@program
def loop_with_a_y_that_no_x_leads_to(of: Inputs) -> Built:
    a, b = of.tensor("a", 3), of.tensor("b", 3)
    return list(times(3, lambda i, x, y: (x * y, y), a, b)), [a]


@program(levels="static", order=2)
def cond_in_cond_differentiated_twice(of: Inputs) -> Built:
    a, p, q = of.tensor("a", 3), of.scalar("p", True), of.scalar("q", False)
    return tf.square(tf.cond(p, lambda: tf.cond(q, lambda: a * a, lambda: tf.exp(a)), lambda: a)), [a]


@twice(levels="ranks")
def cond_whose_first_branch_knows_more_twice(of: Inputs) -> Built:
    a, p = of.tensor("a", 3), of.scalar("p", True)
    return tf.cond(p, lambda: tf.sin(tf.ensure_shape(a, [3])) * a, lambda: tf.exp(a) * a), [a]


@twice(levels="static")
def cond_whose_results_have_one_gradient_twice(of: Inputs) -> Built:
    a, p = of.tensor("a", 3), of.scalar("p", True)
    y, z = tf.cond(p, lambda: (a * a, tf.sin(a)), lambda: (tf.exp(a), a))
    return y + z, [a]


@twice
def loop_that_hands_on_all_twice(of: Inputs) -> Built:
    """Loops of Keras layers keep everything a gradient may need, before there is one."""
    a = of.tensor("a", 4, 2, 3)
    w, u = variable("w", 3, 2, use_resource=True), variable("u", 2, 2, use_resource=True)
    rows = tf.TensorArray(tf.float32, 4).unstack(a)

    def step(i: Any, h: Any, kept: Any) -> Any:
        h = tf.tanh(tf.matmul(rows.read(i), w.read_value()) + tf.matmul(h, u.read_value()))
        return h, kept.write(i, h)

    control_flow_util_v2.set_output_all_intermediates(True)
    try:
        last, kept = times(4, step, tf.ones([2, 2]), tf.TensorArray(tf.float32, 4))
    finally:
        control_flow_util_v2.set_output_all_intermediates(None)
    return last * kept.stack(), [a]


# ---------------------------------------------------------------------- tensor arrays
@program(levels="static")
def array_of_any_length(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    array = tf.TensorArray(tf.float32, 0, dynamic_size=True)
    return times(4, lambda i, x, t: (x * a, t.write(i, x)), a, array)[1].stack(), [a]


@program(levels="static")
def array_written_in_the_inner_loop(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    inner = lambda i: lambda j, t: t.write(2 * i + j, a * tf.cast(i + j, tf.float32))  # noqa: E731
    return times(3, lambda i, t: times(2, inner(i), t), tf.TensorArray(tf.float32, 6)).stack(), [a]


@program(levels="static")
def array_read_in_a_cond(of: Inputs) -> Built:
    a, p = of.tensor("a", 3), of.scalar("p", True)
    array = tf.TensorArray(tf.float32, 2, clear_after_read=False).write(0, a).write(1, a * a)
    return tf.cond(p, lambda: array.read(0) * a, lambda: array.read(1)), [a]


@program(levels="static")
def array_scattered(of: Inputs) -> Built:
    a = of.tensor("a", 3, 2)
    return tf.TensorArray(tf.float32, 4, clear_after_read=False).scatter([2, 0, 1], a).gather([0, 2, 2]), [a]


@program
def map_of_numbers(of: Inputs) -> Built:
    a = of.tensor("a", 5)
    return tf.map_fn(lambda x: tf.cond(x > 0.7, lambda: x * x, lambda: tf.sin(x)), a), [a]


@program(levels="ranks")
def map_in_map(of: Inputs) -> Built:
    a = of.tensor("a", 3, 4)
    return tf.map_fn(lambda row: tf.map_fn(lambda x: x * x, row), a), [a]


@program(levels="static")
def fold_from_the_right(of: Inputs) -> Built:
    a, w = of.tensor("a", 5, 3), of.tensor("w", 3)
    return tf.foldr(lambda c, x: tf.tanh(c * w + x), a, initializer=tf.zeros([3])), [a, w]


@program(levels="static")
def scan_of_two(of: Inputs) -> Built:
    a, b = of.tensor("a", 5, 3), of.tensor("b", 3)
    x, y = tf.scan(lambda c, x: (c[0] * x, c[1] + c[0] * b), a, initializer=(tf.ones([3]), tf.zeros([3])))
    return x + y, [a, b]


@program(levels="ranks")
@functions_only
def map_to_a_variable(of: Inputs) -> Built:
    a, w = of.tensor("a", 4, 3), variable("w", 3, use_resource=True)
    return tf.ensure_shape(tf.map_fn(lambda row: w.read_value(), a), [None, 3]), [a, w]
