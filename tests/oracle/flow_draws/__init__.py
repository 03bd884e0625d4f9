"""Random programs of branches, loops, tensor arrays and calls in each other, written with TensorFlow's Python.

What a program is depends on its seed alone. Everything handed from one part to another is of one of a few kinds
(`KINDS`), so that any part fits anywhere; `check` compares what TensorFlow and graphgrad make of a program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
KINDS = {"row": (3,), "rows": (2, 3), "number": ()}  # of float32
LEVELS = ("static", "ranks", "nothing")
# Of frames as a GraphDef, and as a MetaGraphDef; of functions; of functions that are called as well.
PROGRAMS = ("v1", "meta", "v2", "calls")
# Ops whose gradients are drawn here alone: their attributes are functions.
IN_PROGRAMS = ("Case", "If", "StatelessCase", "StatelessIf", "StatelessWhile", "While")
Values = list[tuple[str, Any]]  # tensors that a part may read, with their kinds


@dataclasses.dataclass
class Program:
    """A program in TensorFlow's default graph. `ys` and `xs` are tensors or variables."""

    ys: list[Any]
    xs: list[Any]
    feeds: dict[Any, np.ndarray[Any, Any]]
    options: dict[str, Any]
    customs: list[Any]


def write(seed: int, kind: str, level: str) -> Program:
    """Builds program `seed` of one of the `PROGRAMS`."""
    return Writer(seed, kind, level).program()


