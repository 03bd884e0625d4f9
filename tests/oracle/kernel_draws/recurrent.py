"""Recipes of recurrent cells and layers, and of connectionist temporal classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe

Parts = tuple[list[Any], dict[str, Any]]

# The shapes of arguments by name: B a batch, I inputs, C cells, T steps of a layer (none of a cell).
_VECTORS = ("wci", "wcf", "wco")
_STATES = ("cs_prev", "h_prev", "h_prev", "r", "u", "c", "d_h")
_STEPS = ("i", "cs", "f", "o", "ci", "co", "h", "cs_grad", "h_grad")


def recurrent(d: Drawer) -> Parts:
    batch, inputs, cells, steps = d.integer(1, 3), d.integer(1, 3), d.integer(1, 3), d.integer(1, 3)
    time = (steps,) if d.op_type.startswith("Block") else ()
    shapes: dict[str, tuple[int, ...]] = {
        "x": (*time, batch, inputs),
        "w": (inputs + cells, 4 * cells),
        "b": (4 * cells,),
        "w_ru": (inputs + cells, 2 * cells),
        "w_c": (inputs + cells, cells),
        "b_ru": (2 * cells,),
        "b_c": (cells,),
        **dict.fromkeys(_VECTORS, (cells,)),
        **dict.fromkeys(_STATES, (batch, cells)),
        **dict.fromkeys(_STEPS, (*time, batch, cells)),
    }
    arrays: list[Any] = []
    for arg in d.signature.inputs:
        if arg.name == "seq_len_max":
            arrays.append(np.int64(steps))  # beyond it TensorFlow leaves memory as it is
        else:
            arrays.append(d.array(d.dtype(), shapes[arg.name], -1, 1, corners=False))
    attrs: dict[str, Any] = {
        "use_peephole": d.flag(),
        "forget_bias": d.pick([1.0, 0.0]),
        "cell_clip": d.pick([0.5, 3.0]),
    }
    return arrays, {k: v for k, v in attrs.items() if k in d.signature.attrs}


def greedy(d: Drawer) -> Parts:
    steps, batch, classes = d.integer(1, 5), d.integer(1, 3), d.integer(2, 4)
    lengths = d.array("int32", (batch,), 0, steps, corners=False)
    return [d.array(d.dtype(), (steps, batch, classes), corners=False), lengths], {"merge_repeated": d.flag()}


def ctc(d: Drawer) -> Parts:
    """Labels that fit their inputs, blanks between equal ones included."""
    batch, classes = d.integer(1, 3), d.integer(2, 4)
    lengths = [d.integer(0, 3) for _ in range(batch)]
    steps = 2 * max(lengths) + 1 + d.integer(0, 2)
    indices = np.array([[b, i] for b, n in enumerate(lengths) for i in range(n)], np.int64).reshape(-1, 2)
    labels = d.random().integers(0, classes - 1, len(indices)).astype(np.int32)
    return [
        d.array(d.dtype(), (steps, batch, classes), corners=False),
        indices,
        labels,
        np.full(batch, steps, np.int32),
    ], {"ctc_merge_repeated": d.flag()}


def beams(d: Drawer) -> Parts:
    """Scores without ties, of which one labelling would be as good as another."""
    time, batch, classes = d.integer(1, 8), d.integer(1, 3), d.integer(2, 6)
    scores = d.random().normal(0, d.pick([0.5, 2.0, 6.0]), (time, batch, classes)).astype(d.dtype())
    lengths = np.array([d.integer(0 if d.rarely() else 1, time) for _ in range(batch)], np.int32)
    width = d.pick([1, 2, 3, 5, 20])
    return [scores, lengths], {
        "beam_width": width,
        "top_paths": min(d.integer(1, 3), width + int(d.rarely())),
        "merge_repeated": d.flag(),
    }


RECIPES: dict[str, Recipe] = {
    **dict.fromkeys(
        [
            *["BlockLSTM", "BlockLSTMV2", "BlockLSTMGrad", "BlockLSTMGradV2", "GRUBlockCell", "GRUBlockCellGrad"],
            *["LSTMBlockCell", "LSTMBlockCellGrad"],
        ],
        recurrent,
    ),
    "CTCBeamSearchDecoder": beams,
    "CTCGreedyDecoder": greedy,
    "CTCLoss": ctc,
}
