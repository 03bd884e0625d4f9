"""Arithmetic of static shapes: tuples whose dimensions may be None (unknown), or None for an unknown rank.

Nothing here raises on shapes that contradict each other; what cannot be known stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphgrad.attributes import Shape, shown_shape

Dim = int | None


def is_known(shape: Shape) -> bool:
    """Whether the rank and every dimension are known."""
    return shape is not None and None not in shape


def size(shape: Shape) -> Dim:
    """The number of elements, or None where it is unknown."""
    if shape is None:
        return None
    if 0 in shape:
        return 0
    total = 1
    for dim in shape:
        if dim is None:
            return None
        total *= dim
    return total


def merge_dim(a: Dim, b: Dim) -> Dim:
    """What is known when both describe the same dimension."""
    return b if a is None else a


def merge(a: Shape, b: Shape) -> Shape:
    """What is known when both describe the same tensor; the first wins where they contradict."""
    if a is None:
        return b
    if b is None or len(a) != len(b) or a == b:
        return a
    return tuple(map(merge_dim, a, b))


def common(shapes: Iterable[Shape]) -> Shape:
    """What is known of a tensor that may have any of these shapes."""
    result: Shape = None
    for i, shape in enumerate(shapes):
        if shape is None or (i and (result is None or len(shape) != len(result))):
            return None
        result = shape if i == 0 else tuple(a if a == b else None for a, b in zip(shape, result or (), strict=True))
    return result


def compatible(a: Shape, b: Shape) -> bool:
    """Whether one tensor could have both shapes."""
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))


def broadcast_dim(a: Dim, b: Dim) -> Dim:
    """The dimension two broadcast ones give: an unknown one beside n > 1 must be 1 or n, so it is n."""
    if a == 1:
        return b
    if b == 1 or a == b:
        return a
    if a is None or b is None:
        return a or b or None  # beside 0 it stays unknown
    return None


def aligned(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> Iterator[tuple[Dim, Dim]]:
    """The dimensions of both from the first to the innermost, the shorter shape led by ones."""
    rank = max(len(a), len(b))
    return zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)


def broadcast(a: Shape, b: Shape) -> Shape:
    """The shape of an element-wise op over a and b."""
    if a is None or b is None:
        return None
    if a == b:
        return a
    return tuple(broadcast_dim(x, y) for x, y in aligned(a, b))


def total(a: Dim, b: Dim) -> Dim:
    """The sum of two dimensions."""
    return None if a is None or b is None else a + b


def product(a: Dim, b: Dim) -> Dim:
    """The product of two dimensions; nothing times an unknown one is nothing."""
    if a == 0 or b == 0:
        return 0
    return None if a is None or b is None else a * b


def quotient(a: Dim, b: int) -> Dim:
    """A dimension in so many equal parts."""
    return None if a is None or not b else a // b


def replace(shape: Shape, axis: int, dim: Dim) -> Shape:
    """The shape with another dimension at a place, which may be counted from the end; None where it has none there."""
    place = None if shape is None else axis_of(axis, len(shape))
    return None if shape is None or place is None else (*shape[:place], dim, *shape[place + 1 :])


def join(*shapes: Shape) -> Shape:
    """The dimensions of one shape after those of another; the rank is known where all are."""
    result: tuple[Dim, ...] = ()
    for shape in shapes:
        if shape is None:
            return None
        result += shape
    return result


def axis_of(axis: int, rank: int) -> int | None:
    """A possibly negative axis counted from the front; None where it lies outside."""
    axis = axis + rank if axis < 0 else axis
    return axis if 0 <= axis < rank else None


def unknown(rank: Dim) -> Shape:
    """A shape of that rank (or of none known) with every dimension unknown."""
    return None if rank is None else (None,) * rank


def rank_of(shape: Shape) -> Dim:
    """The rank, or None."""
    return None if shape is None else len(shape)


show = shown_shape
