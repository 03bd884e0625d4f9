"""What lies in messages has no gradient."""

from __future__ import annotations

from graphgrad.registry import no_gradient

no_gradient("ParseTensor", "SerializeTensor")
