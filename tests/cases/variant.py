"""Variants that hold the components of one value."""

from tests.cases import case, f32, i32


def optional(g, *components):
    held = g.OptionalFromValue(components)
    found = g.OptionalGetValue(
        held, output_types=[t.dtype for t in components], output_shapes=[t.shape for t in components]
    )
    return [*found, g.OptionalHasValue(held)]


def nothing(g):
    return [g.OptionalHasValue(g.OptionalNone())]


CASES = [
    case("OptionalFromValue", f32(2, 3), f32(2), graph=optional),
    case("OptionalGetValue", f32(3), graph=optional),
    case("OptionalGetValue", f32(3), i32(2), graph=optional, order=1, label="numbers"),
    case("OptionalHasValue", graph=nothing),
]
