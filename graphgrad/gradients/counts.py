"""Distances of sequences have no gradients."""

from __future__ import annotations

from graphgrad.registry import no_gradient

no_gradient("EditDistance")
