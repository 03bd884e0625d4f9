"""Decoded strings: code points, numbers in binary, records of comma-separated values."""

from graphgrad import dtypes
from tests.cases import case, const, given

_TEXT = given(["aé".encode(), "😀".encode(), b"b\xff\x01"], "object")

CASES = [
    case("UnicodeDecode", _TEXT, input_encoding="UTF-8"),
    case("UnicodeDecode", _TEXT, input_encoding="UTF-8", errors="ignore", replace_control_characters=True),
    case("UnicodeDecode", given([b"\0a\xd8\x3d\xde\0"], "object"), input_encoding="UTF-16-BE"),
    case("UnicodeDecodeWithOffsets", _TEXT, input_encoding="UTF-8"),
    *[
        case("UnicodeEncode", given([97, 233, 0x1F600, 0xD800], "int32"), given([0, 2, 4], "int64"), output_encoding=e)
        for e in ("UTF-8", "UTF-16-BE", "UTF-32-BE")
    ],
    case("UnicodeTranscode", _TEXT, input_encoding="UTF-8", output_encoding="UTF-16-BE"),
    case("DecodeRaw", given([b"\1\2\3\4", b"\5\6\7\x08"], "object"), out_type=dtypes.int16),
    case("DecodeRaw", given([b"\1\2\3\4"], "object"), out_type=dtypes.int32, little_endian=False),
    case("DecodePaddedRaw", given([b"\1\2\3", b"\5"], "object"), const(4), out_type=dtypes.int16),
    case(
        "DecodeCSV",
        given([b'1,2.5,"a,b"', b"3,,x", b'4,5,"q""r"'], "object"),
        [const([0]), const([1.5], "float32"), const([b""], "object")],
        label="mixed",
    ),
    case(
        "DecodeCSV",
        given([b"1 NA 3"], "object"),
        [const([0]), const([7])],
        field_delim=" ",
        na_value="NA",
        select_cols=[0, 1],
    ),
]
