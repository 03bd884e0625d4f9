"""Resizing, crops, warps, patches, colour spaces. Not smooth where ops compute in float32 whatever they are given."""

from tests.cases import case, const, f16, f32, given

_BOXES = given([[0.1, 0.2, 0.9, 0.8], [-0.2, 0.1, 1.3, 0.7], [0.9, 0.9, 0.1, 0.2]]), given([0, 1, 1], "int32")
_BOX = given([[0.1, 0.2, 0.9, 0.8]]), given([0], "int32")
_BYTES = given([[[[1], [2]], [[3], [4]]]], "uint8")
_TRANSFORMS = given([[1.1, 0.1, 0.3, -0.05, 0.9, 0.2, 0.001, 0.002], [0.9, 0.1, -0.8, 0.2, 1.1, 1.0, 0.0, 0.0]])
_PATCHES = {"ksizes": [1, 2, 3, 1], "strides": [1, 2, 2, 1], "rates": [1, 1, 1, 1]}
_CUBES = {"ksizes": [1, 2, 3, 1, 1], "strides": [1, 1, 1, 2, 1]}
_COLOURS = given(
    [[0.3, 0.7, 0.1], [0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.2], [0.5, 0.2, 0.5], [0.2, 0.5, 0.5], [0, 0, 0.5]]
)
_GLIMPSE = {"uniform_noise": False, "noise": "zero"}

CASES = [
    *[
        case(op, f32(1, 3, 4, 2), const([5, 6]), order=1, smooth=False)
        for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic")
    ],
    case("ResizeBilinear", f32(1, 3, 4, 2), const([2, 3]), order=2, smooth=False, half_pixel_centers=True),
    case("ResizeNearestNeighbor", f32(1, 3, 4, 2), const([6, 8]), order=1, smooth=False, align_corners=True),
    case("ResizeBicubic", f32(1, 3, 4, 2), given([2, 3], "int32"), order=1, smooth=False, half_pixel_centers=True),
    case("ResizeBicubic", f16(1, 2, 2, 1), const([3, 3]), label="half", order=1, smooth=False),
    *[
        case(
            "ScaleAndTranslate",
            f32(1, 4, 5, 2),
            *[const([3, 8]), const([0.7, 1.3], "float32"), const([0.3, -0.4], "float32")],
            label=f"{kind},{antialias}",
            order=1,
            smooth=False,
            kernel_type=kind,
            antialias=antialias,
        )
        for kind, antialias in (("triangle", False), ("lanczos3", True), ("mitchellcubic", True), ("box", True))
    ],
    *[
        case(
            "CropAndResize", f32(2, 5, 6, 2), *_BOXES, const([3, 4]), label=method, order=1, smooth=False, method=method
        )
        for method in ("bilinear", "nearest")
    ],
    case("CropAndResize", _BYTES, *_BOX, const([2, 2]), label="bytes", order=1, smooth=False),
    *[
        case(
            "ImageProjectiveTransformV2",
            f32(2, 5, 6, 2),
            _TRANSFORMS,
            const([4, 5]),
            order=1,
            smooth=False,
            interpolation=kind,
            fill_mode=mode,
        )
        for kind, mode in (("BILINEAR", "CONSTANT"), ("NEAREST", "REFLECT"))
    ],
    *[
        case(
            "ImageProjectiveTransformV3",
            f32(2, 5, 6, 2),
            _TRANSFORMS,
            given([4, 5], "int32"),
            given(0.5),
            order=1,
            smooth=False,
            interpolation="BILINEAR",
            fill_mode=mode,
        )
        for mode in ("WRAP", "NEAREST")
    ],
    case("ExtractImagePatches", f32(2, 5, 6, 2), padding="SAME", **_PATCHES),
    case("ExtractImagePatches", f32(1, 6, 6, 2), label="rates", padding="VALID", **{**_PATCHES, "rates": [1, 2, 2, 1]}),
    case("ExtractVolumePatches", f32(1, 4, 4, 3, 2), padding="SAME", levels=("static",), **_CUBES),
    case("ExtractVolumePatches", f32(2, 4, 4, 3, 2), padding="VALID", levels=("static",), **_CUBES),
    case("RGBToHSV", f32(2, 3, 3, low=0, high=1)),
    case("RGBToHSV", _COLOURS, label="ties", smooth=False),
    *[
        case(
            op,
            const([40, 60, 3]),
            given([[[0.2, 0.1, 0.7, 0.6], [0.5, 0.5, 0.9, 1.0]]]),
            *inputs,
            **attrs,
            label=op,
            aspect_ratio_range=[0.6, 1.5],
            area_range=[0.2, 0.9],
            order=1,
            smooth=False,
            random=not op.startswith("Stateless"),
        )
        for op, inputs, attrs in (
            ("SampleDistortedBoundingBox", (), {"seed": 3, "seed2": 4, "min_object_covered": 0.4}),
            ("SampleDistortedBoundingBoxV2", (const(0.4, "float32"),), {"seed": 3, "seed2": 4}),
            ("StatelessSampleDistortedBoundingBox", (const(0.4, "float32"), const([5, 6])), {}),
        )
    ],
    *[
        case(op, f32(2, 5, 6, 1), const([3, 4]), given([[0.2, -0.4], [-0.7, 0.9]]), **_GLIMPSE, order=1, smooth=False)
        for op in ("ExtractGlimpse", "ExtractGlimpseV2")
    ],
    case(
        "ExtractGlimpseV2",
        f32(1, 5, 6, 1),
        const([2, 2]),
        given([[1.2, 2.0]]),
        order=1,
        smooth=False,
        centered=False,
        normalized=False,
        uniform_noise=False,
        noise="zero",
        label="in pixels",
    ),
]
