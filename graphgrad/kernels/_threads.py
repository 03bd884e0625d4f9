"""Large kernels on several threads: the work is cut up by shapes alone, so no number depends on how many share it.

While `at_most` is open BLAS keeps to one thread and products are cut up here: threads of BLAS's own wait for each
other by spinning, which costs many times the product where another process wants the processor too.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

Call = Callable[[], Any]
BLOCK = 1 << 23  # multiplications that are worth a block of their own
LONG = 1 << 26  # ... of several: BLAS packs the operand they share once more for each
NARROW = 64  # rows or columns of a block, at least
MOST_BLOCKS = 16
UNPACKED = 1_000_000  # multiplications of a product whose operands OpenBLAS reads as they lie, where it can
FEW_ROWS, SOME_COLUMNS = 32, 48  # at most and at least, for which it is worth cutting one up to be so small
MOST_SCRATCH = 1 << 23  # bytes; more is not kept

# Elements of an array that one call of numpy should handle where others run beside it: handing the interpreter's lock from
# one thread to the other takes as long as numpy needs for some ten thousand.
WIDE = 1 << 17

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
    most = min(count, len(listed)) - 1
    if most < 1:
        for call in listed:
            call()
        return
    waiting = iter(listed)  # hands each call to one thread
    helpers = [_Helper.of(waiting) for _ in range(most)]
    _local.count = 1  # nothing is cut up further meanwhile
    try:
        for call in waiting:
            call()
    finally:
        _local.count = count
        errors = [error for helper in helpers if (error := helper.finish())]
    for error in errors:
        raise error


def aside(call: Call) -> Call:
    """Makes a call on another thread where there is one; returns what waits for it, and raises what it raised."""
    if threads() < 2:
        call()
        return _nothing
    waiting = iter([call])
    helper = _Helper.of(waiting)

    def wait() -> None:
        error = helper.finish()
        if error is not None:
            raise error
        for missed in waiting:  # the helper had not begun
            missed()

    return wait


def _nothing() -> None:
    pass


class _Helper(threading.Thread):
    """A thread that makes calls it is handed, again and again. Two locks hand them over, which is the least that it can cost."""

    _free: ClassVar[list[_Helper]] = []

    def __init__(self) -> None:
        super().__init__(name="graphgrad", daemon=True)
        self._waiting: Iterator[Call] = iter(())
        self._error: BaseException | None = None
        self._begin, self._done = threading.Lock(), threading.Lock()
        self._begin.acquire()
        self._done.acquire()
        self.start()

    @classmethod
    def of(cls, waiting: Iterator[Call]) -> _Helper:
        """A helper at work on these calls, until `finish`."""
        try:
            helper = cls._free.pop()
        except IndexError:
            helper = cls()
        helper._waiting = waiting
        helper._begin.release()
        return helper

    def finish(self) -> BaseException | None:
        """Waits until the helper is free again; what it begins no more is left to the caller. Returns what failed."""
        if not self._begin.acquire(blocking=False):
            self._done.acquire()
        error, self._error, self._waiting = self._error, None, iter(())
        self._free.append(self)
        return error

    def run(self) -> None:
        """Until the process ends."""
        while True:
            self._begin.acquire()
            try:
                with np.errstate(all="ignore"):  # which a thread does not inherit
                    for call in self._waiting:
                        call()
            except BaseException as error:  # raised where the calls came from
                self._error = error
            self._done.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Helper._free.clear)  # a child has none of its parent's threads


def scratch(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array in memory that this thread keeps under that name: what it held before is lost."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    held = _local.__dict__.setdefault("scratch", {})
    memory = held.get(name)
    if memory is None or memory.size < size:
        memory = np.empty(size, np.uint8)
        if size <= MOST_SCRATCH:
            held[name] = memory
    return memory[:size].view(dtype).reshape(shape)


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
    work = x.size * columns
    parts = min(MOST_BLOCKS, most, work // BLOCK if is_batched else 2 * max(1, work // (2 * LONG)))
    if parts < 2 or work < 2 * BLOCK:
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


def product(x: tuple[int, ...], y: tuple[int, ...], dtype: Any) -> Call:
    """What multiplies matrices of these shapes, `call(x, y, out=None)`; or arrays of them, which have more axes."""
    work = math.prod(x) * y[-1]
    columns = UNPACKED // max(1, math.prod(x))
    is_short = len(x) == len(y) == 2 and 1 < x[0] <= FEW_ROWS and columns >= SOME_COLUMNS and work > UNPACKED
    if is_short and dtype == np.float32 and _blas.reads_small_ones_unpacked:
        return functools.partial(_by_columns, cut(y[1], -(-y[1] // columns)))
    return matmul if work > BLOCK else np.matmul


def _by_columns(parts: list[slice], x: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """A product of few rows, for which packing the other operand would cost more than the product."""
    if out is None:
        out = np.empty((len(x), y.shape[1]), x.dtype)
    for part in parts:
        np.matmul(x, y[:, part], out[:, part])
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
    def reads_small_ones_unpacked(self) -> bool:
        """Whether there are kernels for small matrices, as there are for processors with AVX-512."""
        name = self._function("get_corename")
        if name is None:
            return False
        name.restype = ctypes.c_char_p
        return name() in (b"SkylakeX", b"Cooperlake", b"SapphireRapids")

    @functools.cached_property
    def _functions(self) -> tuple[Callable[[], int], Callable[[int], Any]] | None:
        get, put = self._function("get_num_threads"), self._function("set_num_threads")
        return None if get is None or put is None else (get, put)

    def _function(self, name: str) -> Any:
        """One of the library's functions, whose names have other ends in each build of it."""
        home = Path(np.__file__).parent
        for place in (home.parent / "numpy.libs", home / ".dylibs"):
            for file in sorted(place.glob("*openblas*")):
                library = ctypes.CDLL(str(file))  # loaded already: this finds it again
                for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", "")):
                    whole = f"{prefix}openblas_{name}{suffix}"
                    if hasattr(library, whole):
                        return getattr(library, whole)
        return None


_blas = _Blas()
