"""What tests beside TensorFlow share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tensorflow as tf

tf1 = tf.compat.v1
tf1.disable_control_flow_v2()  # as the graphs graphgrad reproduces were made; tests of functions enable it


@pytest.fixture(autouse=True)
def kind_of_control_flow() -> Iterator[None]:
    """What a test chooses ends with it."""
    was_second = tf1.control_flow_v2_enabled()
    yield
    (tf1.enable_control_flow_v2 if was_second else tf1.disable_control_flow_v2)()
