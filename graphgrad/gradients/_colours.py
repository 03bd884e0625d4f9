"""The gradient of the conversion from RGB to HSV; part of the image family, which imports it.

Every pixel is a case of its own: which colour is largest and which is smallest are masks of 0 and 1, and a partial
derivative is a sum over the cases. On ties red goes before green and green before blue.
"""

from __future__ import annotations

import operator

from graphgrad.registry import gradient

OTHERS = ((1, 2), (0, 2), (0, 1))
# In the order in which TensorFlow looks at the other two.
RIVALS = ((2, 1), (0, 2), (0, 1))
MINIMA = ((1, 2), (0, 2), (1, 0))


@gradient("RGBToHSV")
def rgb_to_hsv(g, op, dz):
    (x,), (hsv,), dz = op.inputs, op.outputs, g.dense(dz)
    rgb = [x[..., i] for i in range(3)]
    saturation, value = hsv[..., 1], hsv[..., 2]
    largest = [mask(g, rgb, i, operator.gt, operator.ge) for i in range(3)]
    smallest = [mask(g, rgb, i, operator.le, operator.lt) for i in range(3)]
    dsaturation = [of_saturation(g, rgb, i, largest, smallest) for i in range(3)]
    dhue = [of_hue(g, rgb, i, largest, smallest, saturation, value) for i in range(3)]
    by_value = g.stack([dz[..., 2] * d for d in largest], axis=-1)
    by_saturation = g.stack([dz[..., 1] * d for d in dsaturation], axis=-1)
    by_hue = g.stack([dz[..., 0] * d for d in dhue], axis=-1)
    return plus(g, plus(g, by_value, by_saturation), by_hue)


def mask(g, rgb, i, before, behind):
    """1 where colour i compares so with both others: those before it and those behind it in the order red, green, blue."""
    tests = [(before if other < i else behind)(rgb[i], rgb[other]) for other in RIVALS[i]]
    return g.cast(g.LogicalAnd(*tests, name="and"), rgb[i].dtype)


def is_lit(g, colour):
    return g.cast(colour > 0, colour.dtype)


def reciprocal(g, x):
    """1 / x, and 0 at 0."""
    return g.DivNoNan(g.cast(1.0, x.dtype), x, name="div_no_nan")


def plus(g, x, y):
    return g.AddV2(x, y, name="Add")


def of_saturation(g, rgb, i, largest, smallest):
    """1 - min/max: min/max² where colour i is the maximum, -1/max where it is the minimum."""
    a, b = MINIMA[i]
    lit = is_lit(g, rgb[i])
    minimum = plus(g, smallest[a] * rgb[a], smallest[b] * rgb[b])
    as_maximum = largest[i] * minimum * reciprocal(g, g.Square(rgb[i]))
    as_minimum = smallest[i] * -1 * reciprocal(g, (largest[a] * rgb[a]) + (largest[b] * rgb[b]))
    return lit * plus(g, as_maximum, as_minimum)


def of_hue(g, rgb, i, largest, smallest, saturation, value):
    """The quotient rule for (next - last) / (max - min) / 6, where next and last follow the maximum in the circle."""
    following, last = (i + 1) % 3, (i + 2) % 3
    own = is_lit(g, rgb[i]) * largest[i] * -1 * (rgb[following] - rgb[last])
    terms = [60 * (own * reciprocal(g, g.Square(saturation)) * reciprocal(g, g.Square(value)))]
    for top in OTHERS[i]:
        as_minimum = is_lit(g, rgb[top]) * largest[top] * smallest[i] * (rgb[last] - rgb[following])
        terms.append(60 * (as_minimum * reciprocal(g, g.Square(apart(rgb, i, top)))))
        between = is_lit(g, rgb[top]) * largest[top] * smallest[3 - i - top]
        between = between * -1 if top == following else between
        terms.append(60 * (between * reciprocal(g, rgb[top] - rgb[3 - i - top])))
    return sum(terms[1:], terms[0]) / 360


def apart(rgb, i, top):
    """The distance of the maximum from colour i; its sign, which does not count, is TensorFlow's."""
    return rgb[i] - rgb[top] if (i, top) == (0, 1) else rgb[top] - rgb[i]