class Writer:
    """Draws one program."""

    def __init__(self, seed: int, kind: str, level: str):
        self.rng = np.random.default_rng(seed)
        self.level = level
        self.feeds: dict[Any, np.ndarray[Any, Any]] = {}
        self.tables: list[Any] = []
        self.customs: list[Any] = []  # operations whose gradients are Python functions
        self.swaps = kind == "meta" and seed % 4 == 0  # loops' records may leave memory, which a GraphDef does not tell
        self.budget = self.integer(3, 14)  # parts that are still to be written
        self.parts: list[Callable[[Values, int], None]] = [
            self.cond,
            self.cond,
            self.loop,
            self.loop,
            self.array_loop,
            self.look_up,
            self.mapped,
        ]
        if kind in ("v2", "calls"):
            self.parts += [self.switch_case, self.loop]
        if kind == "calls":
            self.parts += [self.call] * 6 + [self.custom] * 3

    # ------------------------------------------------------------------ choices
    def pick(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    # ------------------------------------------------------------------ the whole
    def program(self) -> Program:
        scope: Values = [(kind, self.fed(f"{kind}{i}", kind)) for i in range(2) for kind in KINDS]
        xs = [t for _, t in scope]
        scope.append(("row", self.variable("w", (3,))))
        xs.append(scope[-1][1])
        self.tables = [self.fed_table(), self.variable("table", (4, 3))]
        xs += self.tables
        self.statements(scope, 0, self.integer(2, 5))
        count = self.pick(1, 1, 2)
        floats = scope[7:] or scope
        chosen = [floats[-1 - int(i)] for i in self.rng.permutation(min(4, len(floats)))[:count]]
        ys = [t for _, t in chosen]
        if self.chance(0.2):
            xs.append(self.pick(*[t for _, t in floats]))  # something on the way
        options: dict[str, Any] = {}
        if self.chance(0.1):
            options["gate_gradients"] = True
        if self.chance(0.1):
            options["colocate_gradients_with_ops"] = True
        if self.chance(0.1):
            options["aggregation_method"] = self.pick(1, 2)
        if self.chance(0.1):
            options["unconnected_gradients"] = "zero"
        if self.chance(0.1):
            # TensorFlow does not stop at calls.
            stops = [t for _, t in floats if "PartitionedCall" not in _tensor(t).op.type]
            options["stop_gradients"] = [self.pick(*stops)]
        if self.chance(0.1):
            options["name"] = "back"
        if self.chance(0.15):
            options["grad_ys"] = [tf.ones_like(y) * 0.5 for y in ys]
        kept = [i for i in range(len(xs)) if self.chance(0.8)] or [0]
        return Program(ys, [xs[i] for i in kept], self.feeds, options, self.customs)

    def values(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        return self.rng.uniform(0.2, 1.1, shape).astype("float32")

    def fed(self, name: str, kind: str) -> Any:
        shape = KINDS[kind]
        static: Any = {"static": shape, "ranks": [None] * len(shape), "nothing": None}[self.level]
        made = tf1.placeholder("float32", static, name=name)
        self.feeds[made] = self.values(shape)
        return made

    def fed_table(self) -> Any:
        made = tf1.placeholder("float32", [4, 3] if self.level == "static" else [None, None], name="fed_table")
        self.feeds[made] = self.values((4, 3))
        return made

    def variable(self, name: str, shape: tuple[int, ...]) -> Any:
        return tf1.get_variable(name, initializer=self.values(shape), use_resource=self.chance(0.6))

    def told(self, number: Any, dtype: str) -> Any:
        made = tf1.placeholder(dtype, [], name="told")
        self.feeds[made] = np.array(number, dtype)
        return made

    # ------------------------------------------------------------------ statements
    def statements(self, scope: Values, depth: int, count: int) -> None:
        """Adds values to the scope."""
        for _ in range(count):
            if depth < 3 and self.budget > 0 and self.chance(0.5):
                self.budget -= 1
                part = self.pick(*self.parts)
                part(scope, depth)
            else:
                scope.append(self.step(scope))

    def body(self, scope: Values, depth: int) -> Values:
        """The scope inside of a part, with values of its own."""
        inner = list(scope)
        if depth < 3 and self.chance(0.85):
            self.statements(inner, depth, self.integer(1, 3))
        return inner

    def some(self, scope: Values, kind: str) -> Any:
        """A value of this kind, those made last more often."""
        found = [t for k, t in scope if k == kind]
        if self.chance(0.6):
            found = found[-2:]
        return self.pick(*found)

    def kind(self) -> str:
        return self.pick("row", "row", "rows", "number")

    def step(self, scope: Values) -> tuple[str, Any]:
        """One to three operations."""
        kind = self.kind()
        a, b = self.some(scope, kind), self.some(scope, kind)
        r = self.some(scope, "row")
        makers: list[Callable[[], Any]] = [
            lambda: a * b,
            lambda: a + b * 0.5,
            lambda: tf.sin(a),
            lambda: tf.tanh(a) * b,
            lambda: tf.exp(-a),
            lambda: a - b,
            lambda: a * tf.stop_gradient(b),
            lambda: tf.where(a > b, a, b * 0.5),
            lambda: tf.identity(a),
            lambda: tf.math.sigmoid(a * 2.0),
        ]
        if kind == "row":
            makers += [
                lambda: tf.reduce_sum(self.some(scope, "rows"), 0),
                lambda: a * self.some(scope, "number"),
                lambda: tf.gather(self.some(scope, "rows"), 1),
                lambda: tf.concat([a[:1], b[1:]], 0),
                lambda: tf.ones([3]) * 0.5,
                lambda: tf.nn.softmax(a),
            ]
        if kind == "rows":
            makers += [
                lambda: a * r,
                lambda: tf.stack([r, r * 0.5]),
                lambda: tf.matmul(a, tf.matmul(b, a, transpose_a=True)) * 0.3,
                lambda: tf.concat([a[1:], b[:1]], 0),
                lambda: tf.reshape(tf.concat([r, r], 0), [2, 3]),
            ]
        if kind == "number":
            makers += [
                lambda: tf.reduce_mean(r),
                lambda: tf.reduce_max(self.some(scope, "rows")),
                lambda: a * tf.cast(tf.size(r), tf.float32) * 0.3,
                lambda: tf.constant(0.7),
            ]
        return kind, self.pick(*makers)()

    def predicate(self, scope: Values) -> Any:
        return self.pick(
            lambda: tf.reduce_sum(self.some(scope, "row")) > self.pick(0.5, 1.5, 3.0),
            lambda: self.some(scope, "number") < self.pick(0.4, 0.7, 1.0),
            lambda: self.outside(lambda: self.told(self.chance(0.5), "bool")),
        )()

    def outside(self, make: Callable[[], Any]) -> Any:
        """Something made at the graph's top level, whatever is being written."""
        with _top_graph().as_default(), tf.control_dependencies(None):
            return make()

    # ------------------------------------------------------------------ parts
    def branch(self, scope: Values, depth: int, kinds: list[str]) -> Callable[[], list[Any]]:
        seed = self.integer(0, 1 << 30)
        is_constant = self.chance(0.08)
        hands_on = self.chance(0.15)

        def build() -> list[Any]:
            kept, self.rng = self.rng, np.random.default_rng(seed)
            try:
                if is_constant:
                    return [tf.constant(0.5, shape=KINDS[kind]) for kind in kinds]
                inner = list(scope) if hands_on else self.body(scope, depth + 1)
                return [_tensor(self.some(inner, kind)) for kind in kinds]
            finally:
                self.rng = kept

        return build

    def cond(self, scope: Values, depth: int) -> None:
        kinds = [self.kind() for _ in range(self.pick(1, 1, 2, 3))]
        predicate = self.predicate(scope)
        found = tf.cond(predicate, self.branch(scope, depth, kinds), self.branch(scope, depth, kinds))
        found = found if isinstance(found, (list, tuple)) else [found]
        scope += self.used(list(zip(kinds, found, strict=True)))

    def switch_case(self, scope: Values, depth: int) -> None:
        kinds = [self.kind() for _ in range(self.pick(1, 1, 2))]
        branches = [self.branch(scope, depth, kinds) for _ in range(self.pick(1, 2, 3))]
        index = self.outside(lambda: self.told(self.integer(-1, 3), "int32"))
        found = tf.switch_case(index, branches)
        found = found if isinstance(found, (list, tuple)) else [found]
        scope += self.used(list(zip(kinds, found, strict=True)))

    def used(self, found: Values) -> Values:
        """Of several results sometimes not all."""
        return found[:-1] if len(found) > 1 and self.chance(0.4) else found

    def loop(self, scope: Values, depth: int) -> None:
        kinds = [self.kind() for _ in range(self.pick(1, 1, 2, 3))]
        start = [_tensor(self.some(scope, kind)) for kind in kinds]
        many = self.pick(1, 2, 2, 3, 0)
        seed = self.integer(0, 1 << 30)
        has_number, has_text = self.chance(0.15), self.chance(0.08)
        by_value, forgets = self.chance(0.15), self.chance(0.1)

        def body(i: Any, *carried: Any) -> list[Any]:
            kept, self.rng = self.rng, np.random.default_rng(seed)
            try:
                now: Values = [*scope, *zip(kinds, carried, strict=False)]
                if forgets:
                    now = [*scope[:2], *scope, *zip(kinds[1:], carried[1:], strict=False)]
                now.append(("number", tf.cast(i, tf.float32) * 0.3))
                inner = self.body(now, depth + 1)
                following = [_tensor(self.some(inner, kind)) for kind in kinds]
                following = [_kept_shape(f, c) for f, c in zip(following, carried, strict=False)]
                extra = list(carried[len(kinds) :])
                if has_number:
                    extra[0] = extra[0] * 2
                if has_text:
                    extra[-1] = tf.strings.join([extra[-1], "x"])
                return [i + 1, *following, *extra]
            finally:
                self.rng = kept

        extra: list[Any] = [tf.constant(1)] * has_number + [tf.constant("t")] * has_text
        options: dict[str, Any] = {}
        if self.chance(0.2):
            options["maximum_iterations"] = self.integer(0, 3)
        if self.chance(0.2):
            options["parallel_iterations"] = self.pick(1, 4)
        if self.swaps:
            options["swap_memory"] = True
        if self.chance(0.15):
            limit = self.outside(lambda: self.told(many, "int32"))
        else:
            limit = many

        def condition(i: Any, *carried: Any) -> Any:
            if by_value:
                return tf.logical_and(i < limit, tf.reduce_sum(carried[0]) < 30.0)
            return i < limit

        found = tf1.while_loop(
            condition,
            body,
            [tf.constant(0), *start, *extra],
            shape_invariants=[tf.TensorShape([]), *[t.shape for t in start], *[tf.TensorShape([])] * len(extra)],
            **options,
        )[1 : 1 + len(kinds)]
        scope += self.used(list(zip(kinds, found, strict=True)))

    def array_loop(self, scope: Values, depth: int) -> None:
        """A loop that writes, or reads, a tensor array."""
        kind = self.pick("row", "rows")
        start = _tensor(self.some(scope, kind))
        seed = self.integer(0, 1 << 30)
        element = "row"
        reads = self.chance(0.5)
        write = self.chance(0.7) or not reads
        source = (
            tf.TensorArray(
                tf.float32, 2, clear_after_read=False, infer_shape=self.chance(0.8), element_shape=self.pick(None, [3])
            ).unstack(_tensor(self.some(scope, "rows")))
            if reads
            else None
        )
        into = tf.TensorArray(tf.float32, 2, dynamic_size=self.chance(0.3), element_shape=self.pick(None, [3]))

        def body(i: Any, x: Any, array: Any = None) -> list[Any]:
            kept, self.rng = self.rng, np.random.default_rng(seed)
            try:
                now: Values = [*scope, (kind, x)]
                if source is not None:
                    now.append(("row", source.read(i)))
                inner = self.body(now, depth + 1)
                following = [i + 1, _kept_shape(_tensor(self.some(inner, kind)), x)]
                if array is not None:
                    written = _tensor(self.some(inner, element))
                    following.append(array.write(i, tf.reshape(written, [3]) if self.level != "static" else written))
                return following
            finally:
                self.rng = kept

        found = tf1.while_loop(
            lambda i, *_: i < 2,
            body,
            [tf.constant(0), start, *([into] * write)],
        )
        scope.append((kind, found[1]))
        if write:
            if self.chance(0.7):
                scope.append(("rows", found[2].stack()))
            elif self.chance(0.5):
                scope.append(("rows", found[2].gather([1, 0])))
            else:
                scope.append(("row", found[2].read(1)))

    def call(self, scope: Values, depth: int) -> None:
        """Calls a function once or twice; it captures what it is not given."""
        taken = [self.kind() for _ in range(self.pick(0, 1, 2, 2, 3))]
        kinds = [self.kind() for _ in range(self.pick(1, 1, 2, 3))]
        seed, counts, around = self.integer(0, 1 << 30), self.chance(0.25), list(scope)

        def body(*given: Any) -> list[Any]:
            kept, self.rng = self.rng, np.random.default_rng(seed)
            try:
                inner = self.body([*around, *zip(taken, given, strict=True)], depth + 1)
                return [tf.size(inner[-1][1])] * counts + [_tensor(self.some(inner, kind)) for kind in kinds]
            finally:
                self.rng = kept

        function = tf.function(body, autograph=False)
        for _ in range(self.pick(1, 1, 2)):
            found = function(*[_tensor(self.some(scope, kind)) for kind in taken])
            scope += self.used(list(zip(kinds, found[counts:], strict=True)))

    def custom(self, scope: Values, depth: int) -> None:
        """Computes something whose gradient is said to be another, of itself or of what it was computed from."""
        kind, factor, looks_back = self.kind(), self.pick(0.5, -1.5), self.chance(0.5)

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def computed(x: Any) -> Any:
            return tf.sin(x) * factor, lambda dy: dy * tf.cos(x) * 0.7 if looks_back else dy * factor * 0.6

        found = computed(_tensor(self.some(scope, kind)))
        self.customs.append(found.op)
        scope.append((kind, found))

    def look_up(self, scope: Values, depth: int) -> None:
        table = self.pick(*self.tables)
        indices = self.pick([0, 2], [1, 1])
        if self.chance(0.3):
            scope.append(("row", tf.gather(table, self.integer(0, 3))))
        elif isinstance(table, tf.Tensor):
            scope.append(("rows", tf.gather(table, indices)))
        else:
            scope.append(("rows", tf.nn.embedding_lookup(table, indices)))

    def mapped(self, scope: Values, depth: int) -> None:
        rows = _tensor(self.some(scope, "rows"))
        seed = self.integer(0, 1 << 30)

        def body(row: Any, *rest: Any) -> Any:
            kept, self.rng = self.rng, np.random.default_rng(seed)
            try:
                inner = self.body([*scope, ("row", row), *(("row", r) for r in rest)], depth + 1)
                return _kept_shape(_tensor(self.some(inner, "row")), row)
            finally:
                self.rng = kept

        which = self.pick("map", "scan", "fold")
        if which == "map":
            scope.append(("rows", tf.map_fn(body, rows)))
        elif which == "scan":
            scope.append(("rows", tf.scan(body, rows, initializer=_tensor(self.some(scope, "row")))))
        else:
            scope.append(("row", tf.foldl(body, rows, initializer=_tensor(self.some(scope, "row")))))


def _tensor(value: Any) -> Any:
    return value if isinstance(value, tf.Tensor) else tf.convert_to_tensor(value)


def handle(x: Any) -> Any:
    """The tensor of a graph that stands for a variable; a tensor itself."""
    return x.handle if hasattr(x, "handle") else getattr(x, "_variable", x)


def _top_graph() -> Any:
    graph = tf1.get_default_graph()
    while getattr(graph, "outer_graph", None) is not None:
        graph = graph.outer_graph
    return graph


def _kept_shape(following: Any, carried: Any) -> Any:
    """What a loop variable becomes, with as much of its static shape as it had."""
    if carried.shape.rank is None:
        return following
    lost = following.shape.rank is None or any(
        a is not None and b is None for a, b in zip(carried.shape.as_list(), following.shape.as_list(), strict=True)
    )
    return tf.ensure_shape(following, carried.shape) if lost else following
