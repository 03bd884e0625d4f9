"""The size of what a window gives that slides over an axis."""

from __future__ import annotations

from graphgrad.graph import Operation
from graphgrad.shapes.dims import Dim


def output_size(
    size: Dim, window: Dim, stride: int, padding: str, around: tuple[int, int] = (0, 0), dilation: int = 1
) -> Dim:
    """SAME: ceil(size / stride); VALID and EXPLICIT: ceil((size + padding - reach + 1) / stride)."""
    if size is None or (window is None and padding != "SAME"):
        return None
    if padding == "SAME":
        return -(-size // stride)
    reach = (window - 1) * dilation + 1  # type: ignore[operator]
    return max(0, -(-(size + sum(around) - reach + 1) // stride))


def spatial_axes(op: Operation, rank: int) -> list[int]:
    """The axes the window slides along, under the op's data format."""
    return list(range(2, rank)) if op["data_format"].startswith("NC") else list(range(1, rank - 1))


def paddings(op: Operation, axis: int) -> tuple[int, int]:
    """What EXPLICIT padding adds before and behind an axis."""
    explicit = op.get("explicit_paddings") or ()
    return (explicit[2 * axis], explicit[2 * axis + 1]) if explicit else (0, 0)
