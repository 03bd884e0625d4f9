"""Batch normalization in training and inference, response normalization."""

from tests.cases import case, f32

_BATCH = [f32(2, 3, 3, 4), f32(4, low=0.5, high=1.5), f32(4), f32(4), f32(4, low=0.5, high=1.5)]

# In inference TensorFlow leaves all outputs but the first to chance.
_RESERVED = ("y1", "y2", "y3", "y4", "y5")

CASES = [
    case("FusedBatchNormV3", *_BATCH, label="training", order=1, is_training=True, smooth=False, tolerance=10.0),
    case("FusedBatchNormV3", *_BATCH, label="inference", order=1, is_training=False, smooth=False, undefined=_RESERVED),
    case("FusedBatchNorm", *_BATCH, label="inference", order=1, is_training=False, smooth=False, undefined=_RESERVED),
    case("LRN", f32(2, 3, 3, 6), order=1),
]
