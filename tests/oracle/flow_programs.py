"""TensorFlow programs with branches, loops and tensor arrays of the first kind: each shows one way they can be put
together. `write_programs` differentiates them and stores what TensorFlow makes of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
Built = tuple[Any, list[Any]]
# Cases are functions however branches are built; without a file between, TensorFlow knows more of their variables.
FUNCTIONS_ONLY = {"one_of_three", "one_of_three_with_a_variable"}
FRAMES_ONLY = {"cond_of_a_variable_in_a_loop"}  # TensorFlow cannot differentiate it as functions out of a file
PROGRAMS: dict[str, tuple[Callable[..., Built], tuple[str, ...], int]] = {}


class Inputs:
    """Makes placeholders, their shapes known or only their ranks, and remembers what they are fed."""

    def __init__(self, level: str):
        self.level = level
        self.feeds: dict[tf.Tensor, np.ndarray[Any, Any]] = {}

    def tensor(self, name: str, *shape: int, dtype: str = "float32") -> tf.Tensor:
        """A placeholder of numbers between 0.2 and 1.2."""
        static = list(shape) if self.level == "static" else [None] * len(shape)
        made = tf1.placeholder(dtype, static, name=name)
        self.feeds[made] = value(name, shape, dtype)
        return made

    def scalar(self, name: str, number: Any, dtype: str = "bool") -> tf.Tensor:
        """A placeholder of one number."""
        made = tf1.placeholder(dtype, [], name=name)
        self.feeds[made] = np.array(number, dtype)
        return made


def value(name: str, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray[Any, Any]:
    return np.random.default_rng(len(name) * 100 + ord(name[0])).uniform(0.2, 1.2, shape).astype(dtype)


def variable(name: str, *shape: int, use_resource: bool) -> Any:
    return tf1.get_variable(name, initializer=value(name, shape), use_resource=use_resource)


def program(function: Callable[..., Built] | None = None, *, levels: str = "static ranks", order: int = 1) -> Any:
    def register(function: Callable[..., Built]) -> Callable[..., Built]:
        PROGRAMS[function.__name__] = function, tuple(levels.split()), order
        return function

    return register if function is None else register(function)


def times(n: int, body: Callable[..., Any], *start: Any, **options: Any) -> Any:
    """Runs a body n times over loop variables, and gives these."""

    def counted(i: Any, *carried: Any) -> list[Any]:
        following = body(i, *carried)
        return [i + 1, *(following if isinstance(following, tuple) else (following,))]

    found = tf1.while_loop(lambda i, *_: i < n, counted, [0, *start], **options)[1:]
    return found[0] if len(found) == 1 else found


# ---------------------------------------------------------------------- branches
@program
def one_of_three(of: Inputs) -> Built:
    a, i = of.tensor("a", 2, 3), of.scalar("i", 1, "int32")
    return tf.switch_case(i, [lambda: a * a, lambda: tf.sin(a) * a, lambda: tf.exp(a)]), [a]


@program
def one_of_three_with_a_variable(of: Inputs) -> Built:
    a, i = of.tensor("a", 2, 3), of.scalar("i", 2, "int32")
    w = variable("w", 2, 3, use_resource=True)
    return tf.switch_case(i, [lambda: a * w, lambda: tf.sin(a), lambda: tf.exp(a) * w]), [a, w]


@program
def cond_both_sides(of: Inputs) -> Built:
    a, p = of.tensor("a", 2, 3), of.scalar("p", True)
    return tf.cond(p, lambda: a * a, lambda: tf.sin(a) * 2.0), [a]


@program
def cond_one_side(of: Inputs) -> Built:
    a, b, p = of.tensor("a", 2, 3), of.tensor("b", 2, 3), of.scalar("p", False)
    return tf.cond(p, lambda: tf.square(a), lambda: b * 2.0), [a]


@program
def cond_hands_on_what_it_got(of: Inputs) -> Built:
    a, b, p = of.tensor("a", 2, 3), of.tensor("b", 2, 3), of.scalar("p", False)
    return tf.cond(p, lambda: a, lambda: b * a) * b, [a, b]


@program
def cond_two_results(of: Inputs) -> Built:
    a, b, p = of.tensor("a", 2, 3), of.tensor("b", 2, 3), of.scalar("p", False)
    y, z = tf.cond(p, lambda: (a * b, tf.exp(b)), lambda: (a + 1.0, a * 3.0))
    return y * y + z, [a, b]


@program
def cond_of_constants(of: Inputs) -> Built:
    a, p = of.tensor("a", 2, 3), of.scalar("p", True)
    return tf.cond(p, lambda: tf.constant(2.0), lambda: tf.constant(3.0)) * a, [a]


@program
def cond_in_cond(of: Inputs) -> Built:
    a, b, p, q = of.tensor("a", 2, 3), of.tensor("b", 2, 3), of.scalar("p", True), of.scalar("q", False)
    return tf.cond(p, lambda: tf.cond(q, lambda: a * b, lambda: a + b), lambda: tf.exp(b)), [a, b]


@program
def conds_of_one_predicate(of: Inputs) -> Built:
    a, p = of.tensor("a", 2, 3), of.scalar("p", True)
    y = tf.cond(p, lambda: tf.cond(p, lambda: a * a, lambda: a + 1.0) * a, lambda: tf.exp(a))
    return tf.cond(p, lambda: y * 2.0, lambda: y * a), [a]


@program
def case_of_three(of: Inputs) -> Built:
    a, i = of.tensor("a", 3), of.scalar("i", 1, "int32")
    cases = [(tf.equal(i, 0), lambda: a * a), (tf.equal(i, 1), lambda: tf.sin(a))]
    return tf.case(cases, default=lambda: tf.exp(a)), [a]


@program
def cond_of_resource_variable(of: Inputs) -> Built:
    v, a, p = variable("v", 2, 3, use_resource=True), of.tensor("a", 2, 3), of.scalar("p", True)
    return tf.cond(p, lambda: a * v, lambda: a + v), [a, v]


@program
def cond_of_reference_variable(of: Inputs) -> Built:
    v, a, p = variable("v", 2, 3, use_resource=False), of.tensor("a", 2, 3), of.scalar("p", True)
    return tf.cond(p, lambda: a * v, lambda: a + 1.0), [a, v]


@program
def cond_of_rows(of: Inputs) -> Built:
    w, p = of.tensor("w", 5, 3), of.scalar("p", True)
    return tf.cond(p, lambda: tf.gather(w, [0, 2]), lambda: w[:2] * 2.0), [w]


@program
def cond_of_rows_on_both_sides(of: Inputs) -> Built:
    w, p = of.tensor("w", 5, 3), of.scalar("p", False)
    return tf.cond(p, lambda: tf.gather(w, [0, 2]), lambda: tf.gather(w, [1, 3]) * 2.0), [w]


@program
def cond_with_concat(of: Inputs) -> Built:
    a, p = of.tensor("a", 2, 3), of.scalar("p", True)
    return tf.cond(p, lambda: tf.concat([a, a * a], 0), lambda: tf.concat([a, a], 0)), [a]


@program(order=2)
def cond_twice(of: Inputs) -> Built:
    a, p = of.tensor("a", 2, 3), of.scalar("p", True)
    return tf.cond(p, lambda: a * a * a, lambda: tf.sin(a) * 2.0), [a]


# ---------------------------------------------------------------------- loops
@program
def loop(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(4, lambda i, x: tf.sin(x) * w, a), [a, w]


@program
def loop_that_never_runs(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(0, lambda i, x: tf.sin(x) * w, a), [a, w]


@program
def loop_of_products(of: Inputs) -> Built:
    a, w = of.tensor("a", 2, 3), of.tensor("w", 3, 3)
    return times(3, lambda i, x: tf.tanh(tf.matmul(x, w)), a), [a, w]


@program
def loop_until(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    return tf1.while_loop(lambda x: tf.reduce_sum(x) < 20.0, lambda x: [x * x + 1.0], [a])[0], [a]


@program
def loop_of_two(of: Inputs) -> Built:
    a, b = of.tensor("a", 3), of.tensor("b", 3)
    x, y = times(3, lambda i, x, y: (x * y, y + x), a, b)
    return x + y, [a, b]


@program
def loop_with_unused_exit(of: Inputs) -> Built:
    a, b = of.tensor("a", 3), of.tensor("b", 3)
    return times(3, lambda i, x, y: (x * y, y + x), a, b)[0], [a, b]


@program
def loop_that_swaps(of: Inputs) -> Built:
    a, b = of.tensor("a", 3), of.tensor("b", 3)
    return times(3, lambda i, x, y: (y, x * b), a, b)[0], [a, b]


@program
def loop_from_constants(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    return times(3, lambda i, x: x * a + a, tf.ones_like(a)), [a]


@program
def loop_that_forgets(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(3, lambda i, x: w * tf.cast(i, tf.float32), a), [a, w]


@program
def loop_with_stop(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    return times(3, lambda i, x: tf.sin(x) * tf.stop_gradient(x), a), [a]


@program
def loop_of_doubles(of: Inputs) -> Built:
    a = of.tensor("a", 3, dtype="float64")
    return times(3, lambda i, x: tf.sin(x) * tf.reduce_max(x), a), [a]


@program
def loop_that_broadcasts(of: Inputs) -> Built:
    a, w = of.tensor("a", 2, 3), of.tensor("w", 3)
    return times(3, lambda i, x: tf.nn.softmax(x * w + w), a) * a, [a, w]


@program
def loop_that_splits(of: Inputs) -> Built:
    def body(i: Any, x: Any) -> Any:
        left, right = tf.split(x, 2, axis=1)
        return tf.concat([tf.sin(right), left * right], 1)

    a = of.tensor("a", 2, 4)
    return times(3, body, a), [a]


@program(levels="static")
def loop_that_grows(of: Inputs) -> Built:
    a = of.tensor("a", 1, 3)
    shapes = [tf.TensorShape([]), tf.TensorShape([None, 3])]
    return times(3, lambda i, x: tf.concat([x, x[-1:] * 2.0], 0), a, shape_invariants=shapes), [a]


@program
def loop_with_most_iterations(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    return times(10, lambda i, x: x * x, a, maximum_iterations=3), [a]


@program
def loop_one_at_a_time(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    return times(3, lambda i, x: tf.sin(x), a, parallel_iterations=1), [a]


@program
def loops_one_after_the_other(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    y = times(3, lambda i, x: tf.sin(x), a)
    return times(2, lambda i, x: x * y, a), [a]


@program
def loop_in_a_scope(of: Inputs) -> Built:
    with tf1.name_scope("model"):
        a = of.tensor("a", 3)
        return times(3, lambda i, x: tf.sin(x) * a, a, name="loop"), [a]


@program
def loop_over_rows(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 5, 3)
    return times(3, lambda i, x: x * tf.gather(w, i), a), [a, w]


@program
def loop_over_sets_of_rows(of: Inputs) -> Built:
    a, w = of.tensor("a", 2, 3), of.tensor("w", 5, 3)
    return times(3, lambda i, x: x * tf.gather(w, [i, i + 1]), a), [a, w]


@program
def loop_over_rows_of_a_variable(of: Inputs) -> Built:
    a, w = of.tensor("a", 2, 3), variable("w", 5, 3, use_resource=True)
    return times(3, lambda i, x: x * tf.gather(w, [i, i + 1]), a), [a, w]


@program
def loop_with_resource_variable(of: Inputs) -> Built:
    a, w = of.tensor("a", 2, 3), variable("w", 3, 3, use_resource=True)
    return times(3, lambda i, x: tf.matmul(x, w), a), [a, w]


@program
def loop_with_reference_variable(of: Inputs) -> Built:
    a, w = of.tensor("a", 2, 3), variable("w", 3, 3, use_resource=False)
    return times(3, lambda i, x: tf.matmul(x, w), a), [a, w]


# ---------------------------------------------------------------------- one in the other
@program
def cond_in_loop(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    body = lambda i, x: tf.cond(tf.equal(i % 2, 0), lambda: x * w, lambda: tf.exp(x) * 0.3 + w)  # noqa: E731
    return times(4, body, a), [a, w]


@program
def conds_in_loop(of: Inputs) -> Built:
    def body(i: Any, x: Any) -> Any:
        inner = lambda: tf.cond(i > 1, lambda: x * w, lambda: x + w)  # noqa: E731
        return tf.cond(tf.equal(i % 2, 0), inner, lambda: tf.exp(x) * 0.3)

    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(4, body, a), [a, w]


@program
def loop_in_cond(of: Inputs) -> Built:
    a, w, p = of.tensor("a", 3), of.tensor("w", 3), of.scalar("p", True)
    return tf.cond(p, lambda: times(3, lambda i, x: x * w, a), lambda: a * 2.0), [a, w]


@program
def loop_in_cond_not_taken(of: Inputs) -> Built:
    a, w, p = of.tensor("a", 3), of.tensor("w", 3), of.scalar("p", False)
    return tf.cond(p, lambda: times(3, lambda i, x: x * w, a), lambda: a * 2.0), [a, w]


@program
def cond_after_loop(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    y = times(3, lambda i, x: tf.sin(x) * a, a)
    return tf.cond(tf.reduce_sum(y) > 0.0, lambda: y * a, lambda: y + a), [a]


@program
def loop_in_loop(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(3, lambda i, x: times(2, lambda j, z: tf.sin(z) * w, x) + x, a), [a, w]


@program
def loop_in_loop_of_its_values(of: Inputs) -> Built:
    def body(i: Any, x: Any) -> Any:
        s = tf.tanh(x)
        return times(i + 1, lambda j, z: z * s + w, x)

    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(3, body, a), [a, w]


@program
def loop_in_loop_with_unused_exit(of: Inputs) -> Built:
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(3, lambda i, x: times(2, lambda j, z, u: (z * u, u * w), x, x)[0], a), [a, w]


@program
def loop_in_loop_in_loop(of: Inputs) -> Built:
    innermost = lambda j, z: times(2, lambda k, u: u * w, z)  # noqa: E731
    a, w = of.tensor("a", 2), of.tensor("w", 2)
    return times(2, lambda i, x: times(2, innermost, x), a), [a, w]


@program
def loop_in_cond_in_loop(of: Inputs) -> Built:
    inner = lambda x: times(2, lambda j, z: z * w, x)  # noqa: E731
    a, w = of.tensor("a", 3), of.tensor("w", 3)
    return times(3, lambda i, x: tf.cond(tf.equal(i % 2, 0), lambda: inner(x), lambda: x + w), a), [a, w]


# ---------------------------------------------------------------------- tensor arrays
@program
def array_split_and_joined(of: Inputs) -> Built:
    a = of.tensor("a", 4, 3)
    return tf.TensorArray(tf.float32, 2, infer_shape=False).split(a * 2.0, [1, 3]).concat(), [a]


@program
def array_gathered(of: Inputs) -> Built:
    a = of.tensor("a", 4, 3)
    array = tf.TensorArray(tf.float32, 4, clear_after_read=False).unstack(a)
    return array.gather([0, 2]) * array.read(1), [a]


@program
def array_written_in_loop(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    array = times(4, lambda i, x, t: (tf.sin(x), t.write(i, x * x)), a, tf.TensorArray(tf.float32, 4))[1]
    return array.stack(), [a]


@program(levels="static")
def array_read_in_loop(of: Inputs) -> Built:
    a = of.tensor("a", 4, 3)
    array = tf.TensorArray(tf.float32, 4).unstack(a)
    return times(4, lambda i, x: tf.sin(x) * array.read(i), tf.ones([3])), [a]


@program
def array_joined_after_loop(of: Inputs) -> Built:
    a = of.tensor("a", 2, 3)
    array = tf.TensorArray(tf.float32, 2, infer_shape=False)
    return times(2, lambda i, t: t.write(i, a * tf.cast(i + 1, tf.float32)), array).concat(), [a]


@program
def scan(of: Inputs) -> Built:
    a, w = of.tensor("a", 5, 3), of.tensor("w", 3)
    return tf.scan(lambda c, x: tf.tanh(c * w + x), a, initializer=tf.zeros([3])), [a, w]


@program
def map_of_rows(of: Inputs) -> Built:
    a = of.tensor("a", 5, 3)
    return tf.map_fn(lambda x: x * x + tf.sin(x), a), [a]


@program
def fold(of: Inputs) -> Built:
    a = of.tensor("a", 5, 3)
    return tf.foldl(lambda c, x: c * x, a), [a]


def _recurrent(of: Inputs, kind: str, **options: Any) -> Built:
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    shape = (5, 2, 3) if options.get("time_major") else (2, 5, 3)
    x = of.tensor("x", *shape)
    y, _ = tf1.nn.dynamic_rnn(getattr(rnn_cell_impl, kind)(4), x, dtype=tf.float32, **options)
    return tf.reduce_sum(y * y), [x, *tf1.trainable_variables()]


@program(levels="static")
def basic_rnn(of: Inputs) -> Built:
    return _recurrent(of, "BasicRNNCell")


@program(levels="static")
def lstm(of: Inputs) -> Built:
    return _recurrent(of, "BasicLSTMCell")


@program(levels="static")
def gru_of_unequal_lengths(of: Inputs) -> Built:
    return _recurrent(of, "GRUCell", sequence_length=tf.constant([2, 5]))


@program(levels="static")
def lstm_of_unequal_lengths_time_first(of: Inputs) -> Built:
    return _recurrent(of, "LSTMCell", sequence_length=tf.constant([5, 3]), time_major=True)
