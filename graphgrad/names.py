"""Names of nodes, scopes and tensors: how they are made unique, joined and taken apart, by TensorFlow's own rules.

Contract: a name is unique without regard to case; the n-th taker of `Mul` in a scope gets `Mul_n`, and the numbers
follow the order of asking alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphgrad.errors import ArgumentError

_VALID_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


class NameAuthority:
    """Hands out unique names. `taken` are the names in use, of nodes and of opened scopes."""

    def __init__(self, taken: Iterable[str]):
        self._next_suffix: dict[str, int] = dict.fromkeys(map(str.lower, taken), 1)

    def unique(self, name: str) -> str:
        """`name`, or with the first free suffix `_1`, `_2`, ..."""
        key = name.lower()
        taken = self._next_suffix
        suffix = taken.get(key)
        if suffix is None:
            taken[key] = 1
            return name
        candidate = f"{key}_{suffix}"
        while candidate in taken:
            suffix += 1
            candidate = f"{key}_{suffix}"
        taken[key] = suffix + 1
        taken[candidate] = 1
        return f"{name}_{suffix}"

    def reserve(self, names: Iterable[str]) -> None:
        """Takes names out of use that nodes had which are gone."""
        for name in names:
            self._next_suffix.setdefault(name.lower(), 1)

    def unique_scope(self, name: str) -> str:
        """Like `unique`, and no node that is already there stands below the scope, so that calls stay apart."""
        scope = self.unique(name)
        while any(key.startswith(scope.lower() + "/") for key in self._next_suffix):
            scope = self.unique(name)
        return scope


def check_scope_name(name: str, option: str) -> None:
    """Raises ArgumentError where TensorFlow would not accept `name` as a scope at the top level."""
    if not _VALID_NAME.fullmatch(name):
        raise ArgumentError(f"{option} {name!r} is not a valid scope name: letters, digits and . _ - / \\ >")


def split_tensor_name(name: str) -> tuple[str, int]:
    """'node:k' -> ('node', k); 'node' means 'node:0'. Raises ArgumentError on anything else."""
    if name.startswith("^"):
        raise ArgumentError(f"{name!r} is a control dependency; a tensor is meant here: use {name[1:]!r}")
    node, colon, index = name.rpartition(":")
    if not colon:
        return name, 0
    if not node or not (index.isascii() and index.isdigit()):
        raise ArgumentError(f"{name!r} is not a tensor name: write 'node' or 'node:k'")
    return node, int(index)
