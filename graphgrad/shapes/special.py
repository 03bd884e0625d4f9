"""Static shapes of special functions."""

from __future__ import annotations

from graphgrad.registry import shapes
from graphgrad.shapes.common import broadcast_all, same_as_first

shapes(
    same_as_first,
    *[
        "Lgamma",
        "Digamma",
        "Erfinv",
        "Ndtri",
        "Dawsn",
        "Expint",
        "FresnelCos",
        "FresnelSin",
        "Spence",
        "BesselI0",
        "BesselI0e",
        "BesselI1",
        "BesselI1e",
    ],
    *["BesselJ0", "BesselJ1", "BesselK0", "BesselK0e", "BesselK1", "BesselK1e", "BesselY0", "BesselY1"],
)
shapes(broadcast_all, *["Igamma", "Igammac", "IgammaGradA", "Zeta", "Polygamma", "Betainc", "RandomGammaGrad"])
