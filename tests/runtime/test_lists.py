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
