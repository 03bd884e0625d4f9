"""Static shapes of ops that say something: Print hands its input on."""

from __future__ import annotations

from graphgrad.registry import shapes
from graphgrad.shapes.common import same_as_first

shapes(same_as_first, "Print")
