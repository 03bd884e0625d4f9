"""TensorFlow programs that call functions. What TensorFlow writes for their gradients depends on Python objects that no
file holds, so only numbers are stored.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tests.oracle.flow_programs import Built, Inputs, variable

tf1 = tf.compat.v1
PROGRAMS: dict[str, tuple[Callable[..., Built], tuple[str, ...], int]] = {}


def program(function: Callable[..., Built]) -> Callable[..., Built]:
    # A second gradient through a gather in a function exceeds Python's recursion limit inside TensorFlow.
    PROGRAMS[function.__name__] = function, ("static", "ranks"), 1 if "gather" in function.__name__ else 2
    return function


@tf.function(autograph=False)
def squares(x, y):
    return x * x * y, tf.sin(y)


@tf.function(autograph=False)
def deeper(x, y):
    a, b = squares(tf.exp(-x), y)
    return a + b * x


@tf.function(autograph=False)
def deepest(x, y):
    return deeper(x, y) * deeper(y, x)


@program
def call(of: Inputs) -> Built:
    a, b = of.tensor("a", 2, 3), of.tensor("b", 2, 3)
    x, y = squares(a, b)
    return x + y, [a, b]


@program
def call_with_one_result_used(of: Inputs) -> Built:
    a, b = of.tensor("a", 2, 3), of.tensor("b", 2, 3)
    return squares(a, b)[0], [a, b]


@program
def calls_in_calls(of: Inputs) -> Built:
    a, b = of.tensor("a", 3), of.tensor("b", 3)
    return deepest(a, b), [a, b]


@program
def call_with_a_variable(of: Inputs) -> Built:
    a = of.tensor("a", 2, 3)
    w = variable("w", 3, 3, use_resource=True)
    return tf.function(lambda x: tf.tanh(x @ w) @ w, autograph=False)(a), [a, w]


@program
def call_of_a_branch(of: Inputs) -> Built:
    a, p = of.tensor("a", 3), of.scalar("p", True)
    branch = tf.function(lambda x: tf.cond(p, lambda: x * tf.sin(x), lambda: tf.exp(x)), autograph=False)
    return branch(a), [a]


@program
def call_of_a_loop(of: Inputs) -> Built:
    a = of.tensor("a", 3)
    loop = tf.function(lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.sin(y) * x), [0, x])[1])
    return loop(a), [a]


@program
def loop_of_calls(of: Inputs) -> Built:
    a, b = of.tensor("a", 3), of.tensor("b", 3)
    return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, deeper(y, b)), [0, a])[1], [a, b]


@program
def branch_of_calls(of: Inputs) -> Built:
    a, b, p = of.tensor("a", 3), of.tensor("b", 3), of.scalar("p", False)
    return tf.cond(p, lambda: deeper(a, b), lambda: squares(a, b)[0]), [a, b]


@program
def gather_in_a_call(of: Inputs) -> Built:
    a, i = of.tensor("a", 4, 2), tf.constant([1, 1, 3])
    return tf.function(lambda x: tf.gather(x, i) ** 2, autograph=False)(a), [a]
