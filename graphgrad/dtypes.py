"""TensorFlow's element types as small interned objects, and the questions the rules ask of them.

There is one `DType` object per type, so `is` compares them; no numpy is loaded here.
"""

from __future__ import annotations

_FLOATING = frozenset({1, 2, 14, 19, 24, 25, 26, 27, 28})
_INTEGERS = frozenset({3, 4, 5, 6, 9, 17, 22, 23, 29, 30, 31, 32})
_TRAINABLE = frozenset({1, 2, 8, 14, 18, 19, 20, 21})


class DType:
    """An element type: `name` as Python TensorFlow spells it, `enum` as files store it.

    Gradients flow through tensors of a type that `is_trainable`.
    """

    __slots__ = ("enum", "is_complex", "is_floating", "is_integer", "is_trainable", "name", "size")

    def __init__(self, name: str, enum: int, size: int | None):
        self.name, self.enum, self.size = name, enum, size
        self.is_floating, self.is_complex = enum in _FLOATING, enum in (8, 18)
        self.is_integer, self.is_trainable = enum in _INTEGERS, enum in _TRAINABLE

    @property
    def real_dtype(self) -> DType:
        """The type of the real and imaginary parts."""
        return {8: float32, 18: float64}.get(self.enum, self)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self):
        return (by_enum, (self.enum,))


#     name -> (number in files, bytes per element where fixed)
_TABLE = {
    "float32": (1, 4),
    "float64": (2, 8),
    "int32": (3, 4),
    "uint8": (4, 1),
    "int16": (5, 2),
    "int8": (6, 1),
    "string": (7, None),
    "complex64": (8, 8),
    "int64": (9, 8),
    "bool": (10, 1),
    "qint8": (11, 1),
    "quint8": (12, 1),
    "qint32": (13, 4),
    "bfloat16": (14, 2),
    "qint16": (15, 2),
    "quint16": (16, 2),
    "uint16": (17, 2),
    "complex128": (18, 16),
    "float16": (19, 2),
    "resource": (20, None),
    "variant": (21, None),
    "uint32": (22, 4),
    "uint64": (23, 8),
    "float8_e5m2": (24, 1),
    "float8_e4m3fn": (25, 1),
    "float8_e4m3fnuz": (26, 1),
    "float8_e4m3b11fnuz": (27, 1),
    "float8_e5m2fnuz": (28, 1),
    "int4": (29, 1),
    "uint4": (30, 1),
    "int2": (31, 1),
    "uint2": (32, 1),
}
_REF_OFFSET = 100

_BY_NAME = {name: DType(name, enum, size) for name, (enum, size) in _TABLE.items()}
_BY_ENUM = {d.enum: d for d in _BY_NAME.values()}

float16, float32, float64 = _BY_NAME["float16"], _BY_NAME["float32"], _BY_NAME["float64"]
bfloat16 = _BY_NAME["bfloat16"]
complex64, complex128 = _BY_NAME["complex64"], _BY_NAME["complex128"]
int8, int16, int32, int64 = (_BY_NAME[f"int{n}"] for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (_BY_NAME[f"uint{n}"] for n in (8, 16, 32, 64))
bool_, string = _BY_NAME["bool"], _BY_NAME["string"]
resource, variant = _BY_NAME["resource"], _BY_NAME["variant"]


def by_enum(enum: int) -> DType:
    """The type a file's number stands for, reference or not. Raises KeyError for numbers no type has."""
    return _BY_ENUM[enum - _REF_OFFSET if enum > _REF_OFFSET else enum]


def plain_by_enum(enum: int) -> DType | None:
    """The type a file's number stands for; None for references and for numbers no type has."""
    return _BY_ENUM.get(enum)


def is_known(enum: int) -> bool:
    """Whether a file's number stands for a type."""
    return (enum - _REF_OFFSET if enum > _REF_OFFSET else enum) in _BY_ENUM


def shown(enum: int) -> str:
    """A file's number as text: its type's name, if there is one."""
    return str(by_enum(enum)) if is_known(enum) else f"dtype {enum}" if enum else "None"


def by_name(name: str) -> DType:
    """The type of that name ('half' and 'double' are understood). Raises KeyError."""
    return _BY_NAME[{"half": "float16", "double": "float64", "float": "float32"}.get(name, name)]


def all_dtypes() -> list[DType]:
    """Every type, in the order of the numbers files use."""
    return list(_BY_ENUM.values())
