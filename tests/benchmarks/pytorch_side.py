"""What PyTorch does with a benchmark's folder: the model as one writes it there, differentiated by autograd."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from tests.benchmarks.forward import STEPS

Tensor = torch.Tensor
THREADS = 2


class PyTorch:
    relu, relu6 = staticmethod(functional.relu), staticmethod(functional.relu6)
    tanh, sin, sigmoid = staticmethod(torch.tanh), staticmethod(torch.sin), staticmethod(torch.sigmoid)

    def softmax(self, x: Tensor) -> Tensor:
        return torch.softmax(x, -1)

    def swap(self, x: Tensor, one: int, other: int) -> Tensor:
        return x.transpose(one, other)

    def concat(self, parts: list[Tensor]) -> Tensor:
        return torch.cat(parts, 1)

    def split(self, x: Tensor, parts: int) -> list[Tensor]:
        return list(x.chunk(parts, 1))

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels.long())

    def conv(self, x: Tensor, filters: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        """Padded as TensorFlow's SAME; channels stay last in memory."""
        kernel = filters.shape[0]
        weights = filters.permute(3, 2, 0, 1) if groups == 1 else filters.permute(2, 3, 0, 1)
        x = functional.pad(x.permute(0, 3, 1, 2), _same(x.shape[1], x.shape[2], kernel, stride))
        return functional.conv2d(x, weights, stride=stride, groups=groups).permute(0, 2, 3, 1)

    def max_pool(self, x: Tensor, size: int, padding: str) -> Tensor:
        x = x.permute(0, 3, 1, 2)
        if padding == "SAME":
            x = functional.pad(x, _same(x.shape[2], x.shape[3], size, 2), value=-torch.inf)
        return functional.max_pool2d(x, size, 2).permute(0, 2, 3, 1)

    def batch_norm(self, x: Tensor) -> Tensor:
        return functional.batch_norm(x.permute(0, 3, 1, 2), None, None, training=True, eps=1e-3).permute(0, 2, 3, 1)


def _same(height: int, width: int, kernel: int, stride: int) -> list[int]:
    """The padding left, right, above and below."""
    found = []
    for size in (width, height):
        missing = max(0, (-(-size // stride) - 1) * stride + kernel - size)
        found += [missing // 2, missing - missing // 2]
    return found


def evaluation(folder: Path) -> Callable[[], list[Any]]:
    """One step: the loss and every gradient from the feeds."""
    torch.set_num_threads(THREADS)
    names = json.loads((folder / "names.json").read_text())
    step, xs = STEPS[names["model"]], [name.partition(":")[0] for name in names["xs"]]
    constants = {name: torch.from_numpy(array) for name, array in np.load(folder / "constants.npz").items()}
    feeds = {name: torch.from_numpy(np.asarray(array)) for name, array in np.load(folder / "feeds.npz").items()}
    leaves = [{**constants, **feeds}[name].requires_grad_() for name in xs]

    def run() -> list[Any]:
        loss = step(PyTorch(), constants, **feeds)
        return [t.detach().numpy() for t in (loss, *torch.autograd.grad(loss, leaves))]

    return run
