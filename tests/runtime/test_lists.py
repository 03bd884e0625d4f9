"""Tensor lists share their storage, and still each keeps its own elements."""

from __future__ import annotations

import random

import numpy as np
import pytest

from graphgrad.kernels.lists import TensorList

FLOAT = np.dtype(np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_every_list_keeps_its_elements(seed: int) -> None:
    draw = random.Random(seed)
    lists: list[tuple[TensorList, list[float]]] = [(TensorList(FLOAT, (), []), [])]
    for step in range(200):
        found, elements = draw.choice(lists[-3:] if draw.random() < 0.7 else lists)
        number = np.float32(step)
        kind = draw.choice(["push", "push", "set", "pop"])
        if kind == "push":
            lists.append((found.pushed(np.asarray(number)), [*elements, step]))
        elif elements and kind == "set":
            place = draw.randrange(len(elements))
            lists.append(
                (found.with_element(place, np.asarray(number)), [*elements[:place], step, *elements[place + 1 :]])
            )
        elif elements:
            shorter, last = found.popped()
            assert last == elements[-1]
            lists.append((shorter, elements[:-1]))
        if step % 7 == 0:
            other, expected = draw.choice(lists)
            assert other.elements() == expected
    for found, elements in lists:
        assert found.elements() == elements and found.length == len(elements)


def test_writing_a_long_list_takes_as_many_steps_as_it_has_elements() -> None:
    long = TensorList(FLOAT, (), [None] * 50_000)
    first = long
    for place in range(50_000):
        long = long.with_element(place, np.float32(place))
    assert long.elements()[-1] == 49_999 and first.elements() == [None] * 50_000


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_has_the_elements_of_both(seed: int) -> None:
    draw = random.Random(seed)
    size = 12  # more than the places that are followed
    lists: list[tuple[TensorList, list[float]]] = [(TensorList.unwritten(FLOAT, (), size), [0.0] * size)]
    for step in range(1, 120):
        (a, values), (b, others) = draw.choice(lists), draw.choice(lists)
        if draw.random() < 0.4:
            lists.append((a + b, [x + y for x, y in zip(values, others, strict=True)]))
        elif draw.random() < 0.2:
            lists.append((TensorList.unwritten(FLOAT, (), size), [0.0] * size))
        else:
            place = draw.randrange(size)
            element = np.asarray(np.float64(step))
            lists.append((a.with_element(place, element), [*values[:place], step, *values[place + 1 :]]))
    for found, elements in lists:
        assert [0.0 if e is None else float(e) for e in found.elements()] == elements


def test_sums_of_a_long_list_and_single_elements_take_as_many_steps_as_there_are() -> None:
    total = TensorList.unwritten(FLOAT, (), 20_000)
    blank = total
    for place in range(20_000):
        total = total + blank.with_element(place, np.float32(place))
    assert total.elements()[-1] == 19_999
