"""Decoded strings have no gradients."""

from __future__ import annotations

from graphgrad.registry import no_gradient

no_gradient("DecodePaddedRaw", "DecodeRaw")
