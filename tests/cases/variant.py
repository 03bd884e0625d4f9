"""Variants that hold the components of one value."""

from tests.cases import case, f32, i32


def composite(g, *components):
    held = g.CompositeTensorVariantFromComponents(components, metadata="")
    return g.CompositeTensorVariantToComponents(held, metadata="", Tcomponents=[t.dtype for t in components])


def optional(g, *components):
    held = g.OptionalFromValue(components)
    found = g.OptionalGetValue(
        held, output_types=[t.dtype for t in components], output_shapes=[t.shape for t in components]
    )
    return [*found, g.OptionalHasValue(held)]


def nothing(g):
    return [g.OptionalHasValue(g.OptionalNone())]


CASES = [
    case("CompositeTensorVariantFromComponents", f32(2, 3), f32(2), graph=composite),
    case("CompositeTensorVariantToComponents", f32(3), graph=composite),
    case("OptionalFromValue", f32(2, 3), f32(2), graph=optional),
    case("OptionalGetValue", f32(3), graph=optional),
    case("OptionalGetValue", f32(3), i32(2), graph=optional, order=1, label="numbers"),
    case("OptionalHasValue", graph=nothing),
]
