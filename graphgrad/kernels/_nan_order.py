"""What is found where NaN stands in the order: it is neither before nor behind anything, and algorithms leave it where they leave it.

These are the algorithms of GNU's C++ library, with which TensorFlow is built, step by step: heaps, sorting by quicksort that
ends in insertion, selection by the same partitions. `before` says whether one element goes ahead of another.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Before = Callable[[int, int], bool]
SHORT = 16  # what is not longer is sorted by insertion alone


def places_of_largest(row: list[float], k: int, is_sorted: bool, lanes: int) -> list[int]:
    """The places of the k largest of a row that holds NaN, as TopK finds them; `lanes` elements fill a register."""
    if k == 1:
        return [_place_of_largest(row, lanes)]
    if k < len(row):
        return _gathered(row, k, is_sorted)
    places = list(range(len(row)))
    _sort(places, lambda a, b: row[b] < row[a])
    start = 0
    for end in range(1, len(row) + 1):  # equal ones by their place
        if end == len(row) or row[places[end]] != row[places[start]]:
            places[start:end] = sorted(places[start:end])
            start = end
    return places


def nth_smallest(row: list[float], n: int) -> float:
    """The element that would be the n-th of a sorted row."""
    places = list(range(len(row)))
    before: Before = lambda a, b: row[a] < row[b]  # noqa: E731
    first, last, depth = 0, len(row), 2 * (len(row).bit_length() - 1)
    while last - first > 3:
        if depth == 0:
            ahead = places[first:last]
            _select_by_heap(ahead, n - first + 1, before)
            return row[ahead[0]]
        depth -= 1
        cut = _partition(places, first, last, before)
        first, last = (cut, last) if cut <= n else (first, cut)
    _insert_all(places, first, last, before)
    return row[places[n]]


def largest(row: list[float], lanes: int) -> float:
    """Whole registers keep what is not smaller, what is left over takes what it cannot compare."""
    whole = len(row) // lanes * lanes
    found, rest = [-math.inf] * lanes, -math.inf
    for start in range(0, whole, lanes):
        found = [b if a < b else a for a, b in zip(found, row[start : start + lanes], strict=True)]
    for element in row[whole:]:
        rest = rest if rest > element else element
    while whole and len(found) > 1:
        half = len(found) // 2
        found = [b if a < b else a for a, b in zip(found[:half], found[half:], strict=True)]
    return found[0] if whole and rest < found[0] else rest


def _place_of_largest(row: list[float], lanes: int) -> int:
    """The first element that equals it; the first of all where none does."""
    best = largest(row, lanes)
    return next((place for place, element in enumerate(row) if element == best), 0)


def _gathered(row: list[float], k: int, is_sorted: bool) -> list[int]:
    def before(a: int, b: int) -> bool:
        return row[b] < row[a] or (not row[b] > row[a] and a < b)

    heap = list(range(k + 1))
    _make_heap(heap, before)
    _pop(heap, before)
    heap.pop()
    for place in range(k + 1, len(row)):
        if before(place, heap[0]):
            _pop(heap, before)
            _rise(heap, k - 1, place, before)
    if is_sorted:
        _sort_heap(heap, before)
    return heap


# ---------------------------------------------------------------------------------------------- heaps


def _rise(heap: list[int], hole: int, value: int, before: Before, top: int = 0) -> None:
    while hole > top and before(heap[(hole - 1) // 2], value):
        heap[hole], hole = heap[(hole - 1) // 2], (hole - 1) // 2
    heap[hole] = value


def _settle(heap: list[int], top: int, size: int, value: int, before: Before) -> None:
    """The hole at the top sinks to the ground, and from there the value rises."""
    hole = top
    while (child := 2 * hole + 2) < size:
        child -= before(heap[child], heap[child - 1])
        heap[hole], hole = heap[child], child
    if child == size:
        heap[hole], hole = heap[child - 1], child - 1
    _rise(heap, hole, value, before, top)


def _make_heap(heap: list[int], before: Before) -> None:
    for top in reversed(range(len(heap) // 2)):
        _settle(heap, top, len(heap), heap[top], before)


def _pop(heap: list[int], before: Before, size: int | None = None) -> None:
    """Puts the first behind the others."""
    last = (len(heap) if size is None else size) - 1
    value, heap[last] = heap[last], heap[0]
    if last:
        _settle(heap, 0, last, value, before)


def _sort_heap(heap: list[int], before: Before) -> None:
    for size in range(len(heap), 1, -1):
        _pop(heap, before, size)


def _select_by_heap(elements: list[int], count: int, before: Before) -> None:
    """Those that go ahead of the others become a heap in front."""
    heap = elements[:count]
    _make_heap(heap, before)
    for i in range(count, len(elements)):
        if before(elements[i], heap[0]):
            value, elements[i] = elements[i], heap[0]
            _settle(heap, 0, count, value, before)
    elements[:count] = heap


# --------------------------------------------------------------------------------------------- sorting


def _sort(elements: list[int], before: Before) -> None:
    size = len(elements)
    spans = [(0, size, 2 * (size.bit_length() - 1))]
    while spans:
        first, last, depth = spans.pop()
        if last - first <= SHORT:
            continue
        if depth == 0:
            part = elements[first:last]
            _make_heap(part, before)
            _sort_heap(part, before)
            elements[first:last] = part
            continue
        cut = _partition(elements, first, last, before)
        spans += [(first, cut, depth - 1), (cut, last, depth - 1)]
    _insert_all(elements, 0, min(size, SHORT), before)
    for i in range(SHORT, size):
        _insert(elements, i, before)


def _partition(elements: list[int], first: int, last: int, before: Before) -> int:
    """Around the median of the second, the middle and the last, which is put first."""
    second, middle, end = first + 1, first + (last - first) // 2, last - 1
    if before(elements[second], elements[middle]):
        tail = end if before(elements[second], elements[end]) else second
        median = middle if before(elements[middle], elements[end]) else tail
    else:
        tail = end if before(elements[middle], elements[end]) else middle
        median = second if before(elements[second], elements[end]) else tail
    elements[first], elements[median] = elements[median], elements[first]
    low, high = second, last
    while True:
        while before(elements[low], elements[first]):
            low += 1
        high -= 1
        while before(elements[first], elements[high]):
            high -= 1
        if low >= high:
            return low
        elements[low], elements[high] = elements[high], elements[low]
        low += 1


def _insert_all(elements: list[int], first: int, last: int, before: Before) -> None:
    for i in range(first + 1, last):
        if before(elements[i], elements[first]):
            elements[first : i + 1] = [elements[i], *elements[first:i]]
        else:
            _insert(elements, i, before)


def _insert(elements: list[int], i: int, before: Before) -> None:
    value = elements[i]
    while before(value, elements[i - 1]):
        elements[i] = elements[i - 1]
        i -= 1
    elements[i] = value
