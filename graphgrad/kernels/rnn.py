"""Kernels of recurrent cells and layers: long short-term memory and gated recurrent units.

The weights of a cell are one matrix, whose columns are the gates: input i, candidate c, forget f, output o. Half types
are computed in float32.
"""

from __future__ import annotations

import numpy as np

from graphgrad.kernels._checks import vector
from graphgrad.registry import kernel

# The order of the gates in the columns of weights and biases.
ICFO, IFCO = (0, 1, 2, 3), (0, 2, 1, 3)


def sigmoid(x):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def wide(*arrays):
    """As float32, for the half types."""
    return [a.astype(np.float32) if a.dtype == np.float16 else a for a in arrays]


def gates_of(columns, order):
    """i, c, f and o out of all columns."""
    parts = np.split(columns, 4, axis=-1)
    return [parts[place] for place in order]


def joined_gates(i, c, f, o, order):
    parts = dict(zip(order, (i, c, f, o), strict=True))
    return np.concatenate([parts[place] for place in range(4)], axis=-1)


def refuse_unfit(x, cs_prev, h_prev, weights, biases):
    """Raises where the parts of a cell do not fit together."""
    if cs_prev.ndim != 2:
        raise ValueError(f"the state must be a matrix, not of shape {list(cs_prev.shape)}")
    batch, cells = cs_prev.shape
    inputs = x.shape[-1]
    if h_prev.shape != (batch, cells) or x.shape[-2] != batch:
        raise ValueError(f"x {list(x.shape)}, states {list(cs_prev.shape)} and {list(h_prev.shape)} do not fit")
    if weights.shape != (inputs + cells, 4 * cells) or biases.shape != (4 * cells,):
        raise ValueError(
            f"{inputs} inputs and {cells} cells need weights {[inputs + cells, 4 * cells]} and biases {[4 * cells]}, "
            f"not {list(weights.shape)} and {list(biases.shape)}"
        )


def refuse_unfit_cell(x, cs_prev, h_prev, weights, biases, **peepholes):
    """Raises where the parts of one step do not fit together; of peepholes only the rank counts, used or not."""
    if x.ndim != 2:
        raise ValueError(f"x must be a matrix, not of shape {list(x.shape)}")
    refuse_unfit(x, cs_prev, h_prev, weights, biases)
    for name, peephole in peepholes.items():
        vector(peephole, name)


def peepholes_of(cs_prev, are_used, **peepholes):
    """The weights, one per cell, by which the gates see the state; none where they are not used, but they must fit."""
    for name, weights in peepholes.items():
        if weights.shape != cs_prev.shape[1:]:
            raise ValueError(f"{name} has shape {list(weights.shape)}, the state {list(cs_prev.shape)}")
    return tuple(peepholes.values()) if are_used else ()


def lstm_step(x, cs_prev, h_prev, w, peepholes, b, order, forget_bias, cell_clip):
    """One step: i, cs, f, o, ci, co, h. `peepholes` are weights by which the gates see the state, or None."""
    zi, zc, zf, zo = gates_of(np.concatenate([x, h_prev], axis=-1) @ w + b, order)
    if peepholes is not None:
        zi, zf = zi + cs_prev * peepholes[0], zf + cs_prev * peepholes[1]
    i, f, ci = sigmoid(zi), sigmoid(zf + x.dtype.type(forget_bias)), np.tanh(zc)
    cs = i * ci + f * cs_prev
    if cell_clip > 0:
        cs = np.clip(cs, -cell_clip, cell_clip)
    if peepholes is not None:
        zo = zo + cs * peepholes[2]
    o, co = sigmoid(zo), np.tanh(cs)
    return i, cs, f, o, ci, co, o * co


def lstm_step_back(cs_prev, peepholes, step, cs_grad, h_grad):
    """The gradients of one step: of the state before, of i, c, f and o before they are squashed, of the peepholes."""
    i, cs, f, o, ci, co, _ = step
    do = o * (1 - o) * h_grad * co
    dcs = (1 - co * co) * h_grad * o + cs_grad
    if peepholes is not None:
        dcs = dcs + do * peepholes[2]
    dc = (1 - ci * ci) * dcs * i
    df = f * (1 - f) * dcs * cs_prev
    di = i * (1 - i) * dcs * ci
    before = dcs * f
    if peepholes is None:
        return before, (di, dc, df, do), np.zeros((3, cs.shape[-1]), cs.dtype)
    before = before + di * peepholes[0] + df * peepholes[1]
    seen = np.stack([(di * cs_prev).sum(0), (df * cs_prev).sum(0), (do * cs).sum(0)])
    return before, (di, dc, df, do), seen


