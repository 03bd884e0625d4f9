"""Static shapes of data formats and buckets: nothing changes."""

from __future__ import annotations

from graphgrad.registry import shapes
from graphgrad.shapes.common import same_as_first

shapes(same_as_first, "DataFormatDimMap", "DataFormatVecPermute", "Bucketize")
