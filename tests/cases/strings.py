"""Strings: cut, joined, searched, and turned into numbers and back."""

from graphgrad import dtypes
from tests.cases import case, const, given

_TEXT = given([b"Hello, World", b"", b" a  b ", "Äé😀x".encode()], "object")
_WORDS = given([b"a b  c", b"", b" x,y ", b"hi"], "object")
_GRID = given([[b"a", b"b", b"c"], [b"d", b"", b"f"]], "object")
_NUMBERS = given([1.5, -2.25, 1e20, 0.1], "float32")


def word(text):
    return const(text.encode(), "object")


CASES = [
    *[
        case("AsString", _NUMBERS, **attrs)
        for attrs in (
            {},
            {"precision": 3},
            {"scientific": True, "precision": 2},
            {"shortest": True, "width": 10},
            {"width": 12, "fill": "0"},
            {"width": 8, "fill": "-"},
        )
    ],
    case("AsString", given([3, -41], "int64"), width=5, fill="0"),
    case("AsString", given([True, False], "bool")),
    case("AsString", given([1 + 2j], "complex64"), precision=1),
    *[
        case("StringToNumber", given([b"1", b" -2 ", b"+7"], "object"), out_type=t)
        for t in (dtypes.int32, dtypes.int64)
    ],
    case(
        "StringToNumber",
        given([b"1.5", b" -2e3 ", b".5", b"inf", b"0x1A", b"1e-50"], "object"),
        out_type=dtypes.float32,
    ),
    case("StringToNumber", given([b"0.1", b"-Infinity"], "object"), out_type=dtypes.float64),
    *[case(op, _TEXT, encoding=e) for op in ("StringLower", "StringUpper") for e in ("", "utf-8")],
    case("StringStrip", _TEXT),
    *[case("StringLength", _TEXT, unit=unit) for unit in ("BYTE", "UTF8_CHAR")],
    case("Substr", given([b"hello", b"world!"], "object"), given([1, -3], "int32"), given([2, 9], "int32")),
    case("Substr", given([b"hello", b"world!"], "object"), const(1), const(-1)),
    case("Substr", given(["hé😀x".encode()], "object"), const([1]), const([2]), unit="UTF8_CHAR"),
    case("StringJoin", [given([b"a", b"b"], "object"), word("-"), given([b"c", b"d"], "object")], separator="."),
    *[
        case("ReduceJoin", _GRID, const(axes), keep_dims=keep, separator="-")
        for axes in ([0], [1], [0, 1], [-1, 0], [])
        for keep in (False, True)
    ],
    case("ReduceJoin", _GRID, given([1], "int32"), label="fed"),
    case(
        "UnsortedSegmentJoin", given([b"a", b"b", b"c"], "object"), given([1, 0, 1], "int32"), const(3), separator=":"
    ),
    case("UnsortedSegmentJoin", _GRID, const([1, 1]), const(2)),
    *[
        case("StringSplit", _WORDS, word(d), skip_empty=s, label=f"{d!r},{s}")
        for d in (" ", ", ", "")
        for s in (True, False)
    ],
    *[
        case("StringSplitV2", _WORDS, word(sep), maxsplit=m, label=f"{sep!r},{m}")
        for sep in ("", " ", ",")
        for m in (-1, 1)
    ],
    *[
        case(
            "StringNGrams",
            given([b"a", b"b", b"c", b"d"], "object"),
            given([0, 3, 4], "int64"),
            separator="|",
            ngram_widths=widths,
            left_pad="<",
            right_pad=">",
            pad_width=pad,
            preserve_short_sequences=keep,
            label=f"{widths},{pad},{keep}",
        )
        for widths, pad, keep in (((1, 2), -1, False), ((3, 2), 1, False), ((3,), 0, True))
    ],
    *[
        case("RegexReplace", _TEXT, word(pattern), word(rewrite), replace_global=every)
        for pattern, rewrite in (
            (r"b*", r"<\0>"),
            (r"([a-z])(\s|$)", r"\2\1\\"),
            (r"[^[:alnum:]\pL]", ""),
            (r"(?i)h|.", "_"),
        )
        for every in (True, False)
    ],
    case("StaticRegexReplace", _TEXT, pattern=r"\w+", rewrite="w"),
    case("RegexFullMatch", _WORDS, word(r"h.|[a-c ]*")),
    case("StaticRegexFullMatch", _WORDS, pattern=".*b.*"),
    *[
        case(
            op, given([b"", b"a", b"hello", b"x" * 13, b"y" * 25, b"z" * 50, b"w" * 64, b"v" * 200], "object"), **attrs
        )
        for op, attrs in (
            ("StringToHashBucketFast", {"num_buckets": 1 << 62}),
            ("StringToHashBucket", {"num_buckets": 1 << 62}),
            ("StringToHashBucketStrong", {"num_buckets": 1 << 62, "key": (12345, 1 << 40)}),
        )
    ],
    case("Fingerprint", given([[1, 2], [3, 4]], "int32"), word("farmhash64")),
    case("Fingerprint", given([b"a", b"hello"], "object"), word("farmhash64")),
    case("Fingerprint", _GRID, word("farmhash64")),
    case("EncodeBase64", _TEXT),
    case("EncodeBase64", _TEXT, pad=True),
    case("DecodeBase64", given([b"YQ", b"YQ==", b"-_8", b""], "object")),
    case("StringFormat", [given([[1.5, 2], [3, 4]]), _GRID], template="a {} b {}", placeholder="{}", summarize=3),
    case("StringFormat", [given([[[1], [2]], [[3], [4]]], "int32")], template="%s", placeholder="%s", summarize=-1),
    case("StringFormat", [given(list(range(9)), "int64")], template="{}", placeholder="{}", summarize=2),
]
