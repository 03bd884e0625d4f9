"""Static shapes of special functions: element by element, and broadcast where there are two arguments."""

from __future__ import annotations

import functools

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import broadcast_all, same_as_first

shapes(
    same_as_first,
    *["Lgamma", "Digamma", "Erfinv", "Ndtri", "Dawsn", "Expint", "FresnelCos", "FresnelSin", "Spence"],
    *["BesselI0", "BesselI0e", "BesselI1", "BesselI1e", "BesselJ0", "BesselJ1"],
    *["BesselK0", "BesselK0e", "BesselK1", "BesselK1e", "BesselY0", "BesselY1"],
)
shapes(broadcast_all, "Igamma", "Igammac", "IgammaGradA", "Zeta", "Polygamma", "RandomGammaGrad")


@shape("Betainc")
def betainc(op: Operation) -> Shape:
    """What the operands that are not scalars know together; scalars go with all of them."""
    shapes_of = [t.shape for t in op.inputs]
    if all(s == () for s in shapes_of):
        return ()
    return functools.reduce(dims.merge, (s for s in shapes_of if s), None)
