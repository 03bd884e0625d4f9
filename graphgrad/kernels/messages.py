"""Kernels that say something: printed tensors and failed assertions. All that is printed goes to standard error.

Nothing is printed to standard output, which belongs to results.
"""

from __future__ import annotations

import sys

import numpy as np

from graphgrad.kernels._summaries import in_one_line
from graphgrad.registry import kernel


def _shown(x, summarize: int) -> str:
    return in_one_line(np.asarray(x), summarize).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@kernel("Print")
def print_data(input, data, *, message, first_n, summarize, state, node_name):
    """Hands its input on and prints the data, at most `first_n` times where that is not negative."""
    times = state.resource(f"{node_name}/times printed", list)
    if first_n < 0 or len(times) < first_n:
        times.append(True)
        sys.stderr.write(message + "".join(f"[{_shown(x, summarize)}]" for x in data) + "\n")
    return input


@kernel("PrintV2")
def print_text(input, *, end):
    if input.ndim:
        raise ValueError(f"the input must be a scalar, not of shape {list(input.shape)}")
    sys.stderr.write(input[()].decode("utf-8", "replace") + end)


@kernel("Assert")
def assert_true(condition, data, *, summarize):
    if condition.ndim:
        raise ValueError(f"the condition must be a scalar, not of shape {list(condition.shape)}")
    if not condition:
        raise ValueError("assertion failed: " + " ".join(f"[{_shown(x, summarize)}]" for x in data))
