"""Recipes of strings and encodings."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe

Parts = tuple[list[Any], dict[str, Any]]

WORDS = [
    b"",
    b"a",
    b"Bc",
    b" a b ",
    b"a--b-",
    b"-",
    b"aXbXc",
    "\u00e9t\u00e9".encode(),
    b"x,y,,z",
    b"  ",
    b"hello world",
]
TEXTS = [*WORDS, "\u4e2d\u6587 \U0001f600".encode(), b"\xff\xfe", b"a\x00b", b"\xc3"]
NUMBERS = [b"1", b"-2", b"0.5", b" 7 ", b"1e3", b"-1.5e-2", b"inf", b"nan", b"x", b"", b"0x10", b"300", b"+4"]


def words(d: Drawer) -> Any:
    return d.array("string", d.shape(), values=WORDS)


def one(d: Drawer) -> Parts:
    return [words(d)], {}


def cased(d: Drawer) -> Parts:
    return [d.array("string", d.shape(), values=TEXTS)], {"encoding": d.pick(["", "utf-8"])}


def as_string(d: Drawer) -> Parts:
    dtype = d.dtype()
    attrs: dict[str, Any] = {"width": d.pick([-1, 0, 6, 12]), "fill": d.pick(["", " ", "0", "-", "+"])}
    if dtype.startswith(("float", "bfloat", "complex")):
        which = d.pick(["", "scientific", "shortest"])
        attrs |= {"scientific": which == "scientific", "shortest": which == "shortest", "precision": d.pick([-1, 0, 3])}
    return [d.array(dtype, d.shape())], attrs


def encode_base64(d: Drawer) -> Parts:
    return [d.array("string", d.shape(), values=TEXTS)], {"pad": d.flag()}


def decode_base64(d: Drawer) -> Parts:
    return [
        d.array(
            "string",
            d.shape(0, 2),
            values=[b"", b"YQ", b"YQ==", b"YWI=", b"YWJj", b"_-8", b"Y"][: 7 if d.rarely() else 6],
        )
    ], {}


def fingerprint(d: Drawer) -> Parts:
    """Of something: of rows without strings TensorFlow gives what was in memory."""
    method = np.empty((), object)
    method[()] = b"farmhash64"
    shape = tuple(d.integer(1, 4) for _ in range(d.integer(1, 4))) if d.dtype() == "string" else d.shape(1)
    return [d.array(d.dtype(), shape), method], {}


def reduce_join(d: Drawer) -> Parts:
    shape = d.shape()
    return [d.array("string", shape), np.array(d.axes(len(shape)), np.int32)], {
        "keep_dims": d.flag(),
        "separator": d.pick(["", ","]),
    }


PATTERNS = ["a", "[a-z]+", "(.)b(.)", "^ *", "x*", "\\s", "(a|b)-", "\\w+ \\w+", ".*"]
REWRITES = ["", "z", "\\0\\0", "<\\0>"]


def _text(value: str) -> Any:
    found = np.empty((), object)
    found[()] = value.encode()
    return found


def regex(d: Drawer) -> Parts:
    pattern, rewrite = d.pick(PATTERNS), d.pick(REWRITES)
    attrs: dict[str, Any] = {"replace_global": d.flag()} if "Replace" in d.op_type else {}
    if d.op_type.startswith("Static"):
        attrs |= {"pattern": pattern}
        return [words(d)], attrs | ({"rewrite": rewrite} if "Replace" in d.op_type else {})
    return [words(d), _text(pattern), *([_text(rewrite)] if "Replace" in d.op_type else [])], attrs


def formatted(d: Drawer) -> Parts:
    kinds = [d.pick(["float32", "int32", "bool", "string"]) for _ in range(d.integer(0, 2))]
    template = " and ".join(["{}"] * len(kinds)) + d.pick(["", "!"])
    values = [d.array(k, d.shape(0, 3, 8), corners=False) for k in kinds]
    return [values], {"template": template, "placeholder": "{}", "summarize": d.pick([1, 3, -1])}


def joined(d: Drawer) -> Parts:
    shape = d.shape()
    return [[d.array("string", d.pick([shape, shape, ()])) for _ in range(d.integer(1, 3))]], {
        "separator": d.pick(["", "-"])
    }


def length(d: Drawer) -> Parts:
    return [d.array("string", d.shape(), values=TEXTS)], {"unit": d.pick(["BYTE", "UTF8_CHAR"])}


def substr(d: Drawer) -> Parts:
    """Out of range now and then."""
    shape = d.shape()
    each = d.flag()
    texts = d.array("string", shape, values=[b"hello", b"worlds", "\u4e2d\u6587\u00e9tea".encode()])
    edges = shape if each else ()
    unit = d.pick(["BYTE", "UTF8_CHAR"])
    return [
        texts,
        d.array(d.dtype(), edges, -6 if d.rarely() else -3, 3, corners=False),
        d.array(d.dtype(), edges, 0, 4, corners=False),
    ], {"unit": unit}


def ngrams(d: Drawer) -> Parts:
    lengths = [d.integer(0, 4) for _ in range(d.integer(1, 4))]
    splits = np.cumsum([0, *lengths]).astype(d.dtype("Tsplits"))
    return [d.array("string", (sum(lengths),)), splits], {
        "separator": d.pick(["", "|"]),
        "ngram_widths": [d.integer(1, 3) for _ in range(d.integer(1, 2))],
        "left_pad": d.pick(["", "L"]),
        "right_pad": d.pick(["", "R"]),
        "pad_width": d.integer(-1, 2),
        "preserve_short_sequences": d.flag(),
    }


def split(d: Drawer) -> Parts:
    texts = d.array("string", (d.dim(5),), values=WORDS)
    if d.op_type == "StringSplit":
        return [texts, _text(d.pick(["", " ", "-", "Xb"]))], {"skip_empty": d.flag()}
    return [texts, _text(d.pick(["", " ", "-", "--"]))], {"maxsplit": d.pick([-1, 0, 1, 2])}


def bucket(d: Drawer) -> Parts:
    attrs: dict[str, Any] = {"num_buckets": d.pick([1, 7, 1000, 1 << 40])}
    attrs |= {"key": [d.integer(0, 1 << 40), d.integer(0, 1 << 40)]} if d.op_type.endswith("Strong") else {}
    return [d.array("string", d.shape(), values=TEXTS)], attrs


def number(d: Drawer) -> Parts:
    good = NUMBERS[:6] if d.dtype("out_type").startswith("float") else NUMBERS[:2]
    values = NUMBERS if d.rarely() else good
    return [d.array("string", d.shape(), values=values)], {}


def csv(d: Drawer) -> Parts:
    kinds = [d.pick(["float32", "int32", "string", "int64", "float64"]) for _ in range(d.integer(1, 3))]
    fields = {"float32": ["1.5", "", "-2"], "float64": ["1e3", ""], "string": ["a", "", '"x,y"', " b "]}
    lines = []
    for _ in range(d.dim(4)):
        lines.append(",".join(d.pick(fields.get(k, ["7", "", "-3"])) for k in kinds).encode())
    records = np.empty((len(lines),), object)
    records[:] = lines
    defaults = [d.array(k, (d.pick([1, 1, 0]),), corners=False) for k in kinds]
    return [records, defaults], {"na_value": d.pick(["", "NA"])}


def decode_raw(d: Drawer) -> Parts:
    size = 8 * d.integer(0, 2)
    rows = d.shape(0, 2, 3)
    text = [bytes(d.random().integers(0, 128, size, np.uint8)) for _ in range(3)]
    records = d.array("string", rows, values=text)
    attrs = {"little_endian": d.flag()}
    if d.op_type == "DecodePaddedRaw":
        return [d.array("string", rows, values=text), np.int32(16)], attrs
    return [records], attrs


ENCODINGS = ["UTF-8", "UTF-16-BE", "UTF-32-BE"]


def _errors(d: Drawer, errors: list[str]) -> dict[str, Any]:
    return {"errors": d.pick(errors), "replacement_char": d.pick([65533, 63])}


def unicode_decode(d: Drawer) -> Parts:
    """With int32 splits TensorFlow dies."""
    d.types["Tsplits"] = "int64"
    encoding = d.pick(["UTF-8", "UTF-8", "UTF-16-BE", "UTF-32-BE", "ISO-8859-1"])
    plain = ["hi", "", "\u4e2d\u00e9", "a\tb"]
    values = TEXTS if encoding == "UTF-8" else [s.encode(encoding, "replace") for s in plain]
    return [d.array("string", (d.dim(4),), values=values)], {
        "input_encoding": encoding,
        **_errors(d, ["replace", "ignore"]),
        "replace_control_characters": d.flag(),
    }


def unicode_encode(d: Drawer) -> Parts:
    lengths = [d.integer(0, 4) for _ in range(d.integer(1, 3))]
    points = d.array("int32", (sum(lengths),), values=[65, 0x4E2D, 0x1F600, 0xE9, 9, 0xD800 if d.rarely() else 66])
    splits = np.cumsum([0, *lengths]).astype(d.dtype("Tsplits"))
    return [points, splits], {"output_encoding": d.pick(ENCODINGS), **_errors(d, ["replace", "ignore", "strict"])}


def transcode(d: Drawer) -> Parts:
    return [d.array("string", d.shape(0, 2), values=TEXTS)], {
        "input_encoding": "UTF-8",
        "output_encoding": d.pick(ENCODINGS),
        **_errors(d, ["replace", "ignore"]),
        "replace_control_characters": d.flag(),
    }


def compressed(d: Drawer) -> Parts:
    how = d.pick(["", "ZLIB", "GZIP"])
    pack = {"": bytes, "ZLIB": zlib.compress, "GZIP": gzip.compress}[how]
    return [d.array("string", d.shape(), values=[pack(text) for text in TEXTS])], {"compression_type": how}


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


RECIPES: dict[str, Recipe] = {
    "StringStrip": one,
    **_table(cased, "StringLower StringUpper"),
    "AsString": as_string,
    "EncodeBase64": encode_base64,
    "DecodeBase64": decode_base64,
    "Fingerprint": fingerprint,
    "ReduceJoin": reduce_join,
    **_table(regex, "RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace"),
    "StringFormat": formatted,
    "StringJoin": joined,
    "StringLength": length,
    "Substr": substr,
    "StringNGrams": ngrams,
    **_table(split, "StringSplit StringSplitV2"),
    **_table(bucket, "StringToHashBucket StringToHashBucketFast StringToHashBucketStrong"),
    "StringToNumber": number,
    "DecodeCSV": csv,
    "DecodeCompressed": compressed,
    **_table(decode_raw, "DecodeRaw DecodePaddedRaw"),
    **_table(unicode_decode, "UnicodeDecode UnicodeDecodeWithOffsets"),
    "UnicodeEncode": unicode_encode,
    "UnicodeTranscode": transcode,
}
