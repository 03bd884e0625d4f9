"""Ops that say something."""

from tests.cases import case, const, f32

CASES = [case("Print", f32(2, 3), [f32(2), const(5)], message="m: ", first_n=0)]
