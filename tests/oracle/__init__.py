"""Tests beside TensorFlow, and what writes the golden values: with oneDNN wherever they run.

Left to itself TensorFlow uses it on newer processors alone, and ties and NaN in max pools come out otherwise.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
