"""The value of what lies on a way that was not taken."""

from __future__ import annotations


class _Dead:
    def __repr__(self) -> str:
        return "no value"


DEAD = _Dead()
