"""Tensor arrays of all three versions, filled and read again: the array is a handle, its order a flow of scalars."""

import functools

from tests.cases import case, const, f32


class Array:
    """An array of three elements; the ops of its version are its methods."""

    def __init__(self, g, version, dtype):
        self.g, self.version = g, version
        made = getattr(g, f"TensorArray{version}")(
            g.constant(3), dtype=dtype, clear_after_read=False, tensor_array_name="a"
        )
        self.handle, self.flow = made if version == "V3" else (made, g.constant(0.0))
        self.dtype = dtype

    def put(self, what, *operands):
        self.flow = self._op(what)(self.handle, *operands, self.flow)

    def get(self, what, *operands):
        return self._op(what)(self.handle, *operands, self.flow, dtype=self.dtype)

    def _op(self, what):
        return getattr(self.g, f"TensorArray{what}{self.version}")


def written(g, a, b, version):
    array = Array(g, version, a.dtype)
    for i, x in enumerate((a, b, a)):
        array.put("Write", i, x)
    return [array.get("Read", i) for i in (0, 1)]


def scattered(g, rows, places, version):
    array = Array(g, version, rows.dtype)
    array.put("Scatter", places, rows)
    return [array.get("Gather", g.constant([2, 0]))]


def cut(g, rows, lengths, version):
    array = Array(g, version, rows.dtype)
    array.put("Split", rows, lengths)
    return [array.get("Concat")[0]]


CASES = [
    row
    for version in ("", "V2", "V3")
    for row in (
        case(f"TensorArrayWrite{version}", f32(2), f32(2), graph=functools.partial(written, version=version)),
        case(f"TensorArrayRead{version}", f32(2, 1), f32(2, 1), graph=functools.partial(written, version=version)),
        *(
            case(f"TensorArray{op}{version}", f32(3, 2), places, graph=functools.partial(scattered, version=version))
            for op, places in (("Scatter", const([1, 0, 2])), ("Gather", const([2, 1, 0])))
        ),
        *(
            case(f"TensorArray{op}{version}", f32(6, 2), lengths, graph=functools.partial(cut, version=version))
            for op, lengths in (("Split", const([1, 2, 3], "int64")), ("Concat", const([2, 2, 2], "int64")))
        ),
    )
]
