"""Batch normalization in training and inference, response normalization."""

from tests.cases import bf16, case, f16, f32

_VECTORS = [f32(4, low=0.5, high=1.5), f32(4), f32(4), f32(4, low=0.5, high=1.5)]
_GRAD_VECTORS = [f32(4, low=0.5, high=1.5), f32(4), f32(4, low=0.5, high=1.5)]
_BATCH = [f32(2, 3, 3, 4), *_VECTORS]
_SHAPES = {"NHWC": (2, 3, 3, 4), "NCHW": (2, 4, 3, 3), "NDHWC": (2, 2, 3, 2, 4), "NCDHW": (2, 4, 2, 3, 2)}

# In inference TensorFlow leaves all outputs but the first to chance.
_RESERVED = ("y1", "y2", "y3", "y4", "y5")

# Not smooth: these ops take scale and statistics as float32 only.
_TRAINING = {"is_training": True, "smooth": False, "tolerance": 10.0}
_INFERENCE = {"is_training": False, "smooth": False, "undefined": _RESERVED}

CASES = [
    *[
        case(op, *_BATCH, label="training", **_TRAINING)
        for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ],
    *[
        case(op, *_BATCH, label="inference", **_INFERENCE)
        for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ],
    case("FusedBatchNormV3", *_BATCH, label="running", order=1, exponential_avg_factor=0.9, **_TRAINING),
    *[
        case("FusedBatchNormV3", f32(*shape), *_VECTORS, label=f"training,{name}", data_format=name, **_TRAINING)
        for name, shape in _SHAPES.items()
    ],
    *[
        case("FusedBatchNormV3", f32(*shape), *_VECTORS, label=name, data_format=name, order=1, **_INFERENCE)
        for name, shape in _SHAPES.items()
    ],
    *[
        case(
            "FusedBatchNormV3", half(*_SHAPES[name]), *_VECTORS, label=f"{label},{name}", data_format=name, **_TRAINING
        )
        for label, half in (("half", f16), ("bfloat16", bf16))
        for name in ("NHWC", "NCHW")
    ],
    *[
        case(
            f"FusedBatchNormGrad{version}",
            *[f32(*_SHAPES[name])] * 2,
            *_GRAD_VECTORS,
            *[f32(4)] * (version == "V3"),
            label=f"{name},{training}",
            order=1,
            data_format=name,
            is_training=training,
            smooth=False,
            tolerance=10.0,
        )
        for version in ("", "V2", "V3")
        for name in (_SHAPES if version == "V3" else ("NHWC", "NCHW"))
        for training in (True, False)
    ],
    *[
        case(
            "BatchNormWithGlobalNormalization",
            f32(images, 3, 3, 4),
            *[f32(4), f32(4, low=0.5, high=1.5), f32(4), f32(4)],
            label=f"scaled:{scaled}" + ("" if images else ",empty"),
            order=1,
            variance_epsilon=0.01,
            scale_after_normalization=scaled,
        )
        for scaled, images in ((True, 2), (False, 2), (True, 0))
    ],
    case("LRN", f32(2, 3, 3, 6), order=1),
    case("LRN", f32(2, 3, 3, 0), order=1),
    case("LRN", f32(2, 3, 3, 6), order=1, depth_radius=1, bias=2.0, alpha=0.5, beta=0.3),
]
