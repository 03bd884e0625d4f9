"""One side of a comparison in a process of its own, which measures whenever it is told to.

It prints `ready`, then answers each line of standard input with one line of JSON: `measure`, or `compare PATH
COUNT` for the first numbers it computes against those of another side. Between two lines it sleeps, so sides never run at once.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BLOCK = 0.3  # seconds of steps that make one measurement
CLOSE = 2e-3  # of the largest number of each array: float32, summed in other orders


def _timed(step: Callable[[], Any]) -> dict[str, float]:
    """Seconds of one step: the mean over a block of them, after one that is not counted."""
    step()
    start, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < BLOCK or count < 2:
        step()
        count += 1
    return {"seconds": elapsed / count}


def _difference(own: list[Any], path: str) -> str:
    """The first array that differs by more than rounding, or nothing."""
    import numpy as np

    with np.load(path) as other:
        for i, array in enumerate(own):
            theirs = other[f"arr_{i}"]
            if np.shape(array) != theirs.shape:
                return f"result {i} has shape {np.shape(array)} here and {theirs.shape} there"
            apart = np.max(np.abs(np.float64(array) - theirs), initial=0)
            if not apart <= CLOSE * max(np.max(np.abs(theirs), initial=0), 1e-6):
                return f"result {i} differs by {apart:.3g} from numbers up to {np.max(np.abs(theirs)):.3g}"
    return ""


def main(side: str, action: str, folder: Path) -> None:
    module = importlib.import_module(f"tests.benchmarks.{side}_side")
    if action == "build":
        build = module.building(folder)
    else:
        import numpy as np

        step = module.evaluation(folder)
        np.savez(folder / f"{side}.npz", *step())
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "compare":
            answer: dict[str, Any] = {"difference": _difference(step()[: int(words[2])], words[1])}
        elif action == "build":
            seconds, nodes = build()
            answer = {"seconds": seconds, "nodes": nodes}
        else:
            answer = _timed(step)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
