"""Large kernels on several threads: the work is cut up by shapes alone, so no number depends on how many share it.

While `at_most` is open BLAS keeps to one thread and products are cut up here: threads of BLAS's own wait for each
other by spinning, which costs many times the product where another process wants the processor too.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], Any]
BLOCK = 1 << 21  # multiplications that are worth a block of their own
NARROW = 64  # rows or columns of a block, at least
MOST_BLOCKS = 16

_local = threading.local()


class at_most:
    """Inside, kernels that this thread calls use so many threads, this one among them."""

    __slots__ = ("_before", "_count")

    def __init__(self, count: int):
        self._count = count

    def __enter__(self) -> None:
        self._before, _local.count = threads(), self._count
        _blas.hold()

    def __exit__(self, *_: object) -> None:
        _blas.release()
        _local.count = self._before


def threads() -> int:
    """How many threads a kernel may use here."""
    return getattr(_local, "count", 1)


def spread(calls: Iterable[Call]) -> None:
    """Makes calls that do not depend on each other, each by whichever thread is free."""
    listed = list(calls)
    count = threads()
    helpers = min(count, len(listed)) - 1
    if helpers < 1:
        for call in listed:
            call()
        return
    waiting = iter(listed)  # hands each call to one thread
    started = [_pool().submit(_make, waiting) for _ in range(helpers)]
    _local.count = 1  # nothing is cut up further meanwhile
    try:
        for call in waiting:
            call()
    finally:
        _local.count = count
        for future in started:
            future.cancel()
    for future in started:
        if not future.cancelled():
            future.result()


def aside(call: Call) -> Call:
    """Makes a call on another thread where there is one; returns what waits for it, and raises what it raised."""
    if threads() < 2:
        call()
        return _nothing
    future = _pool().submit(_make, iter([call]))
    return lambda: call() if future.cancel() else future.result()


def _nothing() -> None:
    pass


def _make(waiting: Iterator[Call]) -> None:
    with np.errstate(all="ignore"):  # which a thread does not inherit
        for call in waiting:
            call()


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(64, thread_name_prefix="graphgrad")


def cut(size: int, parts: int) -> list[slice]:
    """A range in so many parts of like size."""
    bounds = [size * part // parts for part in range(parts + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds) if a < b]


def matmul(x: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """np.matmul, cut into blocks of rows, of columns or of the batch where the product is large."""
    if not _blas.is_held or x.ndim < 2 or y.ndim < 2:
        return np.matmul(x, y, out)
    rows, columns = x.shape[-2], y.shape[-1]
    is_batched = x.ndim > 2 and x.ndim == y.ndim and x.shape[0] == y.shape[0] > 1
    if not is_batched and (x.ndim > 2 or y.ndim > 2):
        return np.matmul(x, y, out)
    most = x.shape[0] if is_batched else max(rows, columns) // NARROW
    parts = min(MOST_BLOCKS, most, x.size * columns // BLOCK)
    if parts < 2:
        return np.matmul(x, y, out)
    if out is None:
        out = np.empty((*x.shape[:-1], columns), np.result_type(x, y))
    if is_batched:
        spread([functools.partial(np.matmul, x[s], y[s], out[s]) for s in cut(len(x), parts)])
    elif rows >= columns:
        spread([functools.partial(np.matmul, x[s], y, out[s]) for s in cut(rows, parts)])
    else:
        spread([functools.partial(np.matmul, x, y[:, s], out[:, s]) for s in cut(columns, parts)])
    return out


class _Blas:
    """The threads of the BLAS that came with numpy, where it is OpenBLAS; else nothing is done."""

    def __init__(self) -> None:
        self._lock, self._holders, self._before = threading.Lock(), 0, 1

    @property
    def is_held(self) -> bool:
        """Whether BLAS keeps to one thread."""
        return self._holders > 0 and self._functions is not None

    def hold(self) -> None:
        """From the first holder to the last there is one thread."""
        with self._lock:
            self._holders += 1
            if self._holders == 1 and self._functions is not None:
                get, put = self._functions
                self._before = get()
                if self._before != 1:
                    put(1)

    def release(self) -> None:
        """The last holder gives the threads back."""
        with self._lock:
            self._holders -= 1
            if not self._holders and self._functions is not None and self._before != 1:
                self._functions[1](self._before)

    @functools.cached_property
    def _functions(self) -> tuple[Callable[[], int], Callable[[int], Any]] | None:
        home = Path(np.__file__).parent
        for place in (home.parent / "numpy.libs", home / ".dylibs"):
            for file in sorted(place.glob("*openblas*")):
                library = ctypes.CDLL(str(file))  # loaded already: this finds it again
                for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", "")):
                    names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
                    if all(hasattr(library, name) for name in names):
                        get, put = (getattr(library, name) for name in names)
                        return get, put
        return None


_blas = _Blas()