@kernel("LSTMBlockCell")
def lstm_cell(x, cs_prev, h_prev, w, wci, wcf, wco, b, *, forget_bias, cell_clip, use_peephole):
    refuse_unfit_cell(x, cs_prev, h_prev, w, b, wci=wci, wcf=wcf, wco=wco)
    dtype = x.dtype
    x, cs_prev, h_prev, w, wci, wcf, wco, b = wide(x, cs_prev, h_prev, w, wci, wcf, wco, b)
    peepholes = (wci, wcf, wco) if use_peephole else None
    step = lstm_step(x, cs_prev, h_prev, w, peepholes, b, ICFO, forget_bias, cell_clip)
    return tuple(part.astype(dtype, copy=False) for part in step)


@kernel("LSTMBlockCellGrad")
def lstm_cell_grad(
    x, cs_prev, h_prev, w, wci, wcf, wco, b, i, cs, f, o, ci, co, cs_grad, h_grad, *, use_peephole
):  # fmt: skip
    refuse_unfit_cell(x, cs_prev, h_prev, w, b, wci=wci, wcf=wcf, wco=wco)
    if any(part.shape != cs_prev.shape for part in (i, cs, f, o, ci, co, cs_grad, h_grad)):
        raise ValueError(f"gates and gradients must all have the state's shape {list(cs_prev.shape)}")
    dtype = x.dtype
    cs_prev, wci, wcf, wco, cs_grad, h_grad = wide(cs_prev, wci, wcf, wco, cs_grad, h_grad)
    step = (*wide(i, cs, f, o, ci, co), None)
    peepholes = (wci, wcf, wco) if use_peephole else None
    before, gates, seen = lstm_step_back(cs_prev, peepholes, step, cs_grad, h_grad)
    if not use_peephole:
        seen = (np.zeros_like(wci), np.zeros_like(wcf), np.zeros_like(wco))
    return tuple(part.astype(dtype, copy=False) for part in (before, joined_gates(*gates, ICFO), *seen))


def block_lstm(seq_len_max, x, cs_prev, h_prev, w, peepholes, b, order, forget_bias, cell_clip):
    """All steps up to the longest sequence; zeros behind it."""
    refuse_unfit(x, cs_prev, h_prev, w, b)
    outputs = tuple(np.zeros((*x.shape[:2], cs_prev.shape[1]), x.dtype) for _ in range(7))
    x, cs_prev, h_prev, w, b, *peepholes = wide(x, cs_prev, h_prev, w, b, *peepholes)
    for t in range(steps_of(seq_len_max, x)):
        step = lstm_step(x[t], cs_prev, h_prev, w, peepholes or None, b, order, forget_bias, cell_clip)
        for output, part in zip(outputs, step, strict=True):
            output[t] = part
        cs_prev, h_prev = step[1], step[6]
    return outputs


def steps_of(seq_len_max, x):
    if not 0 <= seq_len_max <= len(x):
        raise ValueError(f"seq_len_max {seq_len_max} is not between 0 and the {len(x)} steps of x")
    return int(seq_len_max)


@kernel("BlockLSTM")
def block_lstm_v1(
    seq_len_max, x, cs_prev, h_prev, w, wci, wcf, wco, b, *, forget_bias, cell_clip, use_peephole
):  # fmt: skip
    peepholes = peepholes_of(cs_prev, use_peephole, wci=wci, wcf=wcf, wco=wco)
    return block_lstm(seq_len_max, x, cs_prev, h_prev, w, peepholes, b, ICFO, forget_bias, cell_clip)


@kernel("BlockLSTMV2")
def block_lstm_v2(seq_len_max, x, cs_prev, h_prev, w, wci, wcf, wco, b, *, cell_clip, use_peephole):
    peepholes = peepholes_of(cs_prev, use_peephole, wci=wci, wcf=wcf, wco=wco)
    return block_lstm(seq_len_max, x, cs_prev, h_prev, w, peepholes, b, IFCO, 0.0, cell_clip)


