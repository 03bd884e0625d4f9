"""Data formats and buckets."""

from tests.cases import case, given

CASES = [
    case("DataFormatDimMap", given([0, 1, 2, 3, -1, -4], "int32")),
    case("DataFormatDimMap", given([0, 1, 4], "int64"), src_format="NDHWC", dst_format="NCDHW"),
    case("DataFormatVecPermute", given([7, 4, 9, 3], "int32")),
    case("DataFormatVecPermute", given([[4, 5], [6, 7]], "int32"), src_format="NCHW", dst_format="NHWC", label="pairs"),
    case("Bucketize", given([[-5.0, 10000.0], [150.0, 10.0], [5.0, 100.0]]), boundaries=[0.0, 10.0, 100.0], order=1),
]
