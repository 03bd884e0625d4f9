"""No gradient flows through choosing or drawing boxes."""

from __future__ import annotations

from graphgrad.registry import no_gradient

no_gradient("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionWithOverlaps", "DrawBoundingBoxes")