def block_lstm_grad(inputs, outputs, cs_grad, h_grad, use_peephole, order):
    """The gradients of all inputs but the length, from the last step to the first."""
    seq_len_max, x, cs_prev, h_prev, w, wci, wcf, wco, b = inputs
    refuse_unfit(x, cs_prev, h_prev, w, b)
    dtype = x.dtype
    x, cs_prev, h_prev, w, wci, wcf, wco, b = wide(x, cs_prev, h_prev, w, wci, wcf, wco, b)
    outputs, (cs_grad, h_grad) = wide(*outputs), wide(cs_grad, h_grad)
    peepholes = (wci, wcf, wco) if use_peephole else None
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    dcs, dh, dpeepholes = np.zeros_like(cs_prev), np.zeros_like(h_prev), np.zeros((3, len(b) // 4), b.dtype)
    for t in range(steps_of(seq_len_max, x) - 1, -1, -1):
        state, hidden = (outputs[1][t - 1], outputs[6][t - 1]) if t else (cs_prev, h_prev)
        step = [output[t] for output in outputs]
        dcs, gates, seen = lstm_step_back(state, peepholes, step, cs_grad[t] + dcs, h_grad[t] + dh)
        columns = joined_gates(*gates, order)
        dx[t], dh = np.split(columns @ w.T, [x.shape[-1]], axis=-1)
        dw += np.concatenate([x[t], hidden], axis=-1).T @ columns
        db += columns.sum(0)
        dpeepholes += seen
    return tuple(part.astype(dtype, copy=False) for part in (dx, dcs, dh, dw, *dpeepholes, db))


@kernel("BlockLSTMGrad")
def block_lstm_grad_v1(*arrays, use_peephole):
    return block_lstm_grad(arrays[:9], arrays[9:16], *arrays[16:], use_peephole, ICFO)


@kernel("BlockLSTMGradV2")
def block_lstm_grad_v2(*arrays, use_peephole):
    return block_lstm_grad(arrays[:9], arrays[9:16], *arrays[16:], use_peephole, IFCO)


# ---------------------------------------------------------------------- gated recurrent units
def refuse_unfit_gru(x, h_prev, **others):
    """Raises where the parts of a step do not fit x and the state."""
    if x.ndim != 2 or h_prev.ndim != 2 or len(x) != len(h_prev):
        raise ValueError(f"x {list(x.shape)} and the state {list(h_prev.shape)} must be matrices with the same rows")
    inputs, cells = x.shape[1], h_prev.shape[1]
    wanted = {
        "w_ru": (inputs + cells, 2 * cells),
        "w_c": (inputs + cells, cells),
        "b_ru": (2 * cells,),
        "b_c": (cells,),
    }
    for name, other in others.items():
        shape = wanted.get(name, h_prev.shape)
        if other.shape != shape:
            raise ValueError(f"{name} must be of shape {list(shape)}, not {list(other.shape)}")


@kernel("GRUBlockCell")
def gru_cell(x, h_prev, w_ru, w_c, b_ru, b_c):
    """r and u decide how much of the state the candidate c sees, and how much of it stays."""
    refuse_unfit_gru(x, h_prev, w_ru=w_ru, w_c=w_c, b_ru=b_ru, b_c=b_c)
    r, u = np.split(sigmoid(np.concatenate([x, h_prev], axis=1) @ w_ru + b_ru), 2, axis=1)
    c = np.tanh(np.concatenate([x, h_prev * r], axis=1) @ w_c + b_c)
    return r, u, c, u * h_prev + (1 - u) * c


@kernel("GRUBlockCellGrad")
def gru_cell_grad(x, h_prev, w_ru, w_c, b_ru, b_c, r, u, c, d_h):
    """The gradients of x and the state, and of c, r and u before they are squashed."""
    refuse_unfit_gru(x, h_prev, w_ru=w_ru, w_c=w_c, b_ru=b_ru, b_c=b_c, r=r, u=u, c=c, d_h=d_h)
    d_c = d_h * (1 - u) * (1 - c * c)
    d_u = d_h * (h_prev - c) * u * (1 - u)
    dx_by_c, d_seen = np.split(d_c @ w_c.T, [x.shape[1]], axis=1)
    d_r = d_seen * h_prev * r * (1 - r)
    d_ru = np.concatenate([d_r, d_u], axis=1)
    dx_by_ru, dh_by_ru = np.split(d_ru @ w_ru.T, [x.shape[1]], axis=1)
    return dx_by_c + dx_by_ru, dh_by_ru + d_seen * r + d_h * u, d_c, d_ru
