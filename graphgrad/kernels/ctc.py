"""Kernels of connectionist temporal classification (Graves 2012, chapter 7).

A labelling is extended by blanks around its labels; the loss sums over all paths through the extended labelling, which
is done in logarithms, forwards and backwards. The blank is the last class.
"""

from __future__ import annotations

import numpy as np

from graphgrad.kernels._beams import search
from graphgrad.registry import kernel


@kernel("CTCLoss")
def ctc_loss(
    inputs,
    labels_indices,
    labels_values,
    sequence_length,
    *,
    preprocess_collapse_repeated,
    ctc_merge_repeated,
    ignore_longer_outputs_than_inputs,
):
    time, batch, classes = inputs.shape
    refuse_lengths(sequence_length, batch, time)
    refuse_disorder(labels_indices, batch)
    losses, gradients = np.zeros(batch, inputs.dtype), np.zeros_like(inputs)
    for b in range(batch):
        labels, length = labels_values[labels_indices[:, 0] == b], int(sequence_length[b])
        extended = extended_labels(labels, classes, b, preprocess_collapse_repeated)
        if len(labels) > length:
            if ignore_longer_outputs_than_inputs:
                continue
            raise ValueError(f"sequence {b} of length {length} is too short for its {len(labels)} labels")
        logits = inputs[:length, b].astype(np.float64)
        losses[b], gradients[:length, b] = loss_of(logits, extended, ctc_merge_repeated)
    return losses, gradients


def refuse_lengths(sequence_length, batch, time):
    if sequence_length.shape != (batch,):
        raise ValueError(f"sequence_length of shape {list(sequence_length.shape)} is not one for each of {batch}")
    if batch and (sequence_length.min() < 0 or sequence_length.max() > time):
        raise ValueError(f"sequence_length {sequence_length.tolist()} must lie between 0 and {time}")


def refuse_disorder(indices, batch):
    """Raises where a label is of no sequence, or stands before one that comes before it."""
    rows = [tuple(row) for row in indices.tolist()]
    for before, row in zip([(-1, -1), *rows], rows, strict=False):
        if not 0 <= row[0] < batch or row[1] < 0:
            raise ValueError(f"label at {list(row)}: there are {batch} sequences")
        if row <= before:
            raise ValueError(f"label at {list(row)} is out of order: it stands behind {list(before)}")


def extended_labels(labels, classes, b, collapse):
    """The labels with blanks around each; what follows a blank class among them may only be blank."""
    if not len(labels):
        raise ValueError(f"sequence {b} has no labels")
    if collapse:
        labels = labels[np.append(True, labels[1:] != labels[:-1])]
    if labels.min() < 0:
        raise ValueError(f"sequence {b} has negative labels: {labels.tolist()}")
    blank = classes - 1
    is_end = labels >= blank
    kept = labels[: is_end.argmax()] if is_end.any() else labels
    if not is_end[len(kept) :].all():
        raise ValueError(f"sequence {b} has labels behind its end: {labels.tolist()}, {classes} classes")
    extended = np.full(2 * len(kept) + 1, blank)
    extended[1::2] = kept
    return extended


def loss_of(logits, extended, merge_repeated):
    """The loss of one sequence, and its gradient: the softmax minus what the paths make of it."""
    log_y = log_softmax(logits)
    steps = log_y[:, extended]
    stays, skips = transitions(extended, log_y.shape[1] - 1, merge_repeated)
    with np.errstate(invalid="ignore", divide="ignore"):
        forward = paths(steps, stays, skips)
        backward = paths(steps[::-1, ::-1], stays[::-1], skips_back(skips))[::-1, ::-1]
        through = np.where(steps > -np.inf, forward + backward - steps, -np.inf)
        total = np.logaddexp.reduce(forward[-1, -2:])
        shares = np.exp(through - total) if np.isfinite(total) else np.zeros_like(through)
    if np.isnan(total):
        return total, np.full_like(log_y, np.nan)
    gradient = np.exp(log_y)
    for place, label in enumerate(extended):
        gradient[:, label] -= shares[:, place]
    return -total, gradient


def transitions(extended, blank, merge_repeated):
    """Where a path may stay, and where it may come from two places before."""
    is_blank = extended == blank
    stays = is_blank | merge_repeated
    skips = ~is_blank
    skips[:2] = False
    if merge_repeated:
        skips[2:] &= extended[2:] != extended[:-2]
    return stays, skips


def skips_back(skips):
    """The same seen from the end: whether the place may come from two places behind it."""
    return np.append(skips[2:], [False, False])[::-1]


def paths(steps, stays, skips):
    """Logarithms: the probability of all ways to each place at each time, its own step included."""
    found = np.full(steps.shape, -np.inf)
    found[0, :2] = steps[0, :2]
    for t in range(1, len(steps)):
        before = found[t - 1]
        ways = np.where(stays, before, -np.inf)
        ways[1:] = np.logaddexp(ways[1:], before[:-1])
        ways[2:] = np.where(skips[2:], np.logaddexp(ways[2:], before[:-2]), ways[2:])
        found[t] = ways + steps[t]
    return found


@kernel("CTCGreedyDecoder")
def ctc_greedy_decoder(inputs, sequence_length, *, merge_repeated, blank_index):
    """The likeliest class of each step, blanks left out; NaN is likeliest only as the first class."""
    time, batch, classes = inputs.shape
    refuse_lengths(sequence_length, batch, time)
    if not -classes <= blank_index < classes:
        raise ValueError(f"blank_index {blank_index} is none of {classes} classes")
    blank = blank_index % classes
    inputs = np.where(np.isnan(inputs) & (np.arange(classes) > 0), -np.inf, inputs).astype(inputs.dtype, copy=False)
    scores, decoded = np.zeros((batch, 1), inputs.dtype), []
    for b, length in enumerate(sequence_length):
        best = inputs[:length, b].argmax(axis=1)
        scores[b] = -inputs[:length, b].max(axis=1).sum()
        is_new = np.append(True, best[1:] != best[:-1])[: len(best)] if merge_repeated else True
        decoded.append(best[(best != blank) & is_new])
    return *as_sparse(decoded), scores


def as_sparse(rows):
    """Rows of labels as the indices, the values and the shape of a sparse matrix."""
    indices = [(b, i) for b, labels in enumerate(rows) for i in range(len(labels))]
    values = np.concatenate([*rows, np.zeros(0, np.int64)]).astype(np.int64)
    shape = np.array([len(rows), max(map(len, rows), default=0)], np.int64)
    return np.array(indices, np.int64).reshape(-1, 2), values, shape


@kernel("CTCBeamSearchDecoder")
def ctc_beam_search_decoder(inputs, sequence_length, *, beam_width, top_paths, merge_repeated):
    """The likeliest labellings of each sequence."""
    time, batch, _ = inputs.shape
    refuse_lengths(sequence_length, batch, time)
    if top_paths > beam_width:
        raise ValueError(f"{top_paths} paths are more than the width of the beam, {beam_width}")
    scores = np.zeros((batch, top_paths), inputs.dtype)
    found = [[] for _ in range(top_paths)]
    for b, length in enumerate(sequence_length.tolist()):
        best = search(log_softmax(inputs[:length, b].astype(np.float64)), beam_width)[:top_paths]
        if len(best) < top_paths:
            raise ValueError(f"sequence {b} of length {length} has {len(best)} labellings, not {top_paths}")
        for path, beam in enumerate(best):
            scores[b, path] = beam.after.total
            found[path].append(beam.labels(merge_repeated))
    indices, values, shapes = zip(*map(as_sparse, found), strict=True)
    return list(indices), list(values), list(shapes), scores


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
