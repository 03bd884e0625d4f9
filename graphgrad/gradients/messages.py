"""Printing hands gradients on as it hands on its input; what is said has none."""

from __future__ import annotations

from graphgrad.registry import gradient, no_gradient

no_gradient("Assert")


@gradient("Print")
def print_data(g, op, dz):
    return [dz, *[None] * (len(op.inputs) - 1)]
