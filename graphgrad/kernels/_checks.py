"""What kernels ask of their inputs, where numpy would take more than TensorFlow does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np


def lone(array: np.ndarray, name: str) -> Any:
    """The number that a scalar input holds. Raises ValueError where it is none."""
    if array.ndim:
        raise ValueError(f"{name} must be a scalar, not of shape {list(array.shape)}")
    return array.item()


def one(array: np.ndarray, name: str) -> Any:
    """The number that an input of one element holds, a vector of it too. Raises ValueError where it is none."""
    return lone(array[0] if array.shape == (1,) else array, name)


def vector(array: np.ndarray, name: str) -> list[Any]:
    """The numbers that a vector input holds. Raises ValueError where it is none."""
    if array.ndim != 1:
        raise ValueError(f"{name} must be a vector, not of shape {list(array.shape)}")
    return array.tolist()


def fits(shape: tuple[int, ...], declared: tuple[int | None, ...] | None) -> bool:
    """Whether a shape is one that the declaration, whose unknown dimensions are None, allows."""
    if declared is None:
        return True
    return len(shape) == len(declared) and all(d is None or d == n for n, d in zip(shape, declared, strict=True))


def same_shapes(kernel: Callable) -> Callable:
    """The kernel of two arrays, which refuses those of different shapes."""

    @functools.wraps(kernel)
    def checked(a: np.ndarray, b: np.ndarray, **attributes: object) -> np.ndarray:
        if a.shape != b.shape:
            raise ValueError(f"both inputs must have the same shape: {list(a.shape)} and {list(b.shape)}")
        return kernel(a, b, **attributes)

    return checked


def same_sizes(kernel: Callable) -> Callable:
    """The kernel of two arrays, which refuses those of different sizes; the result has the shape of the first."""

    @functools.wraps(kernel)
    def checked(a: np.ndarray, b: np.ndarray, **attributes: object) -> np.ndarray:
        if a.shape != b.shape:
            if a.size != b.size:
                raise ValueError(f"both inputs must have as many elements: {list(a.shape)} and {list(b.shape)}")
            b = b.reshape(a.shape)
        return kernel(a, b, **attributes)

    return checked
