"""The checkpoint that lies beside a model, found without reading it."""

from __future__ import annotations

import glob
import os
import re

from graphgrad.errors import GraphGradError, ModelError


def checkpoint_beside(model: str) -> str | None:
    """The prefix of the checkpoint that has the name of the model, else of the one that a file 'checkpoint' in its folder
    names; None where neither is there."""
    stem = os.path.splitext(model)[0]
    if _is_checkpoint(stem) and stem != model:
        return stem
    folder = os.path.dirname(model)
    try:
        found = latest_in(folder or ".") if os.path.isfile(os.path.join(folder, "checkpoint")) else None
    except GraphGradError:
        return None
    if found is None or not _is_checkpoint(found):
        return None
    return found if folder else os.path.normpath(found)


def _is_checkpoint(prefix: str) -> bool:
    """Whether there is one of the second version, or of the first."""
    return os.path.isfile(f"{prefix}.index") or os.path.isfile(prefix)


def latest_in(folder: str) -> str:
    """The prefix that the file 'checkpoint' in a folder names. Raises ModelError where it names none."""
    state = os.path.join(folder, "checkpoint")
    with open(state, "rb") as file:
        found = re.search(rb'^\s*model_checkpoint_path:\s*"((?:[^"\\]|\\.)*)"', file.read(), re.M)
    if found is None:
        raise ModelError(f"{state} names no model_checkpoint_path")
    latest = re.sub(rb"\\(.)", rb"\1", found[1]).decode("utf-8", "replace")
    # An absolute path is of the machine that wrote it: the folder may have been moved since.
    is_there = glob.glob(f"{glob.escape(os.path.join(folder, latest))}*")
    return os.path.join(folder, latest if is_there else os.path.basename(latest))
